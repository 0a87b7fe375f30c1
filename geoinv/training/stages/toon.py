"""Training of a toon: a copy of a generator that shows each code as a cartoon of what the generator shows of it.

The cartoons are made of the generator's own heads (:mod:`..data.toon_rays`), so nothing is needed beside it. Only what
paints learns, and how far planes are moved for all heads alike; what a code says stays as it is, and so the encoder and
the edits of the generator serve the toon too. The file holds only what has changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...camera import CameraPose
from ...checkpoints.model_format import BaseModel, save_changes
from ...errors import UsageError
from ...heads.tuned import painting_parameters
from ...images.tensors import GREY
from ...metrics.image import psnr_db
from ...models.generator import TriPlaneGenerator
from ...models.latent_space import measure_latent_space, random_w_plus
from ..data.held_out_views import save_comparison
from ..data.toon_rays import ToonViews, average_landmarks, random_views, toon_rays
from ..data.toon_shape import ToonProportions, ToonShape
from ..engine.devices import moved
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..losses.rays import SampleCounts, guided_distances, ray_losses
from .starts import frozen_generator

AVERAGE_DECAY = 0.99
"""Of the moving average of the weights: in a run of some hundred steps, the usual average would forget too few."""


@dataclass(frozen=True)
class ToonSettings:
    """Settings of the stage.

    Args:
        proportions: How much larger parts of a toon are.
        heads_per_step: Heads in a step.
        views_per_head: Views of each head.
        rays_per_view: Rays in each view.
        samples: Samples on each ray.
        held_out: Heads to measure on.
    """

    proportions: ToonProportions = ToonProportions()
    heads_per_step: int = 2
    views_per_head: int = 2
    rays_per_view: int = 400
    samples: SampleCounts = SampleCounts()
    held_out: int = 8


LOSS_WEIGHTS = {"color": 1.0, "features": 0.2, "alpha": 0.5, "surface": 0.2}


class ToonStage:
    """The toon's stage; its best weights by PSNR on heads that no step drew.

    Args:
        run: The run.
        model: The generator, by name or file.
        settings: Settings of the stage.

    Raises:
        CheckpointError: No such model.
        UsageError: The generator has no warp, so that nobody knows where the eyes of its heads are; or its cameras are
            not those of heads.
    """

    name = "toon"
    usual = Usual(learning_rate=2e-3, look_every=5.0, log_every=25)
    best_by = "heldout_psnr_db"
    allows_bfloat16 = True
    loss_weights: Mapping[str, float] = LOSS_WEIGHTS
    beside: Mapping[str, Stateful] = {}

    def __init__(self, run: Run, *, model: str = "mini", settings: ToonSettings | None = None) -> None:
        self.run, self.settings = replace(run, average_decay=AVERAGE_DECAY), settings or ToonSettings()
        self._generator, self._info = frozen_generator(model, run.device)
        if not self._generator.config.knows_places:
            raise UsageError(
                f"model {self._info.name} does not know where the eyes of its heads are",
                "toons are made of generators with a warp of their planes, as mini is",
            )
        self.config = replace(self._generator.config, name="toon")
        self.model: TriPlaneGenerator = copy.deepcopy(self._generator)
        move_for_all(self.model, self.settings.proportions)
        learns = {**painting_parameters(self.model), "backbone.synthesis.warp.mean": self.model.warp.mean}
        for parameter in learns.values():
            parameter.requires_grad_(True)
        self._changed = tuple(learns)
        self.average: MovingAverage[TriPlaneGenerator] = MovingAverage(self.model, AVERAGE_DECAY)
        self.optimizer = torch.optim.Adam(list(learns.values()), lr=run.learning_rate, betas=(0.9, 0.99))
        self._space = measure_latent_space(self._generator, seed=run.seed)

    def describe(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "network": self.config.to_dict(),
            "base": {"generator": self._info.sha256},
        }

    def batch(self, step: int) -> ToonViews:
        return self._views(np.random.default_rng([self.run.seed, step, rank()]), self.settings.heads_per_step)

    def _views(self, rng: np.random.Generator, heads: int) -> ToonViews:
        settings = self.settings
        return random_views(
            self._generator, rng, heads=heads, views=settings.views_per_head, rays_per_view=settings.rays_per_view
        )

    def losses(self, batch: ToonViews, step: int, place: float) -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(seed_of_step(self.run.seed, step))
        w_plus = batch.w_plus(self._generator, self._space)
        wanted = toon_rays(self._generator, w_plus, batch, self.settings.proportions)
        rays = wanted.rays
        distances = guided_distances(
            rays.origins,
            rays.directions,
            rays.distance,
            self.config.render.box_side,
            self.settings.samples,
            random,
        )
        shown = self.model.march(self.model.planes(w_plus), rays.origins, rays.directions, distances)
        features = (shown.features[..., 3:] - wanted.features).square().mean()
        return ray_losses(shown, rays, distances) | {"features": features}

    @torch.no_grad()
    def metrics(self, sheet: Path) -> dict[str, float]:
        """``heldout_psnr_db`` over rays that meet a toon, ``untrained_psnr_db`` of the generator itself; heads above
        their toons as a sheet."""
        toon = self.average.module
        drawn = self._views(np.random.default_rng([self.run.seed, 1 << 32]), self.settings.held_out)
        views = moved(drawn, self._generator.w_avg.device)
        w_plus = views.w_plus(self._generator, self._space)
        rays = toon_rays(self._generator, w_plus, views, self.settings.proportions).rays
        mask = (rays.alpha > 0.5).float()[:, None]  # [H, 1, N], a picture of one row
        means = {}
        for name, generator in (("heldout_psnr_db", toon), ("untrained_psnr_db", self._generator)):
            seen = generator.render_rays(generator.planes(w_plus), rays.origins, rays.directions)
            shown, wanted = (part.transpose(1, 2)[:, :, None] for part in (seen.features[..., :3], rays.color))
            means[name] = psnr_db(shown, wanted, mask[:, :, None]).mean().item()
        self._save_sheet(sheet, toon)
        return means

    def _save_sheet(self, sheet: Path, toon: TriPlaneGenerator) -> None:
        codes = random_w_plus(self._generator, self.settings.held_out, seed=self.run.seed + 1)
        pictures: tuple[list[Tensor], list[Tensor]] = ([], [])
        for number, w_plus in enumerate(codes.split(1)):
            camera = self._generator.camera(CameraPose.from_angles(0.5 * (number % 2)))
            for generator, shown in zip((self._generator, toon), pictures, strict=True):
                view = generator.render(generator.planes(w_plus), camera.to(w_plus.device), w_plus=w_plus)
                shown.append((view.color + GREY * (1.0 - view.alpha))[0].permute(1, 2, 0).cpu())
        save_comparison(sheet, *pictures)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        extra = {"training": training, "run": record}
        state = self.average.module.state_dict()
        changes = {name: state[name] for name in self._changed}
        save_changes(path, changes, self.config, base=BaseModel(self._info.name, self._info.sha256), extra=extra)


def move_for_all(generator: TriPlaneGenerator, proportions: ToonProportions) -> None:
    """Move what the planes that face the viewer and hold the profile show of all heads, as the toon of the average head
    is moved, for a start."""
    warp = generator.warp
    half, side = 0.5 * generator.config.render.box_side, warp.mean.shape[-1]
    marks = average_landmarks().to(warp.mean.device)
    shape = ToonShape(generator, generator.w_avg.expand(1, generator.config.num_ws, -1), marks, proportions)
    ticks = ((2.0 * torch.arange(side, device=warp.mean.device) + 1.0) / side - 1.0) * half
    rows, columns = (part.flatten() for part in torch.meshgrid(ticks, ticks, indexing="ij"))
    eyes_depth, middle = torch.full_like(rows, marks[36:48, 2].mean().item()), torch.zeros_like(rows)
    facing = torch.stack([columns, rows, eyes_depth], dim=-1)[None]
    profile = torch.stack([middle, rows, columns], dim=-1)[None]
    flow = torch.zeros(3, 2, side, side, device=warp.mean.device)
    for plane, axes, points in ((0, [0, 1], facing), (2, [2, 1], profile)):
        way = (shape.on_head(points) - points)[0, :, axes] / half
        flow[plane] = way.T.reshape(2, side, side)
    warp.add_to_mean(flow)
