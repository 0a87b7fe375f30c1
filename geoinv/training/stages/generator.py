"""Training of the generator by regression to the renders of synthetic heads.

A head is a function of z, so G(z) has a true picture in every view: rays are drawn from views of many heads, and
colour, alpha and distance are compared directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...checkpoints.store import load_generator, save_model
from ...models.config import GeneratorConfig, MappingConfig
from ...models.generator import TriPlaneGenerator
from ...models.plane_generator import PlaneGenerator
from ..data.head_shards import HeadShards, RayBatch
from ..data.held_out_views import psnr_over, rendered_view, save_comparison, true_view
from ..engine.loop import Report
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run import Run, Stateful, Usual
from ..engine.run_folder import RunFolder
from ..losses.rays import SampleCounts, guided_distances, ray_losses, twin_loss
from .starts import described_start, network_to_train, seeded
from .warp_fit import fit_warp


@dataclass(frozen=True)
class GeneratorSettings:
    """Settings of the stage; the shipped weights were ended with these defaults.

    Args:
        keep_codes: Whether to train all but the mapping, so that encoder and directions go on fitting.
        warp_steps: Steps of fitting the warp to the data set's flows before, half a minute; from random weights only.
        heads_per_step: Heads in a step.
        twin_pairs_per_step: Most pairs of twins among them, where the data set has twins.
        views_per_head: Views of each head.
        rays_per_view: Rays in each view.
        samples: Samples on each ray.
        latent_jitter: Standard deviation of noise on the continuous entries of z, against learning heads by heart:
            after 2450 steps on 5000 heads those were at 21.1 dB and unseen ones at 19.4 dB.
    """

    keep_codes: bool = False
    warp_steps: int = 9000
    heads_per_step: int = 8
    twin_pairs_per_step: int = 2
    views_per_head: int = 3
    rays_per_view: int = 400
    samples: SampleCounts = SampleCounts()
    latent_jitter: float = 0.15


LOSS_WEIGHTS = {"color": 1.0, "alpha": 0.5, "surface": 0.2, "twin": 2.0, "flow": 0.01}


def flow_loss(flow: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of the planes' flow [B, 3, 2, S, S] in percent of the box side, squared."""
    return (50.0 * (flow - wanted)).square().mean()


