"""Training of E0 by self-supervision on heads whose latent code, camera, picture and shape are known.

As in E3DGE (Lan et al., CVPR 2023, section 3.2), but on a tri-plane generator: image, latent, identity and geometry
terms, the last as opacity, depth, surface, density, normals and planes. Inputs are renders of the true heads and of the
generator's own samples, over random backgrounds and made photo-like; comparisons are with the clean heads. Known
cameras are used for rendering and teach the camera head, and so do known landmarks. Any generator's encoder can be
trained on its own samples alone; that of one on the head mesh learns from synthetic heads, whose shape codes and light
are known as well. Unlabelled portraits are reconstructed as they are, and are to look like the same person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...checkpoints.store import load_encoder_file, save_model
from ...conventions import MM_PER_UNIT
from ...errors import UsageError
from ...images.tensors import at_side
from ...light import light_difference
from ...metrics.camera import rotation_angle_deg
from ...metrics.geometry import units_to_mm
from ...models.anchored_generator import AnchoredGenerator
from ...models.encoder import INPUT_SIZE, GlobalEncoder
from ...models.encoder_config import EncoderConfig, large_encoder
from ...models.families import OfPlanes
from ...models.latent_space import measure_latent_space
from ...models.on_mesh import OnMesh
from ...shape import HeadCodes
from ..data.face_photos import FacePhotoBatch, FacePhotos
from ..data.head_shards import HeadShards
from ..data.head_source import HeadSource, head_sources, heads_in
from ..data.held_out_views import psnr_over, save_comparison, true_view, view_and_depth
from ..data.own_samples import OwnSamples, OwnSettings
from ..data.photo_augment import random_background
from ..data.photo_batches import PhotoBatch, PhotoCounts, generator_photos, photo_batch
from ..engine.loop import Report
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..engine.run_folder import RunFolder
from ..losses.encoder import encoder_losses, loss_weights, portrait_losses
from ..losses.encoder_on_mesh import encoder_losses_on_mesh
from ..losses.lit_rays import LitGenerator
from ..losses.on_mesh import ShapeLoss
from ..losses.rays import SampleCounts
from .first_codes import fit_first_codes
from .own_metrics import validate_on_samples
from .starts import described_start, frozen_generator_of_planes, network_to_train, take_over


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of the stage.

    Args:
        counts: Numbers of photos, rays and the like in a step.
        samples_per_step: Photos in a step, beside those of true heads, of the generator's own samples.
        codes_only: Fraction of a run from random weights with latent and camera terms only: pictures of wrong heads
            teach little and cost two thirds of a step.
        eyes_kept: The same fraction of a run on the head mesh whose eyes are an earlier encoder's: landmarks and camera
            stay as they are meanwhile, which halves a step, and the trunk learns codes, shape and light.
        portraits_per_step: Unlabelled portraits in a step, where there are any.
        samples: Samples on each ray.
        shape_points: Points of each head rendered: near its surface, on it, and anywhere.
        first_photos: Photos that the codes are learned from first, where only the eyes are known.
        first_steps: Steps of learning these.
        with_geometry: Whether shapes are taught; without, for comparison: see
            :data:`geoinv.training.losses.encoder.GEOMETRY`.
    """

    counts: PhotoCounts = PhotoCounts()
    samples_per_step: int = 1
    codes_only: float = 0.3
    eyes_kept: float = 0.5
    portraits_per_step: int = 3
    samples: SampleCounts = SampleCounts()
    shape_points: int = 160
    first_photos: int = 12_000
    first_steps: int = 2000
    with_geometry: bool = True


Size = Literal["small", "large"]


def encoder_config(generator: OfPlanes, size: Size = "small") -> EncoderConfig:
    """The encoder that is trained for a generator by default."""
    build = EncoderConfig if size == "small" else large_encoder
    config = generator.config
    shape_size = 0 if config.anchor is None else config.anchor.code_size
    return build(config.name, config.num_ws, config.w_dim, shape_size=shape_size)


