"""Training of E1 and hybrid alignment (E3DGE, Lan et al., CVPR 2023); E0 and the generator are frozen.

Two views of a head: one is the photo, whose residual E1 reads, the other is the query view that is compared with the
truth; now and then both are the same. Cameras are those that E0 predicts, as in use. Heads are painted at random, so
that details are of every kind; portraits teach real skin, and from the side they are to remain the same person. Where
heads are twins, which differ in expression alone, the query view often is the twin's and the code is edited by the
difference of theirs: so the branch learns which details an edit leaves, and which not. In the last part of a run a
discriminator that knows the camera looks at the faces, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...camera import pose_vectors
from ...checkpoints.store import load_details_file, load_encoder, save_model
from ...errors import UsageError
from ...heads import Alignment
from ...heads.detailed import AlignedFeatures
from ...images.tensors import GREY
from ...metrics.image import psnr_db
from ...models.detail_config import DetailConfig
from ...models.discriminator_config import DiscriminatorConfig, small_discriminator
from ...models.encoder import GlobalEncoder
from ...models.families import OfPlanes
from ...models.local_branch import LocalBranch
from ..data.face_photos import FacePhotos
from ..data.head_source import HeadSource, head_sources
from ..data.held_out_views import save_comparison
from ..data.own_samples import OwnSettings
from ..data.paint import Paint
from ..data.photo_augment import random_background
from ..data.view_pairs import ViewPairs, head_pairs, maps_of, painted_view, portrait_pairs
from ..engine.adversarial import AdversarialTraining, Adversary
from ..engine.devices import moved
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..losses.local import (
    PatchSampling,
    QueryHeads,
    local_losses,
    middle_pictures,
    portrait_likeness,
    query_heads,
    true_middles,
)
from .starts import described_start, frozen_generator_of_planes, network_to_train, take_over


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the stage.

    Args:
        heads_per_step: Heads in a step.
        portraits_per_step: Unlabelled portraits in a step, where there are any.
        same_view: Fraction of the steps whose query view is the photo's own.
        twins: Fraction of the steps whose query view is the twin's, where the data set has twins.
        single_alignment: Fraction of the steps with features aligned in 3D alone, and as many in 2D alone.
        patch: Rays and samples of a step.
        adversarial_from: Place in the schedule, in [0, 1], from which a discriminator takes part; 1 for none.
        adversarial: Settings of the discriminator.
    """

    heads_per_step: int = 3
    portraits_per_step: int = 2
    same_view: float = 0.3
    twins: float = 0.4
    single_alignment: float = 0.15
    patch: PatchSampling = PatchSampling()
    adversarial_from: float = 0.6
    adversarial: AdversarialTraining = AdversarialTraining(learning_rate=1e-3, r1_gamma=1.0)


LOSS_WEIGHTS = {
    "color": 1.0,
    "edges": 0.5,  # else lashes and lips stay soft: an edge a pixel away costs little
    "rays": 0.5,
    "alpha": 0.2,
    "aligned": 0.5,
    "portrait": 1.0,
    "portrait_rays": 0.5,
    "portrait_edges": 0.5,
    "likeness": 0.01,
    "adversarial": 0.01,
    "d_real": 0.0,  # these are the discriminator's own, and only logged
    "d_fake": 0.0,
    "d_r1": 0.0,
}


def detail_config(generator: OfPlanes) -> DetailConfig:
    """The local branch that is trained for a generator by default."""
    config = generator.config
    # where rays are as many as pixels, networks on half as many cost a quarter, and see as far as those of mini
    every_pixel = config.enlargement == 1
    return DetailConfig(
        config.name,
        config.decoder_hidden,
        config.neural_resolution,
        enlargement=2 if every_pixel else config.enlargement,
        finer=2 if every_pixel else 1,
        radius=config.orbit.radius,
    )


def as_started(known: LocalBranch, config: DetailConfig) -> LocalBranch:
    """A local branch that looks at photos as one of another generator does, and has to learn what its own generator
    makes of it.

    Args:
        known: A local branch that was trained, for any generator.
        config: The one to make, of the same widths.

    Raises:
        UsageError: They are of other widths.
    """
    branch, seen = LocalBranch(config), known.state_dict()
    if known.config.finer == 1 and config.finer > 1:
        for part in ("encoder.body.head.weight", "encoder.body.head.bias"):
            seen[part] = seen[part].repeat_interleave(config.finer**2, dim=0)
    take_over(branch, seen, but=_TO_DECODER, kind="local branch")
    return branch


_TO_DECODER = ("film.2.",)
"""The layer that speaks to a generator's decoder; of a new branch it is zero, and changes nothing."""