class GeneratorStage:
    """The generator's stage; its best weights by PSNR and expressions on held-out heads ship as they are.

    Args:
        run: The run.
        config: The generator.
        data: Data set to train on.
        validation: Data set to measure on, of another seed.
        start: Weights to go on from; None for random ones, with the warp fitted to the data set's flows.
        settings: Settings of the stage.
        compile_backbone: Whether to compile the backbone with torch.
        report: Called with the result of fitting the warp.

    Raises:
        UsageError: No heads in a data set, or ``start`` is another generator.
    """

    name = "generator"
    usual = Usual(learning_rate=2e-3, look_every=6.0, log_every=100)
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
        settings: GeneratorSettings | None = None,
        compile_backbone: bool = False,
        report: Report | None = None,
    ) -> None:
        self.run, self.config, self.settings = run, config, settings or GeneratorSettings()
        self._data, self._validation, self._start = HeadShards(data), HeadShards(validation), start
        self._data.check_enough(self.settings.heads_per_step)
        for heads in (self._data, self._validation):
            heads.check_fits(config.z_dim)
        generator = network_to_train(
            config, TriPlaneGenerator, start, lambda path: load_generator(str(path))[0], seed=run.seed
        )
        is_fitted = config.backbone.warp_rank and self._data.has_flows
        if start is None and is_fitted and not RunFolder(run.out).is_begun:
            with seeded(run.seed):
                left = fit_warp(generator, self._data, steps=self.settings.warp_steps, seed=run.seed)
            if report is not None:
                report(0.0, f"warp fitted to the flows of meshes, {100.0 * left:.1f} % of their variance left")
        generator = generator.to(run.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        generator.backbone["mapping"].requires_grad_(not self.settings.keep_codes)
        self.model = generator
        self.average: MovingAverage[TriPlaneGenerator] = MovingAverage(generator, run.average_decay)
        trained = [parameter for parameter in generator.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=run.learning_rate, betas=(0.9, 0.99), fused=True)
        if compile_backbone:
            synthesis = generator.backbone["synthesis"]
            synthesis.forward = torch.compile(synthesis.forward)
        self._is_continuous = continuous_entries(config.mapping).to(run.device)
        most = min(self.settings.twin_pairs_per_step, self.settings.heads_per_step // 2)
        self._pairs = most if self._data.has_twins else 0

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
            twin_pairs=self._pairs,
        )

    def losses(self, batch: RayBatch, step: int, place: float) -> dict[str, Tensor]:
        generator, pairs = self.model, self._pairs
        random = torch.Generator().manual_seed(seed_of_step(self.run.seed, step))
        jitter = torch.randn(batch.z.shape, generator=random) * self.settings.latent_jitter
        jitter[1 : 2 * pairs : 2] = jitter[0 : 2 * pairs : 2]
        w_plus = generator.mapping(batch.z + jitter.to(batch.z.device) * self._is_continuous)
        planes = generator.planes(w_plus)
        box_side = self.config.render.box_side
        samples = self.settings.samples
        distances = guided_distances(batch.origins, batch.directions, batch.distance, box_side, samples, random)
        output = generator.march(planes, batch.origins, batch.directions, distances)
        terms = ray_losses(output, batch, distances)
        if pairs:
            terms["twin"] = twin_loss(output, batch, pairs)
        if batch.flow is not None and self.config.backbone.warp_rank:
            terms["flow"] = flow_loss(generator.warp.flow(w_plus), batch.flow)
        return terms

    def metrics(self, sheet: Path) -> dict[str, float]:
        if not self.settings.keep_codes:
            set_mean_w(self.average.module, seed=self.run.seed)
        return validate(self.average.module, self._validation, sheet)

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        save_model(path, self.average.module, self.config, extra={"training": training, "run": record})


def continuous_entries(mapping: MappingConfig) -> Tensor:
    """[z_dim], 1 where an entry of z means a quantity, 0 where it decides a choice."""
    continuous = torch.ones(mapping.z_dim)
    for start, stop, _ in mapping.categories:
        continuous[start:stop] = 0.0
    for index, _ in mapping.switches:
        continuous[index] = 0.0
    return continuous


@torch.no_grad()
def set_mean_w(generator: PlaneGenerator, seed: int, samples: int = 4096) -> None:
    """Set ``w_avg`` to the mean of w over random z."""
    z = torch.randn(samples, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    generator.w_avg.copy_(generator.mapping(z.to(generator.w_avg.device))[:, 0].mean(dim=0))


@torch.no_grad()
def validate(generator: TriPlaneGenerator, heads: HeadShards, sheet: Path, count: int = 24) -> dict[str, float]:
    """Metrics on held-out heads, and a sheet of truths above results.

    Args:
        generator: The network that is measured, given the true z.
        heads: The held-out heads; where they are twins, expressions are measured, too.
        sheet: File of the sheet.
        count: Most heads to measure on, two views of each.

    Returns:
        ``heldout_psnr_db``: mean over views over the true head. ``expression_share``, where the heads are twins: the
        fraction of the true difference between two faces of a person that is shown; 1 is all of it, 0 nothing (the
        slope of the regression through 0). ``score``: see :func:`scored`.
    """
    device = generator.w_avg.device
    psnr, truths, results, shown, wanted = [], [], [], 0.0, 0.0
    for head in range(min(count, len(heads))):
        for view in (0, 1):
            rgba, _, cam2world, z = heads.view(head, view)
            planes = generator.planes(generator.mapping(torch.from_numpy(np.array(z))[None].to(device)))
            pose = torch.from_numpy(np.array(cam2world)).to(planes.device)
            result = rendered_view(generator, planes, pose, heads.resolution)
            truth, on_head = true_view(rgba)
            psnr.append(psnr_over(result, truth, on_head))
            truths.append(truth)
            results.append(result)
            if heads.has_twins and head % 2 == 1:
                true_change, change = truth - truths[-3], result - results[-3]
                shown += (true_change * change).sum().item()
                wanted += true_change.square().sum().item()
    save_comparison(sheet, truths[:24], results[:24])
    return scored(float(np.mean(psnr)), shown, wanted)


def scored(psnr_db: float, shown: float, wanted: float) -> dict[str, float]:
    """Metrics of a generator by which its best weights are chosen.

    Args:
        psnr_db: Mean over held-out views.
        shown: The sum of products of true and shown differences between faces of a person.
        wanted: The sum of squares of the true ones; 0 without twins.

    Returns:
        ``heldout_psnr_db``; ``expression_share``, where there are twins: the fraction of expressions that is shown; and
        ``score``, in which a third of the expressions weighs like one dB, since they are too few pixels to count in the
        mean, and a head that cannot smile is of little use.
    """
    if not wanted:
        return {"heldout_psnr_db": psnr_db, "score": psnr_db}
    fraction = shown / wanted
    return {"heldout_psnr_db": psnr_db, "expression_share": fraction, "score": psnr_db + 3.0 * fraction}
