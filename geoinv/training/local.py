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
import torch.nn.functional as F
from torch import Tensor

from ..camera import CameraPose, intrinsics, rays_through, to_label
from ..checkpoints.store import load_details_file, load_encoder, load_generator, save_model
from ..conventions import FOCAL
from ..errors import UsageError
from ..metrics.face_square import FACE_SIDE, face_positions, face_square
from ..metrics.image import psnr_db
from ..models.config import DetailConfig, small_discriminator
from ..models.details import Alignment, LocalBranch, QueryRays, SourceView, rays_of_view, render_with_details
from ..models.encoder import INPUT_SIZE, GlobalEncoder
from ..models.generator import RenderOutput, TriPlaneGenerator
from ..models.precision import allow_bfloat16, fast_precision
from .adversarial import AdversarialTraining, Adversary
from .face_photos import FacePhotos
from .generator import guided_distances
from .head_shards import HeadShards, RayBatch, in_background
from .likeness import likeness_loss
from .loop import Schedule, StepBudget, Tell, TrainingLoop
from .moving_average import MovingAverage
from .paint import Paint, surface_points
from .photo_augment import photo_like, random_background
from .processes import rank, seed_of_step
from .run_folder import RunFolder
from .sheets import save_comparison


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
    twin_share: float = 0.3  # of the steps whose query view is the twin's, where the data set has twins
    single_share: float = 0.15  # of the steps with features aligned in 3D alone, and as many in 2D alone
    patch: int = 64  # rays along a side
    even_samples: int = 4
    surface_samples: int = 12
    surface_spread: float = 0.015
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
_BORDER = 4  # pixels of a patch whose super-resolution misses its neighbours
_TURN_RAD = 0.5


@dataclass(frozen=True)
class ViewPairs:
    """Photos and the query views of the same heads.

    Args:
        photos: [B, 3, 2S, 2S] in [0, 1], as E0 and E1 see them.
        moves: [B, 6] the pose of the query's camera minus that of the photo's.
        color: [B, 3, 2S, 2S] in [0, 1], the query view's truth, premultiplied.
        mask: [B, 1, 2S, 2S] where that is known.
        outside: [B, 1, 2S, 2S] where the query view shows no head.
        z: [B, 2, z_dim] of the head in the photo and of the one in the query view; None where they are the same.
    """

    photos: Tensor
    moves: Tensor
    color: Tensor
    mask: Tensor
    outside: Tensor
    z: Tensor | None = None


def head_pairs(
    data: HeadShards, rng: np.random.Generator, config: LocalTraining, *, same_view: bool, twins: bool = False
) -> ViewPairs:
    """Random heads, painted, from two sides; with ``twins``, the query view is of each head's twin."""
    photos, colors, masks, outside, poses, codes = [], [], [], [], [], []
    for head in rng.choice(len(data), size=config.heads_per_step, replace=False):
        views = [int(view) for view in rng.choice(data.num_views, size=2, replace=False)]
        views = views[:1] * 2 if same_view else views
        paint = Paint.random(rng)
        shown = (int(head), int(head) ^ 1 if twins else int(head))
        painted = [_painted(data, which, view, paint) for which, view in zip(shown, views, strict=True)]
        codes.append(np.stack([data.view(which, 0)[3] for which in shown]))
        rgb, alpha, _ = painted[0]
        photo = rgb * alpha + random_background(rng, rgb.shape[0]) * (1.0 - alpha)
        photos.append(photo_like(rng, photo) if rng.random() < 0.3 else photo)
        rgb, alpha, _ = painted[1]
        colors.append(rgb * alpha)
        masks.append(alpha > 0.5)
        outside.append(alpha < 0.02)
        poses.append(np.stack([cam2world for _, _, cam2world in painted]))
    vectors = [CameraPose.from_cam2world(torch.from_numpy(pair).double()).as_vector().float() for pair in poses]
    moves = torch.stack([vector[1] - vector[0] for vector in vectors])
    z = torch.from_numpy(np.stack(codes)) if twins else None
    return ViewPairs(_maps(photos), moves, _maps(colors), _maps(masks), _maps(outside), z)


