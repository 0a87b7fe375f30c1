"""Skin of the upper lids that is only seen when eyes close, as sheets of their own.

An open eye folds most of its upper lid away, and what is left of it in a photo, with its lashes, is a few pixels high.
Stretched over a closed lid these are dark or pink streaks. So each lid is there twice: the skin shows what the photo
shows, and a sheet just under it, with texels of its own, comes to lie just above it as ``eyeBlink`` closes the lid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera.visibility import ramp
from ..conventions import MM_PER_UNIT
from ..mesh.head_mesh import pieces_of
from ..shape import ARKIT_UNITS, HeadModel

_MM = 1.0 / MM_PER_UNIT
_UNDER, _OVER = 0.3 * _MM, 0.5 * _MM  # the skin, where eyes are open and where they are closed
_AT_RIM = 0.06 * _MM  # under the skin in any case
_LEAST = 0.1  # of the most that a blink lowers the skin, where sheets begin
_RISES = (0.1, 0.35)  # of it, where they begin to lie off the skin, and where all of their distance is reached
_TURNED_AWAY = -0.3  # z of normals of closed lids' undersides, which no sheet has
_MARGIN = 0.04  # of a sheet's half of the texture, around the sheet
_BLINKS = tuple(ARKIT_UNITS.index(name) for name in ("eyeBlinkRight", "eyeBlinkLeft"))


@dataclass(frozen=True, eq=False)
class Eyelids:
    """Both sheets, the same for all people: L corners.

    Args:
        corners: [L] corner of the skin that each lies at.
        rows: [L] vertex of the skin.
        uvs: [L, 2] places in their texture: the closed lids from the front, the right one in the left half.
        closed: [L, 3] places on the mean head's closed lids, world units.
        sinks: [L] how far a blink lowers each, as a part of the most: 0 where a sheet goes over into the skin.
        triangles: [F, 3] rows of ``corners``.
        under: [L, 3] world units from a sheet to the open lid.
        over: [L, 3] world units from the closed lid to a sheet.
        blinks: [L] expression that closes the lid.
    """

    corners: NDArray[np.int64]
    rows: NDArray[np.int64]
    uvs: NDArray[np.float32]
    closed: NDArray[np.float64]
    sinks: NDArray[np.float64]
    triangles: NDArray[np.int64]
    under: Tensor
    over: Tensor
    blinks: NDArray[np.int64]

    def on(self, vertices: Tensor, expression: Tensor) -> Tensor:
        """Places [B, L, 3] on heads of vertices [B, V, 3] with expressions [B, 52]."""
        closed = expression[:, self.blinks][..., None]
        return vertices[:, self.rows] - (1.0 - closed) * self.under + closed * self.over


@lru_cache(maxsize=2)
@torch.no_grad()
def eyelids(model: HeadModel) -> Eyelids:
    """The sheets of a model."""
    part = model.parts["skin"]
    corner_vertices = model.corner_vertices[part.corners].numpy()
    skin_triangles = model.corner_triangles[part.triangles].numpy()
    basis = model.expression_basis[list(_BLINKS)]  # [2, V, 3]
    shut = model.mean + basis.sum(dim=0)
    closed = shut[corner_vertices].double().numpy()
    sinking = -basis[:, corner_vertices, 1].double().numpy()  # [2, C]
    sinks = sinking.max(axis=0).clip(0.0) / sinking.max()
    island = pieces_of(skin_triangles, len(corner_vertices))
    is_lid = (island == np.bincount(island).argmax()) & (sinks > _LEAST)  # not in the sockets
    sheets = skin_triangles[is_lid[skin_triangles].any(axis=1)]  # with a rim at which they end
    corners, numbers = np.unique(sheets[_is_seen(closed[sheets])], return_inverse=True)
    rows = corner_vertices[corners]
    rises = ramp(torch.from_numpy(sinks[corners]), *_RISES)[:, None].float()
    open_normals, shut_normals = model.normals(torch.stack([model.mean, shut]))[:, rows]
    return Eyelids(
        corners,
        rows,
        _from_the_front(closed[corners]),
        closed[corners],
        sinks[corners],
        numbers.reshape(-1, 3).astype(np.int64),
        under=(_AT_RIM + (_UNDER - _AT_RIM) * rises) * open_normals,
        over=((_OVER + _AT_RIM) * rises - _AT_RIM) * shut_normals,
        blinks=np.array(_BLINKS)[sinking[:, corners].argmax(axis=0)],
    )


def sheets_of(lids: Eyelids, skin_triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles [F', 3] of the sheets on a skin with other triangles [F, 3] between its corners."""
    row_of = np.full(skin_triangles.max() + 1, -1)
    own = lids.corners[lids.corners < len(row_of)]
    row_of[own] = np.arange(len(own))
    triangles = row_of[skin_triangles]
    triangles = triangles[(triangles >= 0).all(axis=1)]
    return np.asarray(triangles[_is_seen(lids.closed[triangles])])


def _is_seen(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[F] which triangles [F, 3, 3] of closed lids do not look away from the front."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(normals[:, 2] > _TURNED_AWAY * np.linalg.norm(normals, axis=1))


def _from_the_front(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Places [N, 2] in the texture of closed lids' corners [N, 3]."""
    uvs = np.zeros((len(places), 2))
    for left, own in ((0.0, places[:, 0] < 0.0), (0.5, places[:, 0] >= 0.0)):
        low, high = places[own, :2].min(axis=0), places[own, :2].max(axis=0)
        uvs[own] = (_MARGIN + (1.0 - 2.0 * _MARGIN) * (places[own, :2] - low) / (high - low)) * (0.5, 1.0) + (left, 0.0)
    return uvs.astype(np.float32)
