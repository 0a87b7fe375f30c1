"""Losses of the local branch: what a head with details should look like, in a view that it was not seen in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import Camera, CameraPose, intrinsics, to_label
from ...faces.square import FACE_SIDE, face_positions, face_square
from ...heads import Alignment, AnchoredHead, DetailedHead, Edit, OfPlanesHead, plain_head
from ...heads.detailed import AlignedFeatures
from ...inversion.reconstruct import reconstruct
from ...models.anchored_generator import AnchoredGenerator
from ...models.encoder import GlobalEncoder
from ...models.families import OfPlanes
from ...models.local_branch import LocalBranch, QueryRays
from ...models.on_mesh import OnMesh
from ...models.render_output import RenderOutput
from ...shape import HeadCodes
from ..data.head_source import codes_of
from ..data.patches import Patches, middle_patches, patches_on
from ..data.view_pairs import ViewPairs
from .likeness import likeness_loss
from .picture import HYBRID_BORDER
from .rays import SampleCounts, guided_distances

_BORDER = 2  # rays along the edge of a patch whose super-resolution misses its neighbours


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
class QueryHeads:
    """Heads that E0 makes of photos, and their views without details: all that is constant here.

    Args:
        head: The heads that the query views are of, edited where those show the heads' twins.
        seen: The heads before any edit without details, in the photos' views.
        query: The heads without details, in the query views.
    """

    head: DetailedHead
    seen: RenderOutput
    query: RenderOutput


@torch.no_grad()
def query_heads(
    encoder: GlobalEncoder,
    generator: OfPlanes,
    branch: LocalBranch,
    pairs: ViewPairs,
    alignment: Alignment = "hybrid",
) -> QueryHeads:
    """Heads of the pairs' photos by the road of use, seen from the pairs' query views."""
    made = reconstruct(pairs.photos, encoder, generator, branch, persons=pairs.persons, alignment=alignment)
    assert isinstance(made.head, DetailedHead)
    head, seen = made.head, made.plain_view
    if pairs.z is not None:
        codes = codes_of(generator, pairs.z.flatten(0, 1), knows_w=pairs.knows_w)
        before = head.plain.w_plus
        after = before + (codes[1::2] - codes[0::2])[:, None]
        shape, shape_before = None, None
        if isinstance(head.plain, AnchoredHead):
            assert isinstance(generator, AnchoredGenerator)
            shape_before = head.plain.on_mesh
            first, second = (generator.shape_codes(code[:, None]).as_vector() for code in (codes[0::2], codes[1::2]))
            moved = HeadCodes.from_vector(shape_before.codes.as_vector() + second - first)
            shape = OnMesh(moved, shape_before.light)
        edit = Edit(before, after, shape_before)
        plain = plain_head(generator, after, shape)
        head = DetailedHead(plain, branch, head.source, edit=edit, alignment=alignment)
    elif not pairs.moves.any():
        return QueryHeads(head, seen, seen)
    camera = CameraPose.from_vector(made.pose.as_vector() + pairs.moves).camera(head.orbit)
    return QueryHeads(head, seen, head.plain.view(camera))


def local_losses(
    pairs: ViewPairs,
    heads: QueryHeads,
    aligned: AlignedFeatures,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Compare a patch of the query views with the truth.

    Args:
        pairs: Photos and the truth of the query views.
        heads: What is made of the photos, and how it looks from the query views.
        aligned: Features brought to the query views.
        sampling: Rays and samples.
        rng: Source of the patches' places.

    Returns:
        ``color``, ``edges``, ``rays``, ``alpha``: errors of the patch; ``aligned``: error of the residual as brought to
        the query view, where it is used.
    """
    generator = heads.head.plain.generator.config
    times = generator.enlargement
    patch = patches_on(pairs.focus, sampling.side, rng, enlargement=times)
    features, alpha, color, fine_alpha = _detailed_patch(heads, aligned, patch, sampling, rng)
    border = times * (_BORDER if generator.has_alpha else HYBRID_BORDER)
    inner = slice(border, -border)
    true_color, mask, focus, outside, whole_alpha, without = (
        patch.pixels(part)[..., inner, inner]
        for part in (pairs.color, pairs.mask, pairs.focus, pairs.outside, heads.query.alpha, heads.query.color)
    )
    # over the reconstruction's own alpha: an outline that is wrong is not to be painted over
    solid = whole_alpha > 0.5
    # twice for what is to be looked at most: the face of a photo, what differs between twins
    weight = mask * (1.0 + focus)
    area = ((weight + outside) * solid).mean().clamp_min(1e-3)
    seen = color[..., inner, inner]
    missed = (seen - true_color * whole_alpha) * weight * solid
    error = _robust(missed)
    # where the reconstruction stands before the photo's background, that is not to be painted on it
    error = error + _robust(seen - without) * outside
    coarse = F.avg_pool2d(patch.pixels(pairs.color * pairs.mask), times)
    known = F.avg_pool2d(patch.pixels(pairs.mask), times) > 0.99
    # an opaque picture's rays are so too, with the background in the volume
    coarse = coarse * alpha if generator.has_alpha else coarse
    losses = {
        "color": (error * solid).mean() / area,
        "edges": (_robust(missed.diff(dim=2)).mean() + _robust(missed.diff(dim=3)).mean()) / area,
        "rays": (_robust(features[:, :3] - coarse) * known).mean() / known.float().mean().clamp_min(1e-3),
        "alpha": (fine_alpha[..., inner, inner] - whole_alpha).square().mean(),
    }
    if aligned.residual is not None:
        wanted = (pairs.color * heads.query.alpha - heads.query.color) * pairs.mask
        losses["aligned"] = _robust((aligned.residual - wanted) * pairs.mask).mean()
    return losses