def _painted(data: HeadShards, head: int, view: int, paint: Paint) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour [R, R, 3] and alpha [R, R, 1] in [0, 1], cam2world."""
    rgba, depth, cam2world, _ = data.view(head, view)
    straight = np.asarray(rgba, np.float32) / 255.0
    points = surface_points(np.asarray(depth, np.float32), np.asarray(cam2world), FOCAL)
    return paint.on(straight[..., :3], points), straight[..., 3:], np.array(cam2world)


def _maps(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2).contiguous()


def portrait_pairs(
    portraits: FacePhotos, rng: np.random.Generator, config: LocalTraining, *, same_view: bool
) -> ViewPairs:
    """Photos with known faces in their own view; in another, turned at random, no truth is known."""
    batch = portraits.batch(rng, photos=config.portraits_per_step, rays_per_photo=1)
    moves = torch.zeros(len(batch.photos), 6)
    if not same_view:
        moves[:, 0] = torch.from_numpy(rng.uniform(-_TURN_RAD, _TURN_RAD, len(moves)).astype(np.float32))
    mask = batch.faces if same_view else torch.zeros_like(batch.faces)
    return ViewPairs(batch.photos, moves, batch.photos, mask, torch.zeros_like(mask))


@dataclass(frozen=True)
class Reconstruction:
    """What E0 makes of photos: all that is constant here."""

    planes: Tensor  # of the query, which may be edited
    source: SourceView
    seen: RenderOutput  # in the photo's view
    query: RenderOutput
    cam2world: Tensor  # [B, 4, 4] of the query


@torch.no_grad()
def reconstruct(encoder: GlobalEncoder, generator: TriPlaneGenerator, pairs: ViewPairs) -> Reconstruction:
    photos = F.interpolate(pairs.photos, size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True)
    with fast_precision(pairs.photos.device):
        estimate = encoder(photos * 2.0 - 1.0)
    planes = generator.planes(estimate.w_plus)
    pose = estimate.camera.as_vector()
    seen_from = CameraPose.from_vector(pose).cam2world()
    cam2world = CameraPose.from_vector(pose + pairs.moves).cam2world()
    seen = generator.render(planes, seen_from)
    source = SourceView.of(pairs.photos, seen, seen_from)
    if pairs.z is not None:
        codes = generator.mapping(pairs.z.flatten(0, 1)).unflatten(0, (-1, 2))
        planes = generator.planes(estimate.w_plus + codes[:, 1] - codes[:, 0])
    is_same = pairs.z is None and not pairs.moves.any()
    query = seen if is_same else generator.render(planes, cam2world)
    return Reconstruction(planes, source, seen, query, cam2world)


@dataclass(frozen=True)
class AlignedFeatures:
    """Features of both kinds, where used, and the residual as brought to the query view."""

    in_3d: Tensor | None
    in_2d: Tensor | None
    residual: Tensor | None

    @classmethod
    def of(cls, branch: LocalBranch, head: Reconstruction, alignment: Alignment) -> AlignedFeatures:
        in_3d = None if alignment == "2d" else branch.source_features(head.source)
        if alignment == "3d":
            return cls(in_3d, None, None)
        return cls(in_3d, *branch.query_features(head.source, head.query))


def local_losses(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    pairs: ViewPairs,
    head: Reconstruction,
    aligned: AlignedFeatures,
    config: LocalTraining,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Error of a patch of the query view, and of the residual as brought to it."""
    patch = _patch_at_random(head, pairs.mask, config.patch, rng)
    features, alpha, color, fine_alpha = _detailed_patch(branch, generator, head, aligned, patch, config, rng)
    inner = slice(_BORDER, -_BORDER)
    true_color, mask, outside, whole_alpha, without = (
        patch.pixels(part)[..., inner, inner]
        for part in (pairs.color, pairs.mask, pairs.outside, head.query.alpha, head.query.color)
    )
    # over the reconstruction's own alpha: an outline that is wrong is not to be painted over
    solid = whole_alpha > 0.5
    share = ((mask + outside) * solid).mean().clamp_min(1e-3)
    seen = color[..., inner, inner]
    missed = (seen - true_color * whole_alpha) * mask * solid
    error = _robust(missed)
    # where the reconstruction stands before the photo's background, that is not to be painted on it
    error = error + _robust(seen - without) * outside
    coarse = F.avg_pool2d(patch.pixels(pairs.color * pairs.mask), 2)
    known = F.avg_pool2d(patch.pixels(pairs.mask), 2) > 0.99
    losses = {
        "color": (error * solid).mean() / share,
        "edges": (_robust(missed.diff(dim=2)).mean() + _robust(missed.diff(dim=3)).mean()) / share,
        "rays": (_robust(features[:, :3] - coarse * alpha) * known).mean() / known.float().mean().clamp_min(1e-3),
        "alpha": (fine_alpha[..., inner, inner] - whole_alpha).square().mean(),
    }
    if aligned.residual is not None:
        wanted = (pairs.color * head.query.alpha - head.query.color) * pairs.mask
        losses["aligned"] = _robust((aligned.residual - wanted) * pairs.mask).mean()
    return losses


