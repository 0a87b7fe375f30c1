"""Two-pass rendering of anchored rays, native without its per-sample tensors, and what it skips."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d
from torch.utils.weak import WeakIdKeyDictionary

from ...conventions import BOX_SIDE
from .._gradients import needs_gradient
from ..render_rays import DecoderWeights, RayOutput, RaySampling
from ..render_rays.limits import SkipLimits
from ..render_rays.two_passes import march_two_passes, render_in_parts
from . import cuda
from .march import check_heads, kernel_head, kernel_settings, march_anchored
from .points import decode_points, is_native
from .rays import render_by_points
from .reference import NOTHING, AnchoredHeads, CanonicalSpace, finer_cells

SKIP_TOLERANCE = 1.5e-3
"""Error of alpha and features that skipping is made for: a third each for space whose density is close to zero, for
what lies behind what a ray hit, and for features of samples that count little. The first is measured, not proven:
density is known at the corners of a grid, and between them up to what ``_SLACK`` allows."""

_CELLS = 64  # along a side of the grid: of 5.8 mm, as large as the planes' texels where these are largest
_SLACK = 1.5  # raw density; on trained heads 999 places of 1000 in empty cells exceed their corners by less
_HAZE = 0.1
"""Part of the longest way that is at most as dense as skipped space may be; alpha errs by 5e-4 on trained heads, as
without it."""

_POINTS_AT_ONCE = 65536
_RAYS_AT_ONCE = 8192  # point by point; what their samples need stays below half a gigabyte


def render_anchored(
    heads: AnchoredHeads,
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    decoder: DecoderWeights,
    sampling: RaySampling,
    space: CanonicalSpace,
    *,
    exact: bool = False,
) -> RayOutput:
    """Two-pass volume rendering: even samples, then more of them where the first saw something.

    Args:
        heads: Planes, volumes and biases.
        origins: World positions where rays start.
        directions: Unit vectors.
        decoder: Weights with gains applied; its own hidden bias is not read.
        sampling: Sampling of rays.
        space: Layout of the planes, and the mesh's density.
        exact: Whether to skip nothing; otherwise, where no gradient is asked for, see ``SKIP_TOLERANCE``.

    Returns:
        What rays see; without gradient, native code keeps no weights.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: as :func:`.march_anchored`; distances of the second pass are constants.
    """
    check_heads(heads, origins, directions)
    head, settings = kernel_head(heads, decoder), kernel_settings(heads.volumes.face_box, space)
    rays = (origins, directions)
    kernels = cuda.cuda_kernels(head, settings, *rays, samples=sampling.num_samples + sampling.num_importance)
    if kernels is None and not is_native(*head, *rays):

        def render(origins: Tensor, directions: Tensor) -> RayOutput:
            return render_by_points(heads, origins, directions, decoder, sampling, space)

        return render_in_parts(render, origins, directions, rays_at_once=_RAYS_AT_ONCE)
    if needs_gradient(*head, *rays):

        def march(distances: Tensor) -> RayOutput:
            return march_anchored(heads, origins, directions, distances, decoder, space)

        return march_two_passes(march, origins, directions, sampling)
    skips = kernels is None and not exact
    bounds = _bounds(head, settings) if skips else heads.planes.new_empty(len(heads.planes), 0, 0, 0)
    if heads.empty is not None:
        bounds = _bounds_within(bounds, heads.empty)
    if kernels is not None:
        given = None if heads.empty is None else bounds
        seen = cuda.render_anchored_forward(kernels, head, settings, origins, directions, sampling, given)
        return RayOutput(*seen, weights=origins.new_empty(*seen[1].shape, 0))
    limits = SkipLimits.of(0.0 if exact else SKIP_TOLERANCE, sampling, haze=_HAZE)
    empty_raw = limits.empty_raw if heads.empty is None else max(limits.empty_raw, NOTHING)
    features, alpha, distance = torch.ops.geoinv.render_anchored_forward(
        *head,
        settings,
        bounds,
        origins.contiguous(),
        directions.contiguous(),
        sampling.num_samples,
        sampling.num_importance,
        sampling.limits == "box",
        sampling.near,
        sampling.far,
        empty_raw,
        limits.min_transmittance,
        limits.least_share,
    )
    return RayOutput(features, alpha, distance, weights=origins.new_empty(*alpha.shape, 0))


def cell_densities(heads: AnchoredHeads, decoder: DecoderWeights, space: CanonicalSpace) -> Tensor:
    """[B, 64, 64, 64] the most raw density at the corners of the cells of the box, indexed by z, y, x.

    Arguments as of :func:`render_anchored`. Without gradients; cells that are known to be empty count as they are.
    """
    head, settings = kernel_head(heads, decoder), kernel_settings(heads.volumes.face_box, space)
    if is_native(*head):
        return _bounds(head, settings) - _SLACK
    ticks = (torch.arange(_CELLS + 1, device=heads.planes.device) / _CELLS - 0.5) * BOX_SIDE
    z, y, x = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
    corners = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3).expand(len(heads.planes), -1, -1)
    parts = (decode_points(heads, part, decoder, space)[0] for part in corners.split(_POINTS_AT_ONCE, dim=1))
    at_corners = torch.cat(list(parts), dim=1).unflatten(1, (_CELLS + 1,) * 3)
    return max_pool3d(at_corners[:, None], 2, stride=1)[:, 0]


@dataclass(frozen=True)
class _Prepared:
    """Bounds of heads, and what they were made from."""

    versions: tuple[int, ...]
    others: tuple[Tensor, ...]
    settings: list[float]
    bounds: Tensor


_PREPARED: MutableMapping[Tensor, _Prepared] = WeakIdKeyDictionary()
"""By planes: many views are taken of a head, and every one needs the bounds."""


def _bounds(head: tuple[Tensor, ...], settings: list[float]) -> Tensor:
    """Bounds of raw density [B, cells, cells, cells] of heads, given as the kernels take them."""
    planes, *others = head
    versions = tuple(-1 if tensor.is_inference() else tensor._version for tensor in head)
    known = _PREPARED.get(planes)
    is_current = known is not None and min(versions) >= 0 and (known.versions, known.settings) == (versions, settings)
    if known is not None and is_current and all(map(_is_same, known.others, others)):
        return known.bounds
    bounds: Tensor = torch.ops.geoinv.anchored_bounds(*head, settings, _CELLS, _SLACK)
    _PREPARED[planes] = _Prepared(versions, tuple(tensor.detach() for tensor in others), settings, bounds)
    return bounds


_EMPTY = -3e38
"""Bound of cells in which nothing is: its mean with any other is so low that intervals which end there are skipped."""

_WITHIN: MutableMapping[Tensor, tuple[Tensor, Tensor]] = WeakIdKeyDictionary()
"""By cells that are empty: the bounds that they were joined with, and the result."""


def _bounds_within(bounds: Tensor, empty: Tensor) -> Tensor:
    """Bounds [B, G, G, G] that no density in cells which are empty, [B, G, G, G] bool, is above."""
    known = _WITHIN.get(empty)
    if known is not None and known[0] is bounds and not empty.is_inference():
        return known[1]
    cells = bounds.shape[1]
    unknown = bounds.new_full((1, 1, 1, 1), -NOTHING).expand(empty.shape)
    finer = finer_cells(bounds, empty.shape[1]) if cells else unknown
    within = finer.masked_fill(empty, _EMPTY)
    _WITHIN[empty] = bounds, within
    return within


def _is_same(known: Tensor, other: Tensor) -> bool:
    """Whether these hold the same numbers, given that neither was changed; volumes are not read for it."""
    is_one = known.data_ptr() == other.data_ptr() and known.shape == other.shape and known.stride() == other.stride()
    return is_one or torch.equal(known, other)
