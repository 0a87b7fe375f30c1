"""Losses of the local branch: what a head with details should look like, in a view that it was not seen in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import CameraPose, intrinsics, rays_through, to_label
from ...faces.square import FACE_SIDE, face_positions, face_square
from ...images.tensors import at_side
from ...models.details import (
    Alignment,
    Edit,
    EditedShares,
    LocalBranch,
    QueryRays,
    SourceView,
    edited_shares,
    of_edited,
    rays_of_view,
)
from ...models.encoder import INPUT_SIZE, GlobalEncoder
from ...models.generator import RenderOutput, TriPlaneGenerator
from ...models.precision import fast_precision
from ..data.patches import Patches, middle_patches, patches_on
from ..data.view_pairs import ViewPairs
from .likeness import likeness_loss
from .rays import SampleCounts, guided_distances

_BORDER = 4  # pixels of a patch whose super-resolution misses its neighbours


@dataclass(frozen=True)
class PatchSampling:
    """Rays and samples of a training step of the local branch.

    Args:
        side: Rays along each side of the patch that is compared.
        samples: Samples on each ray.
    """

    side: int = 64
    samples: SampleCounts = SampleCounts(even=4, surface=12, spread=0.015)


@dataclass(frozen=True)
class Reconstruction:
    """What E0 makes of photos: all that is constant here."""

    planes: Tensor  # of the query, which may be edited
    source: SourceView
    seen: RenderOutput  # in the photo's view
    query: RenderOutput
    cam2world: Tensor  # [B, 4, 4] of the query
    edit: Edit | None


@torch.no_grad()
def reconstruct(encoder: GlobalEncoder, generator: TriPlaneGenerator, pairs: ViewPairs) -> Reconstruction:
    with fast_precision(pairs.photos.device):
        estimate = encoder(at_side(pairs.photos, INPUT_SIZE) * 2.0 - 1.0)
    planes = generator.planes(estimate.w_plus)
    pose = estimate.camera.as_vector()
    seen_from = CameraPose.from_vector(pose).cam2world()
    cam2world = CameraPose.from_vector(pose + pairs.moves).cam2world()
    seen = generator.render(planes, seen_from)
    source = SourceView.of(pairs.photos, pairs.persons, seen, seen_from)
    edit = None
    if pairs.z is not None:
        codes = generator.mapping(pairs.z.flatten(0, 1)).unflatten(0, (-1, 2))
        edit = Edit(estimate.w_plus, estimate.w_plus + codes[:, 1] - codes[:, 0])
        planes = generator.planes(edit.after)
    is_same = pairs.z is None and not pairs.moves.any()
    query = seen if is_same else generator.render(planes, cam2world)
    return Reconstruction(planes, source, seen, query, cam2world, edit)


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
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Error of a patch of the query view, and of the residual as brought to it."""
    patch = patches_on(pairs.focus, sampling.side, rng)
    features, alpha, color, fine_alpha = _detailed_patch(branch, generator, head, aligned, patch, sampling, rng)
    inner = slice(_BORDER, -_BORDER)
    true_color, mask, focus, outside, whole_alpha, without = (
        patch.pixels(part)[..., inner, inner]
        for part in (pairs.color, pairs.mask, pairs.focus, pairs.outside, head.query.alpha, head.query.color)
    )
    # over the reconstruction's own alpha: an outline that is wrong is not to be painted over
    solid = whole_alpha > 0.5
    # twice for what is to be looked at most: the face of a photo, what differs between twins
    weight = mask * (1.0 + focus)
    share = ((weight + outside) * solid).mean().clamp_min(1e-3)
    seen = color[..., inner, inner]
    missed = (seen - true_color * whole_alpha) * weight * solid
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
    patch: Patches,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features [B, F, P, P] and alpha [B, 1, P, P] of a patch, and colour and alpha at twice its side."""
    every, shares = rays_of_view(head.query, head.cam2world), None
    if head.edit is not None:
        every = of_edited(every, generator, head.edit)
        whole = edited_shares(every, head.source)
        shares = EditedShares(patch.rays(whole.about), patch.rays(whole.itself))
    parts = (every.pixels, every.points, every.places, every.color, every.alpha)
    rays = QueryRays(*(patch.rays(part) for part in parts))
    film = branch.modulation(rays, head.source, aligned.in_3d, aligned.in_2d, shares)
    marched = _marched(generator, head.planes, head.cam2world, rays, film, sampling, rng)
    features, alpha = (part.unflatten(2, (patch.side, patch.side)) for part in marched)
    return features, alpha, *generator.superresolution(features, alpha)  # type: ignore[misc]


def _marched(
    generator: TriPlaneGenerator,
    planes: Tensor,
    cam2world: Tensor,
    rays: QueryRays,
    film: Tensor,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Features [B, F, N] and alpha [B, 1, N] of rays, with samples about the surface that is there."""
    origins, directions = rays_through(cam2world, rays.pixels)
    surface = torch.where(rays.alpha > 0.5, (rays.points - origins).norm(dim=-1), 0.0)
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    distances = guided_distances(
        origins, directions, surface, generator.config.render.box_side, sampling.samples, random
    )
    output = generator.march(planes, origins, directions, distances, film=film)
    return output.features.transpose(1, 2), output.alpha[:, None]


