"""Training of an anchored generator by regression to the renders of synthetic heads.

Shape, light and look are functions of z: mapping and what reads w learn them first (:mod:`.known_heads`), and are kept.
Then planes are painted: each head stands on its true mesh under its true light, and albedo, colour, alpha, distance and
normal of its rays are compared directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...camera import Camera, pixel_centres
from ...checkpoints.store import load_anchored_generator, save_model
from ...conventions import MM_PER_UNIT
from ...images.tensors import GREY
from ...models.anchored_generator import AnchoredGenerator
from ...models.config import GeneratorConfig
from ...ops.view_rays import light_rays
from ...shape import HeadCodes
from ..data.head_shards import HeadShards, RayBatch
from ..data.held_out_views import psnr_over, save_comparison, true_view
from ..engine.loop import Report
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..engine.run_folder import RunFolder
from ..losses.lit_rays import lit_ray_losses
from ..losses.rays import SampleCounts, guided_distances, ray_losses
from .generator import continuous_entries, scored, set_mean_w
from .known_heads import KnownHeads, fit_known_heads
from .starts import described_start, network_to_train, seeded


@dataclass(frozen=True)
class AnchoredSettings:
    """Settings of the stage.

    Args:
        known_heads: Heads without pictures, from which the mapping, shape, light and look are learned.
        known_steps: Steps of learning these before; from random weights only.
        heads_per_step: Heads in a step.
        views_per_head: Views of each head.
        rays_per_view: Rays in each view.
        samples: Samples on each ray.
        latent_jitter: Standard deviation of noise on the continuous entries of z, against learning heads by heart.
    """

    known_heads: int = 40_000
    known_steps: int = 16_000
    heads_per_step: int = 8
    views_per_head: int = 3
    rays_per_view: int = 400
    samples: SampleCounts = SampleCounts(even=6, surface=10)
    latent_jitter: float = 0.15


LOSS_WEIGHTS = {
    "color": 1.0,
    "albedo": 1.0,
    "alpha": 0.5,
    "surface": 0.2,
    "normal": 0.02,
}


class AnchoredStage:
    """The stage of an anchored generator; its best weights by PSNR and expressions on held-out heads from all around.

    Args:
        run: The run.
        config: The generator.
        data: Data set to train on, with albedo, light and shape codes.
        validation: Data set to measure on, of another seed.
        start: Weights to go on from; None for random ones, whose shape and light are learned first.
        settings: Settings of the stage.
        known: Heads to learn shape, light and look from; None for those of the sampler.
        report: Called with the result of learning these.

    Raises:
        UsageError: No heads in a data set, heads without albedo, or ``start`` is another generator.
    """

    name = "generator"
    usual = Usual(learning_rate=2e-3, look_every=30.0, log_every=50)
    best_by = "score"
    allows_bfloat16 = True
    loss_weights: Mapping[str, float] = LOSS_WEIGHTS
    beside: Mapping[str, Stateful] = {}

    def __init__(
        self,
        run: Run,
        config: GeneratorConfig,
        *,
        data: Path,
        validation: Path,
        start: Path | None = None,
        settings: AnchoredSettings | None = None,
        known: KnownHeads | None = None,
        report: Report | None = None,
    ) -> None:
        self.run, self.config, self.settings = run, config, settings or AnchoredSettings()
        self._data, self._validation, self._start = HeadShards(data), HeadShards(validation), start
        self._data.check_enough(self.settings.heads_per_step)
        for shards in (self._data, self._validation):
            shards.check_fits(config.z_dim)
            if config.anchor is not None:
                shards.check_on_mesh(config.anchor.head_model)
        generator = network_to_train(
            config, AnchoredGenerator, start, lambda path: load_anchored_generator(str(path))[0], seed=run.seed
        )
        if start is None and not RunFolder(run.out).is_begun:
            known = known or KnownHeads.draw(generator.anchor.model, self.settings.known_heads, run.seed)
            with seeded(run.seed):
                left = fit_known_heads(generator, known, steps=self.settings.known_steps, seed=run.seed)
            if report is not None:
                millimetres = MM_PER_UNIT * left.vertices
                learned = f"vertices {millimetres:.2f} mm, light {left.light:.3f}, look {left.look:.3f} off"
                report(0.0, f"shape, light and look learned: {learned}")
        for part in generator.known_parts():  # they generalise, and would learn the heads with pictures by heart
            part.requires_grad_(False)
        self.model = generator.to(run.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: MovingAverage[AnchoredGenerator] = MovingAverage(self.model, run.average_decay)
        painting = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(painting, lr=run.learning_rate, betas=(0.9, 0.99), fused=True)
        self._is_continuous = continuous_entries(config.mapping).to(run.device)

    def describe(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "network": self.config.to_dict(),
            "start": described_start(self._start),
            "data": {"training": self._data.describe(), "validation": self._validation.describe()},
        }

    def batch(self, step: int) -> RayBatch:
        self._data.at_step(step)
        return self._data.rays(
            np.random.default_rng([self.run.seed, step, rank()]),
            heads=self.settings.heads_per_step,
            views=self.settings.views_per_head,
            rays_per_view=self.settings.rays_per_view,
        )

    def losses(self, batch: RayBatch, step: int, place: float) -> dict[str, Tensor]:
        assert batch.codes is not None
        generator, settings = self.model, self.settings
        random = torch.Generator().manual_seed(seed_of_step(self.run.seed, step))
        jitter = torch.randn(batch.z.shape, generator=random) * settings.latent_jitter
        w_plus = generator.mapping(batch.z + jitter.to(batch.z.device) * self._is_continuous)
        with torch.no_grad():
            vertices = generator.anchor.model.vertices(HeadCodes.from_vector(batch.codes))
        heads = generator.anchored(w_plus, vertices)
        rays = batch.origins, batch.directions
        box_side = self.config.render.box_side
        distances = guided_distances(*rays, batch.distance, box_side, settings.samples, random)
        output = generator.march(heads, *rays, distances)
        terms = {name: value for name, value in ray_losses(output, batch, distances).items() if name != "color"}
        return terms | lit_ray_losses(output.features, batch)

    def metrics(self, sheet: Path) -> dict[str, float]:
        set_mean_w(self.average.module, seed=self.run.seed)
        return validate(self.average.module, self._validation, sheet)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        save_model(path, self.average.module, self.config, extra={"training": training, "run": record})


@torch.no_grad()
def validate(generator: AnchoredGenerator, heads: HeadShards, sheet: Path, count: int = 10) -> dict[str, float]:
    """Metrics on held-out heads from their true z alone, and a sheet of truths above results.

    Args:
        generator: The network that is measured.
        heads: The held-out heads.
        sheet: File of the sheet.
        count: Most heads to measure on; of each a view of the face, and one from all around where there is one.

    Returns:
        ``face_psnr_db`` and ``around_psnr_db``: means over views over the true head, every second pixel;
        ``heldout_psnr_db``: the mean of both. ``expression_share``, where the heads are twins: the fraction of the true
        difference between two faces of a person that is shown. ``score``: see :func:`.scored`.
    """
    device, side = generator.w_avg.device, heads.resolution
    grid = pixel_centres(side, device).reshape(side, side, 2)[::2, ::2]
    views = {"face": 0, "around": heads.num_views - 1} if heads.num_views > heads.face_views else {"face": 0}
    psnr: dict[str, list[float]] = {"face": [], "around": []}
    truths, results, shown, wanted = [], [], 0.0, 0.0
    for index in range(min(count, len(heads))):
        z = torch.from_numpy(np.array(heads.view(index, 0)[3]))
        made = generator.heads(generator.mapping(z[None].to(device)))
        for kind, view in views.items():
            rgba, _, cam2world, _ = heads.view(index, view)
            camera = Camera(torch.from_numpy(np.array(cam2world))[None].to(device), generator.config.orbit.focal)
            origins, directions = camera.rays(grid.reshape(-1, 2))
            output = generator.render_rays(made.rays, origins, directions)
            color = torch.minimum(light_rays(output.features, directions, made.light), output.alpha[..., None])
            result = (color + GREY * (1.0 - output.alpha[..., None])).clamp(0.0, 1.0).reshape(*grid.shape[:2], 3).cpu()
            truth, on_head = true_view(rgba)
            psnr[kind].append(psnr_over(result, truth, on_head))
            truths.append(truth)
            results.append(result)
            if heads.has_twins and index % 2 == 1 and kind == "face":
                true_change, change = truth - truths[-1 - len(views)], result - results[-1 - len(views)]
                shown += (true_change * change).sum().item()
                wanted += true_change.square().sum().item()
    save_comparison(sheet, truths, results)
    found = {f"{kind}_psnr_db": float(np.mean(values)) for kind, values in psnr.items() if values}
    return found | scored(float(np.mean(list(found.values()))), shown, wanted)
