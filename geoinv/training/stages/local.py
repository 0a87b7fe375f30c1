"""Training of E1 and hybrid alignment (E3DGE, Lan et al., CVPR 2023); E0 and the generator are frozen.

Two views of a head: one is the photo, whose residual E1 reads, the other is the query view that is compared with the
truth; now and then both are the same. Cameras are those that E0 tells, as in use. Heads are painted at random, so that
details are of every kind; portraits teach real skin, and from the side they are to remain the same person. Where heads
are twins, which differ in expression alone, the query view often is the twin's and the code is edited by the difference
of theirs: so the branch learns which details an edit leaves, and which not. In the last part of a run a discriminator
that knows the camera looks at the faces, too.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...camera import pose_vectors
from ...checkpoints.store import load_details_file, load_encoder, load_generator, save_model
from ...errors import UsageError
from ...heads import Alignment
from ...heads.detailed import AlignedFeatures
from ...metrics.image import psnr_db
from ...models.config import DetailConfig, small_discriminator
from ...models.encoder import GlobalEncoder
from ...models.generator import TriPlaneGenerator
from ...models.local_branch import LocalBranch
from ...models.precision import allow_bfloat16
from ..data.face_photos import FacePhotos
from ..data.head_shards import HeadShards
from ..data.paint import Paint
from ..data.photo_augment import random_background
from ..data.view_pairs import ViewPairs, head_pairs, maps_of, painted_view, portrait_pairs
from ..engine.adversarial import AdversarialTraining, Adversary
from ..engine.background import in_background
from ..engine.loop import Schedule, StepBudget, Tell, TrainingLoop
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run_folder import RunFolder
from ..losses.local import (
    PatchSampling,
    QueryHeads,
    local_losses,
    middle_pictures,
    portrait_likeness,
    query_heads,
    true_middles,
)
from ..sheets import save_comparison


@dataclass(frozen=True)
class LocalTraining:
    """Settings of a run; ``data`` and ``validation`` hold heads at the generator's final resolution."""

    data: Path
    validation: Path
    out: Path
    minutes: float
    start: Path | None = None  # a branch to go on from
    model: str = "mini"
    photos: Path | None = None  # unlabelled portraits; every fourth is left for testing
    heads_per_step: int = 3
    portraits_per_step: int = 2
    same_view_share: float = 0.3  # of the steps whose query view is the photo's own
    twin_share: float = 0.4  # of the steps whose query view is the twin's, where the data set has twins
    single_share: float = 0.15  # of the steps with features aligned in 3D alone, and as many in 2D alone
    patch: PatchSampling = PatchSampling()
    learning_rate: float = 1e-3
    average_decay: float = 0.998
    adversarial_from: float = 0.6  # share of the run after which a discriminator joins; 1 for none
    validate_every_minutes: float = 8.0
    seed: int = 0
    counted: StepBudget | None = None  # in place of the minutes


LOSS_WEIGHTS = {
    "color": 1.0,
    "edges": 0.5,  # else lashes and lips stay soft: an edge a pixel away costs little
    "rays": 0.5,
    "alpha": 0.2,
    "aligned": 0.5,
    "portrait": 1.0,
    "likeness": 0.01,
    "adversarial": 0.01,
    "d_real": 0.0,  # these are the discriminator's own, and only logged
    "d_fake": 0.0,
    "d_r1": 0.0,
}