def _detailed_patch(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    head: Reconstruction,
    aligned: AlignedFeatures,
    patch: _Patch,
    config: LocalTraining,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features [B, F, P, P] and alpha [B, 1, P, P] of a patch, and colour and alpha at twice its side."""
    every = rays_of_view(head.query, head.cam2world)
    rays = QueryRays(*(patch.rays(part) for part in (every.pixels, every.points, every.color, every.alpha)))
    film = branch.modulation(rays, head.source, aligned.in_3d, aligned.in_2d)
    marched = _marched(generator, head.planes, head.cam2world, rays, film, config, rng)
    features, alpha = (part.unflatten(2, (patch.side, patch.side)) for part in marched)
    return features, alpha, *generator.superresolution(features, alpha)  # type: ignore[misc]


def _marched(
    generator: TriPlaneGenerator,
    planes: Tensor,
    cam2world: Tensor,
    rays: QueryRays,
    film: Tensor,
    config: LocalTraining,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Features [B, F, N] and alpha [B, 1, N] of rays, with samples about the surface that is there."""
    origins, directions = rays_through(cam2world, rays.pixels)
    distance = torch.where(rays.alpha > 0.5, (rays.points - origins).norm(dim=-1), 0.0)
    batch = RayBatch(planes, origins, directions, rays.color, rays.alpha, distance)
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    distances = guided_distances(batch, generator.config.render.box_side, config, random)
    output = generator.march(planes, origins, directions, distances, film=film)
    return output.features.transpose(1, 2), output.alpha[:, None]


def portrait_likeness(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    pairs: ViewPairs,
    head: Reconstruction,
    aligned: AlignedFeatures,
    config: LocalTraining,
    rng: np.random.Generator,
) -> Tensor:
    """Likeness of the query views' faces to the photos."""
    pixels = face_positions().expand(len(pairs.photos), -1, -1)
    with torch.no_grad():
        origins, directions = rays_through(head.cam2world, pixels)
        seen = generator.render_rays(head.planes, origins, directions)
    points = origins + directions * seen.distance[..., None]
    rays = QueryRays(pixels, points, seen.features[..., :3], seen.alpha)
    film = branch.modulation(rays, head.source, aligned.in_3d, aligned.in_2d)
    features, _ = _marched(generator, head.planes, head.cam2world, rays, film, config, rng)
    photo = face_square(pairs.photos)
    faces = features[:, :3].unflatten(2, (FACE_SIDE, FACE_SIDE))
    alpha = seen.alpha.reshape(-1, 1, FACE_SIDE, FACE_SIDE)
    return likeness_loss(faces + (1.0 - alpha) * photo, photo)


def middle_pictures(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    head: Reconstruction,
    aligned: AlignedFeatures,
    config: LocalTraining,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """What a discriminator compares: the middle of the query views with details [B, 3, P, P] in [-1, 1] over grey, and
    their camera labels [B, 25]."""
    count, patch = len(head.cam2world), _middle_patch(head, config.patch)
    _, _, color, _ = _detailed_patch(branch, generator, head, aligned, patch, config, rng)
    alpha = patch.pixels(head.query.alpha)
    return _over_grey(torch.minimum(color, alpha), alpha), _labels(head.cam2world[:count])


def true_middles(
    pairs: ViewPairs, head: Reconstruction, config: LocalTraining, *, own_view: bool
) -> tuple[Tensor, Tensor]:
    """The same of the truth: of the query view, or of the photo itself, within the reconstruction's outline."""
    patch = _middle_patch(head, config.patch)
    color, view = (pairs.photos, head.seen) if own_view else (pairs.color, head.query)
    alpha = view.alpha if own_view else view.alpha * (1.0 - pairs.outside)
    cam2world = head.source.cam2world if own_view else head.cam2world
    return _over_grey(patch.pixels(color * alpha), patch.pixels(alpha)), _labels(cam2world)


def _over_grey(color: Tensor, alpha: Tensor) -> Tensor:
    return 2.0 * color - alpha  # in [-1, 1]: 2 (c + (1 - a) / 2) - 1


def _labels(cam2world: Tensor) -> Tensor:
    return to_label(cam2world, intrinsics())


@dataclass(frozen=True)
class _Patch:
    """A square of the ray grid, the same side everywhere, in each picture of a batch."""

    index: Tensor  # [B, patch * patch] of the grid, row by row
    corners: list[tuple[int, int]]  # top, left
    side: int

    def rays(self, values: Tensor) -> Tensor:
        """Of [B, S * S, ...] or [B, S * S] those of the patch."""
        index = self.index if values.ndim == 2 else self.index[..., None].expand(-1, -1, values.shape[-1])
        return values.gather(1, index)

    def pixels(self, pictures: Tensor) -> Tensor:
        """Of [B, C, 2S, 2S] those of the patch, twice its side."""
        size = 2 * self.side
        cut = [
            picture[:, 2 * top : 2 * top + size, 2 * left : 2 * left + size]
            for picture, (top, left) in zip(pictures, self.corners, strict=True)
        ]
        return torch.stack(cut)


def _patch_at_random(head: Reconstruction, mask: Tensor, side: int, rng: np.random.Generator) -> _Patch:
    """Patches about random pixels that are compared."""
    grid = head.query.depth.shape[-1]
    useful = F.max_pool2d(mask, 2)[:, 0] > 0.5
    corners = []
    for wanted in useful.numpy():
        rows, columns = np.nonzero(wanted)
        pick = int(rng.integers(len(rows))) if len(rows) else 0
        centre = (int(rows[pick]), int(columns[pick])) if len(rows) else (grid // 2, grid // 2)
        top, left = (min(max(position - side // 2, 0), grid - side) for position in centre)
        corners.append((top, left))
    return _patch_at(corners, side, grid)


def _middle_patch(head: Reconstruction, side: int) -> _Patch:
    grid = head.query.depth.shape[-1]
    return _patch_at([((grid - side) // 2,) * 2] * len(head.cam2world), side, grid)


def _patch_at(corners: list[tuple[int, int]], side: int, grid: int) -> _Patch:
    places = [
        (torch.arange(top, top + side)[:, None] * grid + torch.arange(left, left + side)).flatten()
        for top, left in corners
    ]
    return _Patch(torch.stack(places), corners, side)


def _robust(error: Tensor) -> Tensor:
    """Absolute errors, rounded below 0.02, summed over colours."""
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").sum(dim=1, keepdim=True)


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
    adversary = Adversary(small_discriminator(2 * config.patch), judge, seed=config.seed)
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
        faces = None if portraits is None else portrait_pairs(portraits, rng, config, same_view=step % 2 == 0)
        twins = data.has_twins and rng.random() < config.twin_share
        return head_pairs(data, rng, config, same_view=same_view, twins=twins), faces

    batches = in_background(next_pairs)

    def losses(progress: float) -> dict[str, Tensor]:
        pairs, faces = next(batches)
        rng = np.random.default_rng([seed_of_step(config.seed, loop.step), 2])
        alignment = _alignment(rng, config.single_share)
        shown: list[tuple[ViewPairs, Reconstruction, AlignedFeatures]] = []
        for batch in (pairs, faces):
            if batch is not None:
                head = reconstruct(encoder, generator, batch)
                shown.append((batch, head, AlignedFeatures.of(branch, head, alignment)))
        terms = local_losses(branch, generator, *shown[0], config, rng)
        if faces is not None and faces.mask.any():
            own = local_losses(branch, generator, *shown[1], config, rng)
            terms["portrait"] = own["color"] + 0.5 * (own["rays"] + own["edges"])
        elif faces is not None:
            terms["likeness"] = portrait_likeness(branch, generator, *shown[1], config, rng)
        if progress >= config.adversarial_from:
            made = [middle_pictures(branch, generator, head, aligned, config, rng) for _, head, aligned in shown]
            real = [true_middles(batch, head, config, own_view=batch is faces) for batch, head, _ in shown]
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
        views = [_painted(heads, head, view, _NO_PAINT) for view in (0, 1)]
        photo = views[0][0] * views[0][1] + random_background(rng, heads.resolution) * (1.0 - views[0][1])
        poses = np.stack([cam2world for _, _, cam2world in views])
        vectors = CameraPose.from_cam2world(torch.from_numpy(poses).double()).as_vector().float()
        for name, view in (("input", 0), ("novel", 1)):
            truth = _maps([views[view][0] * views[view][1]])
            mask = _maps([views[view][1]]) > 0.5
            moves = vectors[view : view + 1] - vectors[:1]
            pairs = ViewPairs(_maps([photo]), moves, truth, mask.float(), (~mask).float())
            seen = reconstruct(encoder, generator, pairs)
            detailed = render_with_details(generator, branch, seen.planes, seen.source, seen.cam2world)
            for kind, render in (("e0", seen.query), ("hybrid", detailed)):
                over_grey = render.color + 0.5 * (1.0 - render.alpha)
                true_over_grey = truth + 0.5 * (1.0 - _maps([views[view][1]]))
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
