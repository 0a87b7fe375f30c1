"""Pure torch specification: any dtype, device and order of gradient.

A point x of a head, with d, s, n and p read from its anchor volume (displacement, signed distance, normal, part):

    c = x + d                                   the same place on the average head
    u = foveated(c)                             in [-1, 1], with more texels about the face
    f = (t front(u.xy) + (1 - t) back(u.xy) + top(u.xz) + side(u.zy)) / 3      t rises from 0 to 1 at the slabs' border
    h = softplus(W [f, clamp(s / scale, -1, 1) for each scale, p] + b)         b is of each head
    raw = gain * o_0 + floor + density * sigmoid(-s / softness)                o = W' h + b'
    albedo, gloss = widened sigmoid(o_1..4),  normal = n + o_5..7

Raw densities and what rays composite are those of :mod:`geoinv.ops.render_rays`; light is applied once a ray, to what
was composited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...conventions import BOX_SIDE
from ..render_rays import DecoderWeights

Box = tuple[tuple[float, float], ...]
"""Lowest and highest x, y and z."""

FACE_MARGIN = 0.1
"""Part of the face's box, at each side, in which the two volumes are blended."""

PLANES = 4
"""Front and back slab of the frontal plane, the plane from above and that of the profile."""

FEATURES = 7
"""Albedo 3, gloss 1, normal 3."""


class AnchorVolumes(NamedTuple):
    """Volumes of heads; the eight channels are displacement to the average head 3, signed distance 1, normal 3, part 1.

    Args:
        whole: [B, G, G, G, 8] of the whole box, indexed by z, y, x.
        face: [B, F, F, F, 8] of the face's box.
        face_box: Limits of the face's box.
    """

    whole: Tensor
    face: Tensor
    face_box: Box


@dataclass(frozen=True)
class CanonicalSpace:
    """How planes lie about the average head, and the density that the mesh has by itself.

    Args:
        fovea: Centre in world units, and strength, along x, y and z: texels at the centre are (1 + strength * distance)
            squared times as dense as those at a distance.
        slab_border: z at which the frontal plane changes from its back to its front slab.
        slab_width: Width of the change.
        distance_scales: World units at which the distances that the decoder reads saturate.
        density: Raw density inside of the mesh.
        floor: Raw density far outside.
        softness: World units in which density rises at the surface.
        gain: Factor on the decoder's own density.
    """

    fovea: tuple[tuple[float, float], ...] = ((0.0, 3.0), (-0.02, 2.5), (0.25, 1.5))
    slab_border: float = 0.0
    slab_width: float = 0.1
    distance_scales: tuple[float, ...] = (0.01, 0.05, 0.2)
    density: float = 300.0
    floor: float = -4.0
    softness: float = 0.003
    gain: float = 20.0


class AnchoredHeads(NamedTuple):
    """Everything that rays read of B heads.

    Args:
        planes: [B, 4, C, R, R] painted for the average head; (column, row) are (x, y), (x, y), (x, z) and (z, y).
        volumes: Anchor volumes.
        hidden_bias: [B, H] bias of the decoder's hidden units.
        empty: [B, G, G, G] bool, indexed by z, y, x: cells of the whole box in which nothing is, whatever the planes
            say; None where none is known. G is a multiple of 64.
    """

    planes: Tensor
    volumes: AnchorVolumes
    hidden_bias: Tensor
    empty: Tensor | None = None


NOTHING = -1e30
"""Raw density in empty cells: no interval that begins or ends there is seen."""


def is_empty(empty: Tensor, points: Tensor) -> Tensor:
    """[B, N] whether world points [B, N, 3] lie in cells of the box that are empty, [B, G, G, G] bool."""
    cells = empty.shape[1]
    x, y, z = ((points.detach() / BOX_SIDE + 0.5) * cells).floor().long().unbind(dim=-1)
    inside = ((x >= 0) & (y >= 0) & (z >= 0) & (x < cells) & (y < cells) & (z < cells)).to(empty.device)
    index = ((z * cells + y) * cells + x).clamp(0, cells**3 - 1)
    return empty.flatten(1).gather(1, index) & inside


def read_anchor_reference(volumes: AnchorVolumes, points: Tensor) -> Tensor:
    """The eight channels [B, N, 8] at world points [B, N, 3]: trilinear, the face's volume within its box."""
    limits = torch.tensor(volumes.face_box).to(points)
    in_face = 2.0 * (points - limits[:, 0]) / (limits[:, 1] - limits[:, 0]) - 1.0  # [-1, 1] inside
    inset = (1.0 - in_face.abs()).amin(dim=-1, keepdim=True) / (2.0 * FACE_MARGIN)
    whole, face = _trilinear(volumes.whole, points * (2.0 / BOX_SIDE)), _trilinear(volumes.face, in_face)
    return torch.lerp(whole, face, inset.clamp(0.0, 1.0))


def _trilinear(volume: Tensor, places: Tensor) -> Tensor:
    """volume [B, G, G, G, K] at places [B, N, 3] in [-1, 1], held constant beyond -> [B, N, K]."""
    by_channel, places = volume.permute(0, 4, 1, 2, 3), places[:, None, None].to(volume.dtype)
    sampled = F.grid_sample(by_channel, places, padding_mode="border", align_corners=False)
    return sampled[:, :, 0, 0].transpose(1, 2)


