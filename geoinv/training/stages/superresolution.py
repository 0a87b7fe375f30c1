"""Training of mini's super-resolution: the rest of the generator is frozen, truth are renders at twice the ray grid.

Patches of the ray grid are rendered as when used, so the module learns to undo what the renderer leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...camera import rays_through
from ...checkpoints.store import load_generator, save_model
from ...errors import UsageError
from ...models.generator import TriPlaneGenerator
from ...models.superresolution import ResidualSuperresolution
from ..data.head_shards import HeadShards
from ..engine.loop import Schedule, StepBudget, Tell, TrainingLoop
from ..engine.moving_average import MovingAverage
from ..engine.run_folder import RunFolder
from ..sheets import save_comparison


@dataclass(frozen=True)
class SuperresolutionTraining:
    """Settings of a run; ``data`` holds heads at the generator's final resolution."""

    data: Path
    out: Path
    minutes: float
    generator: str = "mini"
    patches_per_step: int = 8
    patch: int = 32  # rays along a side
    learning_rate: float = 1e-3
    average_decay: float = 0.998
    validate_every_minutes: float = 2.0
    seed: int = 0
    counted: StepBudget | None = None  # in place of the minutes


_MOST_HELD_OUT = 12  # their planes are in memory together


@torch.no_grad()
def _patches(
    generator: TriPlaneGenerator,
    data: HeadShards,
    heads: np.ndarray,
    config: SuperresolutionTraining,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Features [P, F, S, S], alpha [P, 1, S, S] of ray patches, and truth [P, 4, 2S, 2S] premultiplied."""
    grid, side = generator.config.neural_resolution, config.patch
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
    planes = generator.planes(generator.mapping(torch.from_numpy(np.stack(zs))))
    origins, directions = rays_through(
        torch.from_numpy(np.stack(cameras)), torch.from_numpy(np.stack(pixels).astype(np.float32))
    )
    output = generator.render_rays(planes, origins, directions)
    features = output.features.transpose(1, 2).unflatten(2, (side, side))
    return features, output.alpha.unflatten(1, (side, side))[:, None], torch.from_numpy(np.stack(truths))


def train_superresolution(config: SuperresolutionTraining, on_progress: Tell | None = None) -> Path:
    """Train until ``config.minutes`` of training (over all resumed runs) are used up.

    The last twentieth of the heads, but no more than a dozen, is held out.

    Returns:
        The whole generator with the best module by the gain on held-out heads, a safetensors file.

    Raises:
        UsageError: The data are not at the generator's final resolution, or it has another kind of module.
    """
    torch.manual_seed(config.seed)
    generator, info = load_generator(config.generator)
    module, data = generator.superresolution, HeadShards(config.data)
    if not isinstance(module, ResidualSuperresolution):
        raise UsageError(f"model {info.name!r} has no super-resolution of its own to train")
    if data.resolution != generator.config.resolution:
        raise UsageError(f"the heads are at {data.resolution} px", f"render them at {generator.config.resolution} px")
    averaged: MovingAverage[ResidualSuperresolution] = MovingAverage(module, config.average_decay)
    generator.superresolution = averaged.module  # what is measured, and what ships
    module.train().requires_grad_(True)
    optimizer = torch.optim.Adam(module.parameters(), lr=config.learning_rate)
    schedule = Schedule(
        config.minutes,
        config.learning_rate,
        config.validate_every_minutes,
        log_every_steps=50,
        best_by="gain_db",
        counted=config.counted,
    )
    loop = TrainingLoop(RunFolder(config.out), schedule, module, averaged, optimizer, on_progress, base=info.sha256)
    trained_on = len(data) - min(max(1, len(data) // 20), _MOST_HELD_OUT)

    def losses(progress: float) -> dict[str, Tensor]:
        rng = np.random.default_rng([config.seed, loop.step])
        heads = rng.choice(trained_on, config.patches_per_step, replace=False)
        features, alpha, truth = _patches(generator, data, heads, config, rng)
        color, final_alpha = module(features, alpha)
        return {"picture": (torch.cat([color, final_alpha], dim=1) - truth).square().mean()}

    def figures(sheet: Path) -> dict[str, float]:
        return {"gain_db": _gain_db(generator, data, np.arange(trained_on, len(data)), config, sheet)}

    def save_best(path: Path, training: dict[str, float]) -> None:
        extra = info.extra | {"superresolution": training | {"base_sha256": info.sha256}}
        save_model(path, generator, generator.config, extra=extra)

    return loop.train(losses, {"picture": 1.0}, figures, save_best)


@torch.no_grad()
def _gain_db(
    generator: TriPlaneGenerator, data: HeadShards, heads: np.ndarray, config: SuperresolutionTraining, sheet: Path
) -> float:
    """PSNR over that of bilinear enlargement on held-out patches; a sheet of truth and result."""
    rng = np.random.default_rng(1)
    features, alpha, truth = _patches(generator, data, heads, config, rng)
    color, _ = generator.superresolution(features, alpha)  # type: ignore[misc]
    bilinear = torch.nn.functional.interpolate(features[:, :3], scale_factor=2, mode="bilinear", align_corners=False)
    errors = [(picture - truth[:, :3]).square().mean().item() for picture in (bilinear, color)]
    save_comparison(sheet, list(truth[:, :3].permute(0, 2, 3, 1)), list(color.permute(0, 2, 3, 1)))
    return 10.0 * math.log10(errors[0] / errors[1])