def portrait_likeness(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    pairs: ViewPairs,
    head: Reconstruction,
    aligned: AlignedFeatures,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> Tensor:
    """Likeness of the query views' faces to the photos."""
    pixels = face_positions().expand(len(pairs.photos), -1, -1)
    with torch.no_grad():
        origins, directions = rays_through(head.cam2world, pixels)
        seen = generator.render_rays(head.planes, origins, directions)
    points = origins + directions * seen.distance[..., None]
    rays = QueryRays(pixels, points, points, seen.features[..., :3], seen.alpha)
    film = branch.modulation(rays, head.source, aligned.in_3d, aligned.in_2d)
    features, _ = _marched(generator, head.planes, head.cam2world, rays, film, sampling, rng)
    photo = face_square(pairs.photos)
    faces = features[:, :3].unflatten(2, (FACE_SIDE, FACE_SIDE))
    alpha = seen.alpha.reshape(-1, 1, FACE_SIDE, FACE_SIDE)
    return likeness_loss(faces + (1.0 - alpha) * photo, photo)


def middle_pictures(
    branch: LocalBranch,
    generator: TriPlaneGenerator,
    head: Reconstruction,
    aligned: AlignedFeatures,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """What a discriminator compares: the middle of the query views with details [B, 3, P, P] in [-1, 1] over grey, and
    their camera labels [B, 25]."""
    patch = _middle(head, sampling)
    _, _, color, _ = _detailed_patch(branch, generator, head, aligned, patch, sampling, rng)
    alpha = patch.pixels(head.query.alpha)
    return _over_grey(torch.minimum(color, alpha), alpha), _labels(head.cam2world)


def true_middles(
    pairs: ViewPairs, head: Reconstruction, sampling: PatchSampling, *, own_view: bool
) -> tuple[Tensor, Tensor]:
    """The same of the truth: of the query view, or of the photo itself, within the reconstruction's outline."""
    patch = _middle(head, sampling)
    color, view = (pairs.photos, head.seen) if own_view else (pairs.color, head.query)
    alpha = view.alpha if own_view else view.alpha * (1.0 - pairs.outside)
    cam2world = head.source.cam2world if own_view else head.cam2world
    return _over_grey(patch.pixels(color * alpha), patch.pixels(alpha)), _labels(cam2world)


def _middle(head: Reconstruction, sampling: PatchSampling) -> Patches:
    return middle_patches(len(head.cam2world), sampling.side, head.query.depth.shape[-1])


def _over_grey(color: Tensor, alpha: Tensor) -> Tensor:
    return 2.0 * color - alpha  # in [-1, 1]: 2 (c + (1 - a) / 2) - 1


def _labels(cam2world: Tensor) -> Tensor:
    return to_label(cam2world, intrinsics())


def _robust(error: Tensor) -> Tensor:
    """Absolute errors, rounded below 0.02, summed over colours."""
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").sum(dim=1, keepdim=True)
