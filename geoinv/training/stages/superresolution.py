"""Training of mini's super-resolution: the rest of the generator is frozen, truth are renders at twice the ray grid.

Patches of the ray grid are rendered as when used, so the module learns to undo what the renderer leaves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...camera import rays_through
from ...checkpoints.store import save_model
from ...errors import UsageError
from ...models.generator import TriPlaneGenerator
from ...models.superresolution import ResidualSuperresolution
from ..data.head_shards import HeadShards
from ..data.held_out_views import save_comparison
from ..engine.devices import moved
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank
from ..engine.run import Run, Stateful, Usual
from .starts import frozen_generator


@dataclass(frozen=True)
class SuperresolutionSettings:
    """Settings of the stage.

    Args:
        patches_per_step: Patches in a step, each of another head.
        patch_side: Rays along each side of a patch.
    """

    patches_per_step: int = 8
    patch_side: int = 32


_MOST_HELD_OUT = 12  # their planes are in memory together


@dataclass(frozen=True)
class GridPatches:
    """Squares of the ray grid of heads, with what they should show.

    Args:
        z: [P, z_dim].
        cam2world: [P, 4, 4].
        pixels: [P, S * S, 2] normalised positions of the rays.
        truth: [P, 4, 2S, 2S] colour, premultiplied, and alpha in [0, 1] at twice the side.
    """

    z: Tensor
    cam2world: Tensor
    pixels: Tensor
    truth: Tensor


def grid_patches(
    data: HeadShards, heads: np.ndarray[Any, Any], *, grid: int, side: int, rng: np.random.Generator
) -> GridPatches:
    """Patches at random places of a random view of each head.

    Args:
        data: Heads at twice the side of the ray grid.
        heads: Their numbers.
        grid: Side of the ray grid.
        side: Rays along each side of a patch.
        rng: Source of places and views.
    """
    zs, cameras, pixels, truths = [], [], [], []
    for head in heads:
        rgba, _, cam2world, z = data.view(int(head), int(rng.integers(data.num_views)))
        top, left = rng.integers(0, grid - side + 1, 2)
        rows, columns = np.meshgrid(np.arange(top, top + side), np.arange(left, left + side), indexing="ij")
        pixels.append((np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / grid)
        straight = np.asarray(rgba[2 * top : 2 * (top + side), 2 * left : 2 * (left + side)], np.float32) / 255.0
        straight[..., :3] *= straight[..., 3:]
        truths.append(straight.transpose(2, 0, 1))
        zs.append(z)
        cameras.append(cam2world)
    return GridPatches(
        z=torch.from_numpy(np.stack(zs)),
        cam2world=torch.from_numpy(np.stack(cameras)),
        pixels=torch.from_numpy(np.stack(pixels).astype(np.float32)),
        truth=torch.from_numpy(np.stack(truths)),
    )


@torch.no_grad()
def rendered_patches(generator: TriPlaneGenerator, patches: GridPatches) -> tuple[Tensor, Tensor]:
    """Features [P, F, S, S] and alpha [P, 1, S, S] of patches, before super-resolution."""
    side = math.isqrt(patches.pixels.shape[1])
    planes = generator.planes(generator.mapping(patches.z))
    origins, directions = rays_through(patches.cam2world, patches.pixels, focal=generator.config.orbit.focal)
    output = generator.render_rays(planes, origins, directions)
    features = output.features.transpose(1, 2).reshape(len(patches.z), -1, side, side)
    return features, output.alpha.reshape(-1, 1, side, side)


class SuperresolutionStage:
    """The stage of the generator's last step; its weights are the whole generator with the best module by the gain on
    held-out heads.

    The last twentieth of the heads, but no more than a dozen, is held out.

    Args:
        run: The run.
        data: Data set at the generator's final resolution.
        model: The generator, by name or file.
        settings: Settings of the stage.

    Raises:
        CheckpointError: No such model.
        UsageError: The data are not at the generator's final resolution, or it has another kind of module.
    """

    name = "superresolution"
    usual = Usual(learning_rate=1e-3, look_every=2.0, log_every=50)
    best_by = "gain_db"
    allows_bfloat16 = False  # the renderer's output is what is to be undone, as it is in use
    loss_weights: Mapping[str, float] = {"picture": 1.0}
    beside: Mapping[str, Stateful] = {}

    def __init__(self, run: Run, *, data: Path, model: str, settings: SuperresolutionSettings | None = None) -> None:
        self.run, self.settings = run, settings or SuperresolutionSettings()
        self._generator, self._info = frozen_generator(model, run.device)
        module, self._data = self._generator.superresolution, HeadShards(data)
        if not isinstance(module, ResidualSuperresolution):
            raise UsageError(f"model {self._info.name!r} has no super-resolution of its own to train")
        self._data.check_fits(self._generator.config.z_dim)
        wanted = self._generator.config.resolution
        if self._data.resolution != wanted:
            raise UsageError(f"the heads are at {self._data.resolution} px", f"render them at {wanted} px")
        self.average: MovingAverage[ResidualSuperresolution] = MovingAverage(module, run.average_decay)
        self._generator.superresolution = self.average.module  # what is measured, and what ships
        self.model = module.train().requires_grad_(True)
        self.optimizer = torch.optim.Adam(module.parameters(), lr=run.learning_rate)
        held_out = min(max(1, len(self._data) // 20), _MOST_HELD_OUT)
        self._data.check_enough(self.settings.patches_per_step + held_out)
        self._trained_on = len(self._data) - held_out

    def describe(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "base": {"generator": self._info.sha256},
            "data": {"training": self._data.describe()},
        }

    def batch(self, step: int) -> GridPatches:
        first = rank()
        rng = np.random.default_rng([self.run.seed, step, *([first] if first else [])])
        heads = rng.choice(self._trained_on, self.settings.patches_per_step, replace=False)
        return self._patches(heads, rng)

    def _patches(self, heads: np.ndarray[Any, Any], rng: np.random.Generator) -> GridPatches:
        grid = self._generator.config.neural_resolution
        return grid_patches(self._data, heads, grid=grid, side=self.settings.patch_side, rng=rng)

    def losses(self, batch: GridPatches, step: int, place: float) -> dict[str, Tensor]:
        color, alpha = self.model(*rendered_patches(self._generator, batch))
        return {"picture": (torch.cat([color, alpha], dim=1) - batch.truth).square().mean()}

    @torch.no_grad()
    def metrics(self, sheet: Path) -> dict[str, float]:
        """PSNR over that of bilinear enlargement on held-out patches, ``gain_db``; a sheet of truth and result."""
        heads = np.arange(self._trained_on, len(self._data))
        patches = moved(self._patches(heads, np.random.default_rng(1)), self.run.device)
        truth = patches.truth[:, :3]
        features, alpha = rendered_patches(self._generator, patches)
        color, _ = self.average.module(features, alpha)
        bilinear = functional.interpolate(features[:, :3], scale_factor=2, mode="bilinear", align_corners=False)
        errors = [(picture - truth).square().mean().item() for picture in (bilinear, color)]
        save_comparison(sheet, list(truth.permute(0, 2, 3, 1)), list(color.permute(0, 2, 3, 1)))
        return {"gain_db": 10.0 * math.log10(errors[0] / errors[1])}

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        own = {**training, "base_sha256": self._info.sha256, "run": record}
        save_model(path, self._generator, self._generator.config, extra={**self._info.extra, "superresolution": own})
