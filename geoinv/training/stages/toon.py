"""Training of a toon: a copy of a generator that shows each code as a cartoon of what the generator shows of it.

Shapes need no training: the generator's heads stand on a mesh, which is moved into other proportions. Colours are
taught by cartoons of the generator's own heads (:mod:`..data.toon_rays`), so nothing is needed beside it. Only what
paints learns; what a code says stays as it is, and so the encoder and the edits of the generator serve the toon too.
The file holds only what has changed.
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
from ...models.anchored_generator import AnchoredGenerator
from ...models.config import GeneratorConfig
from ...models.latent_space import measure_latent_space
from ...shape import Proportions
from ..data.held_out_views import save_comparison
from ..data.toon_colors import ToonColors
from ..data.toon_rays import ToonViews, random_views, toon_rays
from ..engine.devices import moved
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..losses.rays import SampleCounts, guided_distances, ray_losses
from .starts import frozen_generator_of_planes

_STYLES = ".blended.maps"  # of hair, a map each: six times as many numbers as all else that paints
AVERAGE_DECAY = 0.99
"""Of the moving average of the weights: in a run of some hundred steps, the usual average would forget too few."""

TOON = Proportions(eyes=(1.6, 1.8, 1.75), nose=0.65, jaw=0.8, neck=0.7, skull=1.12)
"""Proportions of toons."""


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

    proportions: Proportions = TOON
    heads_per_step: int = 1
    views_per_head: int = 2
    rays_per_view: int = 800
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
        UsageError: The generator is not on the head mesh, or its cameras are not those of heads.
    """

    name = "toon"
    usual = Usual(learning_rate=2e-3, look_every=5.0, log_every=25)
    best_by = "heldout_psnr_db"
    allows_bfloat16 = True
    loss_weights: Mapping[str, float] = LOSS_WEIGHTS
    beside: Mapping[str, Stateful] = {}

    def __init__(self, run: Run, *, model: str = "mini", settings: ToonSettings | None = None) -> None:
        self.run, self.settings = replace(run, average_decay=AVERAGE_DECAY), settings or ToonSettings()
        generator, self._info = frozen_generator_of_planes(model, run.device)
        if not isinstance(generator, AnchoredGenerator):
            raise UsageError(
                f"model {self._info.name} is not on the head mesh, so nothing tells where the eyes of its heads are",
                "toons are made of generators that `geoinv train generator --anchored` makes",
            )
        self._base = generator
        self.config = replace(generator.config, name="toon", proportions=self.settings.proportions)
        self._generator = _with_config(generator, self.config)
        self.model = _with_config(copy.deepcopy(generator), self.config)
        self._colors = ToonColors(self._generator)
        learns = {name: value for name, value in painting_parameters(self.model).items() if not name.endswith(_STYLES)}
        for parameter in learns.values():
            parameter.requires_grad_(True)
        self._changed = tuple(learns)
        self.average: MovingAverage[AnchoredGenerator] = MovingAverage(self.model, AVERAGE_DECAY)
        self.optimizer = torch.optim.Adam(list(learns.values()), lr=run.learning_rate, betas=(0.9, 0.99))
        self._space = measure_latent_space(generator, seed=run.seed)

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
        heads = batch.heads(self._generator, w_plus)
        wanted = toon_rays(self._generator, self._colors, w_plus, heads, batch)
        rays = wanted.rays
        distances = guided_distances(
            rays.origins,
            rays.directions,
            rays.distance,
            self.config.render.box_side,
            self.settings.samples,
            random,
        )
        painted = self.model.painted(w_plus, heads.rays.volumes, heads.codes)
        shown = self.model.march(painted, rays.origins, rays.directions, distances)
        features = (shown.features[..., 3:] - wanted.features).square().mean()
        return ray_losses(shown, rays, distances) | {"features": features}

    @torch.no_grad()
    def metrics(self, sheet: Path) -> dict[str, float]:
        """``heldout_psnr_db`` without light over rays that meet a toon, ``untrained_psnr_db`` of the generator in the
        toon's proportions; heads above their toons as a sheet, some with closed eyes or open mouths."""
        toon = self.average.module
        drawn = self._views(np.random.default_rng([self.run.seed, 1 << 32]), self.settings.held_out)
        views = moved(drawn, self._generator.w_avg.device)
        w_plus = views.w_plus(self._generator, self._space)
        heads = views.heads(self._generator, w_plus)
        rays = toon_rays(self._generator, self._colors, w_plus, heads, views).rays
        mask = (rays.alpha > 0.5).float()[:, None]  # [H, 1, N], a picture of one row
        means = {}
        for name, generator in (("heldout_psnr_db", toon), ("untrained_psnr_db", self._generator)):
            painted = generator.painted(w_plus, heads.rays.volumes, heads.codes)
            seen = generator.render_rays(painted, rays.origins, rays.directions)
            shown, wanted = (part.transpose(1, 2)[:, :, None] for part in (seen.features[..., :3], rays.color))
            means[name] = psnr_db(shown, wanted, mask[:, :, None]).mean().item()
        self._save_sheet(sheet, toon, views, w_plus)
        return means

    def _save_sheet(self, sheet: Path, toon: AnchoredGenerator, views: ToonViews, w_plus: Tensor) -> None:
        pictures: tuple[list[Tensor], list[Tensor]] = ([], [])
        for generator, shown in zip((self._base, toon), pictures, strict=True):
            heads = views.heads(generator, w_plus)
            turned = torch.zeros(len(w_plus), 6)
            turned[1::2, 0] = 0.5
            camera = generator.camera(CameraPose.from_vector(turned)).to(w_plus.device)
            view = generator.render(heads, camera)
            shown.extend((view.color + GREY * (1.0 - view.alpha)).permute(0, 2, 3, 1).cpu())
        save_comparison(sheet, *pictures)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        extra = {"training": training, "run": record}
        state = self.average.module.state_dict()
        changes = {name: state[name] for name in self._changed}
        save_changes(path, changes, self.config, base=BaseModel(self._info.name, self._info.sha256), extra=extra)


def _with_config(generator: AnchoredGenerator, config: GeneratorConfig) -> AnchoredGenerator:
    """The same generator, its weights included, with another configuration."""
    other = copy.copy(generator)
    other.config = config
    return other
