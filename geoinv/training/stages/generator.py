"""Training of the generator by regression to the renders of synthetic heads.

A head is a function of z, so G(z) has a true picture in every view: rays are drawn from views of many heads, and
colour, alpha and distance are compared directly. Samples are placed around the true surface, which spares the empty
space that a GAN has to search.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...checkpoints.store import load_generator, save_model
from ...errors import UsageError
from ...models.config import GeneratorConfig, MappingConfig
from ...models.generator import TriPlaneGenerator
from ...models.precision import allow_bfloat16
from ...ops.render_rays import RayOutput
from ..data.head_shards import HeadShards, RayBatch
from ..data.held_out_views import psnr_over, rendered_view, true_view
from ..engine.background import in_background
from ..engine.loop import Schedule, StepBudget, Tell, TrainingLoop
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run_folder import RunFolder
from ..losses.rays import SampleCounts, guided_distances, ray_losses
from ..sheets import save_comparison
from .warp_fit import fit_warp


@dataclass(frozen=True)
class GeneratorTraining:
    """Settings of a run; the shipped weights were ended with these defaults (README tells of the restarts)."""

    data: Path
    validation: Path
    out: Path
    minutes: float
    start: Path | None = None  # weights to go on from; by default random ones
    keep_codes: bool = False  # train all but the mapping, so that encoder and directions go on fitting
    warp_steps: int = 9000  # of fitting the warp to the data set's flows before, half a minute; from random weights
    heads_per_step: int = 8
    twin_pairs_per_step: int = 2  # among the heads of a step, where the data set has twins
    views_per_head: int = 3
    rays_per_view: int = 400
    samples: SampleCounts = SampleCounts()
    # Noise on the continuous entries of z, against learning heads by heart: after 2450 steps on 5000 heads those were
    # at 21.1 dB and unseen ones at 19.4 dB.
    latent_jitter: float = 0.15
    learning_rate: float = 2e-3
    average_decay: float = 0.998
    validate_every_minutes: float = 6.0
    compile: bool = False
    seed: int = 0
    counted: StepBudget | None = None  # in place of the minutes


def twin_loss(output: RayOutput, batch: RayBatch, pairs: int) -> Tensor:
    """Squared error of the difference between the faces of the first ``pairs`` of twins, seen through the same rays.

    What a person's twins share cancels out, so the few rays that an expression changes are all that is left.
    """
    first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    shown = output.features[first, :, :3] - output.features[second, :, :3]
    return (shown - (batch.color[first] - batch.color[second])).square().mean()


def flow_loss(flow: Tensor, wanted: Tensor) -> Tensor:
    """Squared error of the planes' flow [B, 3, 2, S, S] in percent of the box side."""
    return (50.0 * (flow - wanted)).square().mean()


LOSS_WEIGHTS = {"color": 1.0, "alpha": 0.5, "surface": 0.2, "twin": 2.0, "flow": 0.01}