class EncoderStage:
    """The encoder's stage; its best weights by PSNR and depth of held-out input views ship beside the generator.

    Args:
        run: The run.
        data: Data set to train on, or how the generator's own samples are drawn.
        validation: Data set to measure on, of another seed; None with own samples, whose measure is own samples too.
        model: The generator, by name or file.
        photos: Folder of unlabelled portraits, or None; every fourth is left for testing.
        start: An encoder to go on from, for this or an earlier generator; None for random weights. One of a generator
            without a mesh can start one on the head mesh, see :func:`with_eyes_of`.
        settings: Settings of the stage.
        size: Size of the encoder.
        config: The encoder; by default :func:`encoder_config`.
        report: Called with what :func:`.fit_first_codes` leaves.
        more_heads: Data set of more heads, whose photos teach all that needs no rendering: a view of the face is enough
            of each, so that the same time renders several times as many. None for none.

    Raises:
        CheckpointError: No such model.
        UsageError: No heads in a data set, no photo with a face, ``start`` is another encoder, ``config`` does not
            fit the generator's codes, or one on the head mesh is to be taught without geometry.
    """

    name = "encoder"
    usual = Usual(learning_rate=1e-3, look_every=5.0, log_every=50)
    best_by = "score"
    allows_bfloat16 = True
    beside: Mapping[str, Stateful] = {}

    def __init__(
        self,
        run: Run,
        *,
        data: Path | OwnSettings,
        validation: Path | None = None,
        model: str = "mini",
        photos: Path | None = None,
        start: Path | None = None,
        settings: EncoderSettings | None = None,
        size: Size = "small",
        config: EncoderConfig | None = None,
        report: Report | None = None,
        more_heads: Path | None = None,
    ) -> None:
        self.run, self.settings = run, settings or EncoderSettings()
        self._generator, self._info = frozen_generator_of_planes(model, run.device, with_heads=isinstance(data, Path))
        self.config = config or encoder_config(self._generator, size)
        expected = self._generator.config
        if (self.config.num_ws, self.config.w_dim) != (expected.num_ws, expected.w_dim):
            raise UsageError(
                f"the encoder makes {self.config.num_ws} codes of {self.config.w_dim} numbers, the "
                f"generator takes {expected.num_ws} of {expected.w_dim}"
            )
        self._shape_loss: ShapeLoss | None = None
        if isinstance(self._generator, AnchoredGenerator):
            if not self.settings.with_geometry:
                raise UsageError("heads on the head mesh have a shape in any case", "leave out --no-geometry")
            self._shape_loss = ShapeLoss(self._generator.anchor.model)
        self._data, self._validation = head_sources(data, validation, self._generator, seed=run.seed)
        self._start = start
        if more_heads is not None and self._data.knows_w:
            raise UsageError("own samples have no more heads beside them", "leave out --more-heads")
        self._more = None if more_heads is None else heads_in(more_heads, self._generator)
        (self._more or self._data).check_enough(self.settings.counts.photos)
        self.loss_weights: Mapping[str, float] = loss_weights(
            with_geometry=self.settings.with_geometry, own_samples=self._data.knows_w
        )
        known = None if start is None else load_encoder_file(start)[0]
        knows_codes = known is not None and known.config.shape_size == self.config.shape_size
        self._without_pictures = 0.0 if knows_codes else self.settings.codes_only
        going_on = start if knows_codes else None
        encoder = network_to_train(
            self.config, GlobalEncoder, going_on, lambda path: load_encoder_file(path)[0], seed=run.seed
        )
        eyes = None if knows_codes else known
        if eyes is not None:
            encoder = with_eyes_of(eyes, encoder)
        encoder = encoder.to(run.device)
        encoder.start_at(self._generator)
        self._has_known_eyes = False
        if eyes is not None and isinstance(self._generator, AnchoredGenerator) and self.config.codes == "trunk":
            self._has_known_eyes, self._without_pictures = True, self.settings.eyes_kept
            if not RunFolder(run.out).is_begun:
                self._fit_first_codes(encoder, self._generator, report)
        self.model: GlobalEncoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: MovingAverage[GlobalEncoder] = MovingAverage(self.model, run.average_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=run.learning_rate, betas=(0.9, 0.99), weight_decay=0.02, fused=True
        )
        self._portraits = None if photos is None else FacePhotos(photos, self._data.resolution)
        self._space = measure_latent_space(self._generator, seed=run.seed)

    def _fit_first_codes(self, encoder: GlobalEncoder, generator: AnchoredGenerator, report: Report | None) -> None:
        settings = self.settings
        left = fit_first_codes(
            encoder,
            generator,
            self._more or self._data,
            settings.counts,
            photos=settings.first_photos,
            steps=settings.first_steps,
            seed=self.run.seed,
        )
        if report is not None:
            millimetres = MM_PER_UNIT * left.vertices
            off = f"look {left.painting:.3f}, vertices {millimetres:.2f} mm, light {left.light:.3f} off"
            report(0.0, f"codes by what is seen already: {off}")

    def describe(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "network": asdict(self.config),
            "base": {"generator": self._info.sha256},
            "start": described_start(self._start),
            "data": {
                "training": self._data.describe(),
                "validation": self._validation.describe(),
                "more_heads": None if self._more is None else self._more.describe(),
                "portraits": None if self._portraits is None else self._portraits.describe(),
            },
        }

    def batch(self, step: int) -> tuple[PhotoBatch, FacePhotoBatch | None]:
        self._data.at_step(step)
        rng, settings = np.random.default_rng([self.run.seed, step, rank(), 1]), self.settings
        if self._more is not None:
            self._more.at_step(step)
        photos = photo_batch(
            self._data, rng, settings.counts, with_other_view=settings.with_geometry, others=self._more
        )
        if self._portraits is None:
            return photos, None
        rays = settings.counts.rays_per_view
        return photos, self._portraits.batch(rng, photos=settings.portraits_per_step, rays_per_photo=rays)

    def losses(self, batch: tuple[PhotoBatch, FacePhotoBatch | None], step: int, place: float) -> dict[str, Tensor]:
        photos, portraits = batch
        settings = self.settings
        rng = np.random.default_rng([self.run.seed, step, rank(), 2])
        random = torch.Generator().manual_seed(seed_of_step(self.run.seed, step))
        renders = place >= self._without_pictures
        if self._has_known_eyes:
            for part in (self.model.landmarks, self.model.pose):
                part.requires_grad_(renders)
        if not photos.knows_w and (renders or not self._has_known_eyes):  # else all are own samples
            photos = photos.with_photos(
                *generator_photos(self._generator, rng, settings.samples_per_step, self._data.resolution)
            )
        if isinstance(self._generator, AnchoredGenerator):
            assert self._shape_loss is not None
            known = self.model, self._generator, photos, self._space, self._shape_loss, random
            terms = encoder_losses_on_mesh(*known, samples=settings.samples, renders=renders)
        else:
            terms = encoder_losses(
                self.model,
                self._generator,
                photos,
                self._space,
                random,
                samples=settings.samples,
                shape_points=settings.shape_points,
                with_geometry=settings.with_geometry,
                renders=renders,
            )
        if renders and portraits is not None:
            terms |= portrait_losses(
                self.model, self._generator, portraits, self._space, random, samples=settings.samples
            )
        return terms

    def metrics(self, sheet: Path) -> dict[str, float]:
        if isinstance(self._validation, OwnSamples):
            assert not isinstance(self._generator, AnchoredGenerator)
            return validate_on_samples(self.average.module, self._generator, self._validation, sheet)
        return validate(self.average.module, self._generator, self._validation, sheet)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        extra = {"training": training, "run": record, "generator_sha256": self._info.sha256}
        save_model(path, self.average.module, self.config, extra=extra)