def foveated(points: Tensor, space: CanonicalSpace) -> Tensor:
    """Points [..., 3] of the average head -> places on the planes in [-1, 1], a monotone map along each axis.

    With s(d) = d / (1 + k |d|): u = 2 (s(x - a) - s(-h - a)) / (s(h - a) - s(-h - a)) - 1, h being half of the box.
    """
    half = 0.5 * BOX_SIDE
    centre, strength = torch.tensor(space.fovea).to(points).unbind(dim=-1)

    def spread(offset: Tensor) -> Tensor:
        return offset / (1.0 + strength * offset.abs())

    lowest, highest = spread(-half - centre), spread(half - centre)
    return (2.0 * (spread(points - centre) - lowest) / (highest - lowest) - 1.0).clamp(-1.0, 1.0)


def front_share(depth: Tensor, space: CanonicalSpace) -> Tensor:
    """Weight of the front slab at z of the average head: 0 behind the border, 1 before it, linear between."""
    return ((depth - space.slab_border) / space.slab_width + 0.5).clamp(0.0, 1.0)


def sample_canonical_reference(planes: Tensor, places: Tensor, front: Tensor) -> Tensor:
    """Features [B, N, C] of places.

    Args:
        planes: [B, 4, C, R, R].
        places: [B, N, 3] in [-1, 1], see :func:`foveated`; held constant beyond the outermost texels' centres.
        front: [B, N] weight of the front slab in [0, 1].
    """
    batch, _, channels, side, _ = planes.shape
    x, y, z = places.to(planes.dtype).unbind(dim=-1)
    columns_rows = torch.stack([torch.stack(pair, dim=-1) for pair in ((x, y), (x, y), (x, z), (z, y))], dim=1)
    sampled = F.grid_sample(
        planes.reshape(batch * PLANES, channels, side, side),
        columns_rows.reshape(batch * PLANES, 1, -1, 2),
        padding_mode="border",
        align_corners=False,
    ).reshape(batch, PLANES, channels, -1)
    share = front[:, None].to(planes.dtype)
    summed = share * sampled[:, 0] + (1.0 - share) * sampled[:, 1] + sampled[:, 2] + sampled[:, 3]
    return (summed / 3.0).transpose(1, 2)


def decode_anchored(
    features: Tensor,
    anchor: Tensor,
    hidden_bias: Tensor,
    decoder: DecoderWeights,
    space: CanonicalSpace,
    film: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Raw density [B, N] and features [B, N, 7] of points.

    Args:
        features: [B, N, C] of the planes.
        anchor: [B, N, 8] of the volume.
        hidden_bias: [B, H].
        decoder: Weights [H, C + scales + 1] and [8, H]; its own hidden bias is not read.
        space: Scales and densities.
        film: [B, N, 2 H] scales and shifts the hidden units that all but density read.
    """
    hidden = _hidden_units(features, anchor, hidden_bias, decoder, space)
    output = F.linear(hidden, decoder.output_weight, decoder.output_bias)
    raw = space.gain * output[..., 0] + space.floor
    raw = raw + space.density * torch.sigmoid(-anchor[..., 3] / space.softness)
    return raw, _features_of(output if film is None else _filmed(hidden, film, decoder), anchor)


def film_change(
    features: Tensor,
    anchor: Tensor,
    hidden_bias: Tensor,
    decoder: DecoderWeights,
    space: CanonicalSpace,
    film: Tensor,
) -> Tensor:
    """By how much a film changes the features of points, [B, N, 7]; arguments as in :func:`decode_anchored`."""
    hidden = _hidden_units(features, anchor, hidden_bias, decoder, space)
    without = F.linear(hidden, decoder.output_weight, decoder.output_bias)
    return _features_of(_filmed(hidden, film, decoder), anchor) - _features_of(without, anchor)


def _hidden_units(
    features: Tensor, anchor: Tensor, hidden_bias: Tensor, decoder: DecoderWeights, space: CanonicalSpace
) -> Tensor:
    """[B, N, H]."""
    distance, part = anchor[..., 3:4], anchor[..., 7:8]
    scaled = [(distance / scale).clamp(-1.0, 1.0) for scale in space.distance_scales]
    told = torch.cat([features, *scaled, part], dim=-1)
    return F.softplus(told @ decoder.hidden_weight.t() + hidden_bias[:, None])


def _filmed(hidden: Tensor, film: Tensor, decoder: DecoderWeights) -> Tensor:
    """The decoder's outputs [B, N, 8] of hidden units under a film [B, N, 2 H]."""
    scale, shift = film.chunk(2, dim=-1)
    return F.linear((1.0 + scale) * hidden + shift, decoder.output_weight, decoder.output_bias)


def _features_of(output: Tensor, anchor: Tensor) -> Tensor:
    """Albedo, gloss and normal [B, N, 7], from the decoder's outputs [B, N, 8] and the anchor [B, N, 8]."""
    colors = torch.sigmoid(output[..., 1:5]) * 1.002 - 0.001
    return torch.cat([colors, anchor[..., 4:7] + output[..., 5:]], dim=-1)


def finer_cells(of_cells: Tensor, count: int) -> Tensor:
    """[B, C, C, C] what is known of larger cells [B, G, G, G], of the ``count`` a side that these are cut into."""
    for axis in range(1, 4):
        of_cells = of_cells.repeat_interleave(count // of_cells.shape[axis], dim=axis)
    return of_cells