@allow_bfloat16()
def train_generator(model: GeneratorConfig, config: GeneratorTraining, on_progress: Tell | None = None) -> Path:
    """Train until ``config.minutes`` of training (over all resumed runs) are used up.

    Returns:
        The best weights by PSNR over held-out heads, a safetensors file that ships as it is.
    """
    torch.manual_seed(config.seed)
    data, validation = HeadShards(config.data), HeadShards(config.validation)
    generator = _start(model, config, data, on_progress).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.backbone["mapping"].requires_grad_(not config.keep_codes)
    averaged: MovingAverage[TriPlaneGenerator] = MovingAverage(generator, config.average_decay)
    trained = [parameter for parameter in generator.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    schedule = Schedule(
        config.minutes,
        config.learning_rate,
        config.validate_every_minutes,
        log_every_steps=100,
        best_by="score",
        counted=config.counted,
    )
    loop = TrainingLoop(RunFolder(config.out), schedule, generator, averaged, optimizer, on_progress)
    synthesis = generator.backbone["synthesis"]
    if config.compile:
        synthesis.forward = torch.compile(synthesis.forward)  # type: ignore[method-assign]
    is_continuous = continuous_entries(model.mapping)
    pairs = config.twin_pairs_per_step if data.has_twins else 0
    random = torch.Generator()
    steps = itertools.count(loop.step)

    def next_rays() -> RayBatch:
        step = next(steps)
        if step % 100 == 0:
            data.refresh()
        return data.rays(
            np.random.default_rng([config.seed, step, rank()]),
            heads=config.heads_per_step,
            views=config.views_per_head,
            rays_per_view=config.rays_per_view,
            twin_pairs=pairs,
        )

    batches = in_background(next_rays)

    def losses(progress: float) -> dict[str, Tensor]:
        batch = next(batches)
        random.manual_seed(seed_of_step(config.seed, loop.step))
        jitter = torch.randn(batch.z.shape, generator=random) * config.latent_jitter
        jitter[1 : 2 * pairs : 2] = jitter[0 : 2 * pairs : 2]
        w_plus = generator.mapping(batch.z + jitter * is_continuous)
        planes = generator.planes(w_plus)
        distances = guided_distances(
            batch.origins, batch.directions, batch.distance, model.render.box_side, config.samples, random
        )
        output = generator.march(planes, batch.origins, batch.directions, distances)
        terms = ray_losses(output, batch, distances)
        if pairs:
            terms["twin"] = twin_loss(output, batch, pairs)
        if batch.flow is not None and model.backbone.warp_rank:
            terms["flow"] = flow_loss(synthesis.warp.flow(w_plus), batch.flow)
        return terms

    def figures(sheet: Path) -> dict[str, float]:
        if not config.keep_codes:
            set_mean_w(averaged.module, seed=config.seed)
        return validate(averaged.module, validation, sheet)

    def save_best(path: Path, training: dict[str, float]) -> None:
        save_model(path, averaged.module, model, extra={"training": training})

    with closing(batches):
        return loop.train(losses, LOSS_WEIGHTS, figures, save_best)


def _start(
    model: GeneratorConfig, config: GeneratorTraining, data: HeadShards, on_progress: Tell | None
) -> TriPlaneGenerator:
    if config.start is None:
        generator = TriPlaneGenerator(model)
        if model.backbone.warp_rank and data.has_flows and not RunFolder(config.out).is_begun:
            left = fit_warp(generator, data, steps=config.warp_steps, seed=config.seed)
            if on_progress is not None:
                on_progress(0.0, f"warp fitted to the flows of meshes, {100.0 * left:.1f} % of their variance left")
        return generator
    generator, _ = load_generator(str(config.start))
    if generator.config != model:
        raise UsageError(f"{config.start} is another model than the one to train", "leave out --from to start anew")
    return generator.train().requires_grad_(True)


def continuous_entries(mapping: MappingConfig) -> Tensor:
    """[z_dim], 1 where an entry of z means a quantity, 0 where it decides a choice."""
    continuous = torch.ones(mapping.z_dim)
    for start, stop, _ in mapping.categories:
        continuous[start:stop] = 0.0
    for index, _ in mapping.switches:
        continuous[index] = 0.0
    return continuous


@torch.no_grad()
def set_mean_w(generator: TriPlaneGenerator, seed: int, samples: int = 4096) -> None:
    """Set ``w_avg`` to the mean of w over random z."""
    z = torch.randn(samples, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    generator.w_avg.copy_(generator.mapping(z)[:, 0].mean(dim=0))


@torch.no_grad()
def validate(generator: TriPlaneGenerator, heads: HeadShards, sheet: Path, count: int = 24) -> dict[str, float]:
    """Figures on held-out heads, and a sheet of truths above results.

    ``heldout_psnr_db`` is the mean over views over the true head; ``expression_share``, where the heads are twins, the
    share of the true difference between two faces of a person that is shown: 1 is all of it, 0 nothing (the slope of
    the regression through 0). ``score`` weighs a third of the expressions like one dB: they are too few pixels to count
    in the mean, and a head that cannot smile is of little use.
    """
    psnr, truths, results, shown, wanted = [], [], [], 0.0, 0.0
    for head in range(min(count, len(heads))):
        for view in (0, 1):
            rgba, _, cam2world, z = heads.view(head, view)
            planes = generator.planes(generator.mapping(torch.from_numpy(np.array(z))[None]))
            result = rendered_view(generator, planes, torch.from_numpy(np.array(cam2world)), heads.resolution)
            truth, on_head = true_view(rgba)
            psnr.append(psnr_over(result, truth, on_head))
            truths.append(truth)
            results.append(result)
            if heads.has_twins and head % 2 == 1:
                true_change, change = truth - truths[-3], result - results[-3]
                shown += (true_change * change).sum().item()
                wanted += true_change.square().sum().item()
    save_comparison(sheet, truths[:24], results[:24])
    psnr_db = float(np.mean(psnr))
    if not wanted:
        return {"heldout_psnr_db": psnr_db, "score": psnr_db}
    share = shown / wanted
    return {"heldout_psnr_db": psnr_db, "expression_share": share, "score": psnr_db + 3.0 * share}