_CODES = ("codes.", "pyramid.codes.", "shape.", "light.", "w_avg", "shape_avg", "light_avg", "shape_scale")
"""Parts of an encoder that speak a generator's language; the others look at faces."""


@torch.no_grad()
def with_eyes_of(known: GlobalEncoder, encoder: GlobalEncoder) -> GlobalEncoder:
    """An encoder that sees landmarks, cameras and features as another does, and has its codes to learn.

    Args:
        known: An encoder that was trained, for any generator.
        encoder: A new one of the same widths.

    Raises:
        UsageError: They are of other widths.
    """
    take_over(encoder, known.state_dict(), but=_CODES, kind="encoder")
    return encoder


@torch.no_grad()
def validate(
    encoder: GlobalEncoder, generator: OfPlanes, heads: HeadSource, sheet: Path, count: int = 40
) -> dict[str, float]:
    """Metrics on held-out heads, and a sheet of photos above results.

    Args:
        encoder: The network that is measured.
        generator: Generator of the codes.
        heads: The held-out heads.
        sheet: File of the sheet.
        count: Most heads to measure on.

    Returns:
        ``heldout_psnr_db`` over true head pixels, by the predicted camera; ``camera_deg``; ``depth_mm`` as that camera
        sees it. In ``score`` a centimetre of depth weighs like one dB: colours fit long before cameras do. Of heads on
        the head mesh also ``shape_mm``, the root mean square of vertices' distances at the same pose, and
        ``light_off``, that of linear RGB.
    """
    rng = np.random.default_rng(0)
    side, device = heads.resolution, generator.w_avg.device
    psnr, degrees, depth_mm, truths, results = [], [], [], [], []
    on_mesh: list[tuple[float, float]] = []
    for head in range(min(count, len(heads))):
        rgba, true_depth, cam2world, _ = heads.view(head, 0)
        straight = np.asarray(rgba, np.float32) / 255.0
        photo = straight[..., :3] * straight[..., 3:] + random_background(rng, side) * (1.0 - straight[..., 3:])
        picture = torch.from_numpy(photo).permute(2, 0, 1)[None].to(device)
        predicted = encoder(at_side(picture * 2.0 - 1.0, INPUT_SIZE))
        pose = predicted.camera.cam2world(generator.config.orbit)
        degrees.append(rotation_angle_deg(pose.cpu(), torch.from_numpy(np.array(cam2world))[None]).item())
        if isinstance(generator, AnchoredGenerator):
            assert isinstance(heads, HeadShards) and predicted.on_mesh is not None
            on_mesh.append(_errors_on_mesh(predicted.on_mesh, generator, heads, head))
            made = generator.heads(predicted.w_plus, codes=predicted.on_mesh.codes, light=predicted.on_mesh.light)
            result, depth = view_and_depth(LitGenerator(generator), made, pose[0], side)
        else:
            result, depth = view_and_depth(generator, generator.planes(predicted.w_plus), pose[0], side)
        truth, on_head = true_view(rgba)
        psnr.append(psnr_over(result, truth, on_head))
        error = (depth - torch.from_numpy(np.asarray(true_depth[::2, ::2], np.float32)))[on_head]
        depth_mm.append(units_to_mm(error.abs().nanmean().nan_to_num(1.0).item()))
        if head < 24:
            truths.append(torch.from_numpy(photo[::2, ::2].copy()))
            results.append(result)
    save_comparison(sheet, truths, results)
    metrics = {"heldout_psnr_db": psnr, "camera_deg": degrees, "depth_mm": depth_mm}
    means = {name: float(np.mean(values)) for name, values in metrics.items()}
    if on_mesh:
        means |= dict(zip(("shape_mm", "light_off"), np.sqrt(np.mean(on_mesh, axis=0)).tolist(), strict=True))
    return means | {"score": means["heldout_psnr_db"] - 0.1 * means["depth_mm"]}


def _errors_on_mesh(found: OnMesh, generator: AnchoredGenerator, heads: HeadShards, head: int) -> tuple[float, float]:
    """Mean squared distance of vertices in mm, and of what lights do to surfaces in linear RGB."""
    model, device = generator.anchor.model, generator.w_avg.device
    true = HeadCodes.from_vector(torch.from_numpy(np.array(heads.codes(head)))[None].to(device))
    away_mm = (model.vertices(found.codes) - model.vertices(true)).norm(dim=-1) * MM_PER_UNIT
    light = torch.from_numpy(np.array(heads.light(head)))[None].to(device)
    return away_mm.square().mean().item(), light_difference(found.light, light).item()