class LocalStage:
    """The local branch's stage; its best weights by PSNR of the photo's and another view of held-out heads ship beside
    generator and encoder.

    Args:
        run: The run.
        data: Data set to train on, at the generator's final resolution, or how the generator's own samples are drawn.
        validation: Data set to measure on, of another seed; None with own samples, whose measure is own samples too.
        model: The generator, by name or file.
        encoder: Its encoder; None for the one that lies beside it.
        photos: Folder of unlabelled portraits, or None; every fourth is left for testing.
        start: A local branch to go on from, for this or, see :func:`as_started`, another generator; None for random
            weights.
        settings: Settings of the stage.
        config: The local branch; by default :func:`detail_config`.
        discriminator: The discriminator; by default :func:`.small_discriminator`.

    Raises:
        CheckpointError: No such model, or it has no encoder.
        UsageError: The heads are not at the generator's final resolution, no photo has a face, or ``start`` is another
            local branch.
    """

    name = "local"
    usual = Usual(learning_rate=1e-3, look_every=8.0, log_every=25)
    best_by = "heldout_psnr_db"
    allows_bfloat16 = True
    loss_weights: Mapping[str, float] = LOSS_WEIGHTS

    def __init__(
        self,
        run: Run,
        *,
        data: Path | OwnSettings,
        validation: Path | None = None,
        model: str = "mini",
        encoder: Path | None = None,
        photos: Path | None = None,
        start: Path | None = None,
        settings: LocalSettings | None = None,
        config: DetailConfig | None = None,
        discriminator: DiscriminatorConfig | None = None,
    ) -> None:
        self.run, self.settings = run, settings or LocalSettings()
        self._generator, self._info = frozen_generator_of_planes(model, run.device, with_heads=isinstance(data, Path))
        self._encoder, self._encoder_info = load_encoder(model, run.device, file=encoder)
        self._data, self._validation = head_sources(data, validation, self._generator, seed=run.seed, twins=True)
        self._start = start
        self._data.check_enough(self.settings.heads_per_step)
        side = self._generator.config.resolution
        for heads, folder in ((self._data, data), (self._validation, validation)):
            if heads.resolution != side:
                raise UsageError(f"the heads in {folder} are at {heads.resolution} px", f"render them at {side} px")
        patch = self.settings.patch
        patch = replace(patch, side=min(patch.side, self._generator.config.neural_resolution))
        self._patch = patch
        self.config = config or detail_config(self._generator)
        branch = network_to_train(self.config, LocalBranch, start, self._started, seed=run.seed).to(run.device)
        self.model: LocalBranch = branch.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: MovingAverage[LocalBranch] = MovingAverage(self.model, run.average_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=run.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self._adversary = Adversary(
            discriminator or small_discriminator(self._generator.config.enlargement * patch.side),
            self.settings.adversarial,
            seed=run.seed,
            device=run.device,
        )
        self.beside: Mapping[str, Stateful] = {"adversary": self._adversary}
        self._portraits = None if photos is None else FacePhotos(photos, self._data.resolution)

    def _started(self, path: Path) -> LocalBranch:
        known = load_details_file(path)[0]
        return known if known.config == self.config else as_started(known, self.config)

    def describe(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "network": {"details": asdict(self.config), "discriminator": asdict(self._adversary.config)},
            "base": {"generator": self._info.sha256, "encoder": self._encoder_info.sha256},
            "start": described_start(self._start),
            "data": {
                "training": self._data.describe(),
                "validation": self._validation.describe(),
                "portraits": None if self._portraits is None else self._portraits.describe(),
            },
        }

    def batch(self, step: int) -> tuple[ViewPairs, ViewPairs | None]:
        self._data.at_step(step)
        rng, settings = np.random.default_rng([self.run.seed, step, rank(), 1]), self.settings
        same_view = bool(rng.random() < settings.same_view)
        faces = None
        if self._portraits is not None:
            faces = portrait_pairs(self._portraits, rng, settings.portraits_per_step, same_view=step % 2 == 0)
        twins = bool(self._data.has_twins and rng.random() < settings.twins)
        return head_pairs(self._data, rng, settings.heads_per_step, same_view=same_view, twins=twins), faces

    def losses(self, batch: tuple[ViewPairs, ViewPairs | None], step: int, place: float) -> dict[str, Tensor]:
        pairs, faces = batch
        patch = self._patch
        rng = np.random.default_rng([seed_of_step(self.run.seed, step), 2])
        alignment = alignment_of_step(self.run.seed, step, self.settings.single_alignment)
        shown: list[tuple[ViewPairs, QueryHeads, AlignedFeatures]] = []
        for views in (pairs, faces):
            if views is not None:
                heads = query_heads(self._encoder, self._generator, self.model, views, alignment)
                shown.append((views, heads, heads.head.features(heads.query)))
        terms = local_losses(*shown[0], patch, rng)
        if faces is not None and faces.mask.any():
            own = local_losses(*shown[1], patch, rng)
            terms |= {"portrait": own["color"], "portrait_rays": own["rays"], "portrait_edges": own["edges"]}
        elif faces is not None:
            terms["likeness"] = portrait_likeness(*shown[1], patch, rng)
        if place >= self.settings.adversarial_from:
            made = [middle_pictures(heads, aligned, patch, rng) for _, heads, aligned in shown]
            real = [true_middles(views, heads, patch, own_view=views is faces) for views, heads, _ in shown]
            fake, fake_label = (torch.cat(parts) for parts in zip(*made, strict=True))
            true, true_label = (torch.cat(parts) for parts in zip(*real, strict=True))
            terms |= self._adversary.discriminator_step(true, true_label, fake, fake_label)
            terms["adversarial"] = self._adversary.generator_loss(fake, fake_label)
        return terms

    def metrics(self, sheet: Path) -> dict[str, float]:
        return validate(self.average.module, self._encoder, self._generator, self._validation, sheet)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        made_for = {"generator_sha256": self._info.sha256, "encoder_sha256": self._encoder_info.sha256}
        save_model(path, self.average.module, self.config, extra={"training": training, "run": record, **made_for})


def alignment_of_step(seed: int, step: int, single: float) -> Alignment:
    """Alignment of features in a step: mostly both; now and then one alone, so that each is of use where the other has
    nothing.

    It is the same in all processes: each alignment leaves another part of the branch without a gradient, and with one
    drawn by each process, parts would learn from a fraction of the processes only.

    Args:
        seed: Seed of the run.
        step: Number of steps before.
        single: Fraction of the steps in 3D alone, and of those in 2D alone.
    """
    draw = np.random.default_rng([seed, step, 3]).random()
    if draw < single:
        return "3d"
    return "2d" if draw < 2.0 * single else "hybrid"


@torch.no_grad()
def validate(
    branch: LocalBranch,
    encoder: GlobalEncoder,
    generator: OfPlanes,
    heads: HeadSource,
    sheet: Path,
    count: int = 24,
) -> dict[str, float]:
    """Metrics on held-out heads, and a sheet of truths above results with details.

    Args:
        branch: The network that is measured.
        encoder: The encoder that makes the heads of the photos.
        generator: Their generator.
        heads: The held-out heads.
        sheet: File of the sheet.
        count: Most heads to measure on.

    Returns:
        PSNR over true head pixels in the photo's view and another, without details (``e0_input_db``, ``e0_novel_db``)
        and with them (``hybrid_input_db``, ``hybrid_novel_db``); ``heldout_psnr_db``: mean of the last two.
    """
    rng = np.random.default_rng(0)
    device = generator.w_avg.device
    totals: dict[str, list[float]] = {}
    truths: list[Tensor] = []
    results: list[Tensor] = []
    for head in range(min(count, len(heads))):
        views = [painted_view(heads, head, view, _NO_PAINT) for view in (0, 1)]
        photo = views[0][0] * views[0][1] + random_background(rng, heads.resolution) * (1.0 - views[0][1])
        poses = np.stack([cam2world for _, _, cam2world in views])
        vectors = pose_vectors(torch.from_numpy(poses), heads.orbit)
        for name, view in (("input", 0), ("novel", 1)):
            truth = maps_of([views[view][0] * views[view][1]])
            mask = maps_of([views[view][1]]) > 0.5
            moves = vectors[view : view + 1] - vectors[:1]
            person = maps_of([views[0][1]])
            known = mask.float()
            pairs = moved(ViewPairs(maps_of([photo]), person, moves, truth, known, known, 1.0 - known), device)
            shown = query_heads(encoder, generator, branch, pairs)
            detailed = shown.head.with_details(shown.query)
            for kind, render in (("e0", shown.query), ("hybrid", detailed)):
                over_grey = render.over_grey().cpu()
                true_over_grey = truth + GREY * (1.0 - maps_of([views[view][1]]))
                totals.setdefault(f"{kind}_{name}_db", []).append(
                    psnr_db(over_grey, true_over_grey, mask.float()).item()
                )
            if len(truths) < 24:
                truths.append(truth[0].permute(1, 2, 0))
                results.append(detailed.color[0].permute(1, 2, 0).cpu())
    save_comparison(sheet, truths, results, columns=8)
    means = {name: float(np.mean(values)) for name, values in totals.items()}
    return means | {"heldout_psnr_db": 0.5 * (means["hybrid_input_db"] + means["hybrid_novel_db"])}


_NO_PAINT = Paint(
    np.zeros((1, 3), np.float32), np.zeros(1, np.float32), np.zeros((1, 3), np.float32), np.ones(3, np.float32)
)