@allow_bfloat16()
def train_local(config: LocalTraining, on_progress: Tell | None = None) -> Path:
    """Train until ``config.minutes`` of training (over all resumed runs) are used up.

    Returns:
        The best weights by PSNR of the photo's and another view of held-out heads, a safetensors file that ships beside
        its generator and encoder.

    Raises:
        UsageError: The heads are not at the generator's final resolution.
    """
    torch.manual_seed(config.seed)
    generator, info = load_generator(config.model)
    encoder, encoder_info = load_encoder(config.model)
    data, validation = HeadShards(config.data), HeadShards(config.validation)
    for heads in (data, validation):
        if heads.resolution != generator.config.resolution:
            side = generator.config.resolution
            raise UsageError(f"the heads in {heads.folder} are at {heads.resolution} px", f"render them at {side} px")
    model = DetailConfig(generator.config.name, generator.config.decoder_hidden, generator.config.neural_resolution)
    branch = _start(model, config.start).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged: MovingAverage[LocalBranch] = MovingAverage(branch, config.average_decay)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = Schedule(
        config.minutes,
        config.learning_rate,
        config.validate_every_minutes,
        log_every_steps=25,
        counted=config.counted,
    )
    judge = AdversarialTraining(learning_rate=1e-3, r1_gamma=1.0)
    adversary = Adversary(small_discriminator(2 * config.patch.side), judge, seed=config.seed)
    loop = TrainingLoop(
        RunFolder(config.out),
        schedule,
        branch,
        averaged,
        optimizer,
        on_progress,
        base=info.sha256 + encoder_info.sha256,
        beside={"adversary": adversary},
    )
    portraits = FacePhotos(config.photos, data.resolution) if config.photos else None
    steps = itertools.count(loop.step)

    def next_pairs() -> tuple[ViewPairs, ViewPairs | None]:
        step = next(steps)
        if step % 100 == 0:
            data.refresh()
        rng = np.random.default_rng([config.seed, step, rank(), 1])
        same_view = rng.random() < config.same_view_share
        faces = (
            None
            if portraits is None
            else portrait_pairs(portraits, rng, config.portraits_per_step, same_view=step % 2 == 0)
        )
        twins = data.has_twins and rng.random() < config.twin_share
        return head_pairs(data, rng, config.heads_per_step, same_view=same_view, twins=twins), faces

    batches = in_background(next_pairs)

    def losses(progress: float) -> dict[str, Tensor]:
        pairs, faces = next(batches)
        rng = np.random.default_rng([seed_of_step(config.seed, loop.step), 2])
        alignment = _alignment(rng, config.single_share)
        shown: list[tuple[ViewPairs, QueryHeads, AlignedFeatures]] = []
        for batch in (pairs, faces):
            if batch is not None:
                heads = query_heads(encoder, generator, branch, batch, alignment)
                shown.append((batch, heads, heads.head.features(heads.query)))
        terms = local_losses(*shown[0], config.patch, rng)
        if faces is not None and faces.mask.any():
            own = local_losses(*shown[1], config.patch, rng)
            terms["portrait"] = own["color"] + 0.5 * (own["rays"] + own["edges"])
        elif faces is not None:
            terms["likeness"] = portrait_likeness(*shown[1], config.patch, rng)
        if progress >= config.adversarial_from:
            made = [middle_pictures(heads, aligned, config.patch, rng) for _, heads, aligned in shown]
            real = [true_middles(batch, heads, config.patch, own_view=batch is faces) for batch, heads, _ in shown]
            fake, fake_label = (torch.cat(parts) for parts in zip(*made, strict=True))
            true, true_label = (torch.cat(parts) for parts in zip(*real, strict=True))
            terms |= adversary.discriminator_step(true, true_label, fake, fake_label)
            terms["adversarial"] = adversary.generator_loss(fake, fake_label)
        return terms

    def figures(sheet: Path) -> dict[str, float]:
        return validate(averaged.module, encoder, generator, validation, sheet)

    def save_best(path: Path, training: dict[str, float]) -> None:
        made_for = {"generator_sha256": info.sha256, "encoder_sha256": encoder_info.sha256}
        save_model(path, averaged.module, model, extra={"training": training, **made_for})

    with closing(batches):
        return loop.train(losses, LOSS_WEIGHTS, figures, save_best)


def _start(model: DetailConfig, weights: Path | None) -> LocalBranch:
    if weights is None:
        return LocalBranch(model)
    branch, _ = load_details_file(weights)
    if branch.config != model:
        raise UsageError(f"{weights} is another local branch than the one to train", "leave out --from to start anew")
    return branch.train()


def _alignment(rng: np.random.Generator, single_share: float) -> Alignment:
    """Mostly both; now and then one alone, so that each is of use where the other has nothing."""
    draw = rng.random()
    if draw < single_share:
        return "3d"
    return "2d" if draw < 2.0 * single_share else "hybrid"


@torch.no_grad()
def validate(
    branch: LocalBranch,
    encoder: GlobalEncoder,
    generator: TriPlaneGenerator,
    heads: HeadShards,
    sheet: Path,
    count: int = 24,
) -> dict[str, float]:
    """PSNR over true head pixels in the photo's and another view, without and with details; a sheet."""
    rng = np.random.default_rng(0)
    totals: dict[str, list[float]] = {}
    truths: list[Tensor] = []
    results: list[Tensor] = []
    for head in range(min(count, len(heads))):
        views = [painted_view(heads, head, view, _NO_PAINT) for view in (0, 1)]
        photo = views[0][0] * views[0][1] + random_background(rng, heads.resolution) * (1.0 - views[0][1])
        poses = np.stack([cam2world for _, _, cam2world in views])
        vectors = pose_vectors(torch.from_numpy(poses))
        for name, view in (("input", 0), ("novel", 1)):
            truth = maps_of([views[view][0] * views[view][1]])
            mask = maps_of([views[view][1]]) > 0.5
            moves = vectors[view : view + 1] - vectors[:1]
            person = maps_of([views[0][1]])
            known = mask.float()
            pairs = ViewPairs(maps_of([photo]), person, moves, truth, known, known, 1.0 - known)
            shown = query_heads(encoder, generator, branch, pairs)
            detailed = shown.head.with_details(shown.query)
            for kind, render in (("e0", shown.query), ("hybrid", detailed)):
                over_grey = render.over_grey()
                true_over_grey = truth + 0.5 * (1.0 - maps_of([views[view][1]]))
                totals.setdefault(f"{kind}_{name}_db", []).append(
                    psnr_db(over_grey, true_over_grey, mask.float()).item()
                )
            if len(truths) < 24:
                truths.append(truth[0].permute(1, 2, 0))
                results.append(detailed.color[0].permute(1, 2, 0))
    save_comparison(sheet, truths, results, columns=8)
    means = {name: float(np.mean(values)) for name, values in totals.items()}
    return means | {"heldout_psnr_db": 0.5 * (means["hybrid_input_db"] + means["hybrid_novel_db"])}


_NO_PAINT = Paint(
    np.zeros((1, 3), np.float32), np.zeros(1, np.float32), np.zeros((1, 3), np.float32), np.ones(3, np.float32)
)