def _detailed_patch(
    heads: QueryHeads,
    aligned: AlignedFeatures,
    patch: Patches,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features [B, F, P, P] and alpha [B, 1, P, P] of a patch, and its colour and alpha in the final picture."""
    head = heads.head
    every, whole = head.rays_of(heads.query)
    weights = None if whole is None else whole.picked(patch.rays)
    rays = every.picked(patch.rays)
    film = head.branch.modulation(rays, head.shown_source, aligned.in_3d, aligned.in_2d, weights)
    marched = _marched(head.plain, heads.query.camera, rays, film, sampling, rng)
    features, alpha = (part.reshape(*part.shape[:2], patch.side, patch.side) for part in marched)
    return features, alpha, *head.plain.superresolved(features, alpha)


def _marched(
    head: OfPlanesHead,
    camera: Camera,
    rays: QueryRays,
    film: Tensor,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Features [B, F, N] and alpha [B, 1, N] of rays, with samples about the surface that is there."""
    origins, directions = camera.rays(rays.pixels)
    surface = torch.where(rays.alpha > 0.5, (rays.points - origins).norm(dim=-1), 0.0)
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    distances = guided_distances(origins, directions, surface, head.volume.box_side, sampling.samples, random)
    output = head.march(origins, directions, distances, film)
    return output.features.transpose(1, 2), output.alpha[:, None]


def portrait_likeness(
    pairs: ViewPairs,
    heads: QueryHeads,
    aligned: AlignedFeatures,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> Tensor:
    """Likeness of the query views' faces to the photos."""
    head, camera = heads.head, heads.query.camera
    pixels = face_positions(pairs.photos.device).expand(len(pairs.photos), -1, -1)
    with torch.no_grad():
        origins, directions = camera.rays(pixels)
        seen = head.plain.trace(origins, directions)
    points = origins + directions * seen.distance[..., None]
    rays = QueryRays(pixels, points, points, head.plain.surface_colors(seen), seen.alpha)
    rays = head.plain.on_places(rays, None)
    film = head.branch.modulation(rays, head.shown_source, aligned.in_3d, aligned.in_2d)
    features, _ = _marched(head.plain, camera, rays, film, sampling, rng)
    photo = face_square(pairs.photos)
    faces = features[:, :3].reshape(-1, 3, FACE_SIDE, FACE_SIDE)
    alpha = seen.alpha.reshape(-1, 1, FACE_SIDE, FACE_SIDE)
    return likeness_loss(faces + (1.0 - alpha) * photo, photo)


def middle_pictures(
    heads: QueryHeads,
    aligned: AlignedFeatures,
    sampling: PatchSampling,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Pictures for the discriminator: the middle of the query views with details [B, 3, P, P] in [-1, 1] over grey, as
    many pixels as the patches' rays make in the final picture, and their camera labels [B, 25]."""
    patch = _middle(heads, sampling)
    _, _, color, _ = _detailed_patch(heads, aligned, patch, sampling, rng)
    alpha = patch.pixels(heads.query.alpha)
    return _over_grey(torch.minimum(color, alpha), alpha), _labels(heads.query.camera)


def true_middles(
    pairs: ViewPairs, heads: QueryHeads, sampling: PatchSampling, *, own_view: bool
) -> tuple[Tensor, Tensor]:
    """True pictures for the discriminator, as :func:`middle_pictures` makes them, within the reconstruction's outline.

    Args:
        pairs: Photos and the truth of the query views.
        heads: What is made of the photos.
        sampling: Rays and samples.
        own_view: Whether to show the photo itself; else the query view.
    """
    patch = _middle(heads, sampling)
    color, view = (pairs.photos, heads.seen) if own_view else (pairs.color, heads.query)
    alpha = view.alpha if own_view else view.alpha * (1.0 - pairs.outside)
    return _over_grey(patch.pixels(color * alpha), patch.pixels(alpha)), _labels(view.camera)


def _middle(heads: QueryHeads, sampling: PatchSampling) -> Patches:
    depth, times = heads.query.depth, heads.head.plain.generator.config.enlargement
    return middle_patches(len(depth), sampling.side, depth.shape[-1], depth.device, enlargement=times)


def _over_grey(color: Tensor, alpha: Tensor) -> Tensor:
    return 2.0 * color - alpha  # in [-1, 1]: 2 (c + (1 - a) / 2) - 1


def _labels(camera: Camera) -> Tensor:
    return to_label(camera.cam2world, intrinsics(camera.focal).to(camera.cam2world.device))


def _robust(error: Tensor) -> Tensor:
    """Absolute errors, rounded below 0.02, summed over colours."""
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").sum(dim=1, keepdim=True)
