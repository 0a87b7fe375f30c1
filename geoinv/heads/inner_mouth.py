"""Teeth, tongue and throat of heads on the head mesh, drawn from the mesh.

An open mouth is a few centimetres of surfaces that are some millimetres apart, and cells of the anchor volume are no
smaller: a volume has a grey wall there. The mesh knows where all of it lies, so between the lips views show the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..camera.visibility import ramp
from ..images.depth_buffer import draw_surface, values_at
from ..models.drawn_surface import DrawnSurface
from ..shape import HeadModel
from ..shape.inner_mouth import TEETH_TINT, lip_rims, mouth_bag, mouth_offsets, parted_mm
from ..shape.vertex_normals import vertex_normals

_FINER = 2  # drawn at this many times the rays along each side, and averaged
_MARGIN = 0.01  # parts of the picture's side about the rims of the lips, through which all is seen
_PARTED = (2.5, 4.5)  # millimetres between the lips, 2.5 at rest, from which something shows there, and all of it
_UPPER_MM = 1.2  # by which upper teeth lie lower: with an avatar's 2, smiles show as much of gums as of teeth
_TONGUE_TIP, _TONGUE_ROOT, _THROAT = (0.62, 0.32, 0.32), (0.10, 0.03, 0.035), (0.16, 0.05, 0.05)  # albedo
_TONGUE_LIT = (0.25, 1.0)  # parts of the way from root to tip where the one colour begins to be the other, and is it
_GLOSS_OF_TEETH, _GLOSS = 0.06, 0.03
_LIT = (0.35, 0.95)  # parts of the way from the throat to the front teeth where light begins to come, and is all there
_AT_BACK = 0.12  # of the light at the front teeth
_LOOKS_BACK, _IN_ITS_SHADE = (-0.6, 0.3), 0.3  # z of normals that face the throat and that do not; light on the first
_FROM_FRONT = 0.6  # of a normal: light comes in through the lips alone, whichever way a surface looks
_SHADE, _IN_SHADE = (0.0, 0.012), 0.75  # parts of a picture's side from the lips to the end of their shade; its light


@dataclass(frozen=True, eq=False)
class _Mesh:
    """What is drawn of all heads of a model.

    Args:
        rows: [N] which of the model's vertices, followed by those of the fine teeth.
        triangles: [F, 3] of these.
        is_inner: [F] whether a triangle lies behind the lips.
        albedo: [N, 3] in [0, 1], darker where less light comes.
        gloss: [N, 1].
    """

    rows: Tensor
    triangles: NDArray[np.int64]
    is_inner: NDArray[np.bool_]
    albedo: Tensor
    gloss: Tensor


class InnerMouth:
    """What lies between the lips of one head.

    Args:
        model: The head mesh model, on the CPU.
        vertices: [V, 3] of the head, without gradient.
    """

    def __init__(self, model: HeadModel, vertices: Tensor) -> None:
        self._mesh = _mesh_of(model)
        vertices = vertices.float().cpu()
        rims = lip_rims(model, vertices)
        self._opacity = float(ramp(torch.tensor(parted_mm(rims)), *_PARTED))
        if not self.is_shown:
            return
        moved = (vertices + mouth_offsets(model, _UPPER_MM))[None]
        tongue = moved[0, model.parts["tongue"].vertices]
        self._shown_at = torch.cat([rims, tongue[tongue[:, 2] > rims[:, 2].min()]])[None]  # and a tongue that is out
        teeth = model.teeth.on(moved)
        normals = torch.cat([model.normals(moved), vertex_normals(teeth, model.teeth.triangles)], dim=1)[0]
        normals = normals[self._mesh.rows]
        self._vertices = torch.cat([moved, teeth], dim=1)[:, self._mesh.rows]
        light = _IN_ITS_SHADE + (1.0 - _IN_ITS_SHADE) * ramp(normals[:, 2:], *_LOOKS_BACK)
        ahead = normals.new_tensor([0.0, 0.0, _FROM_FRONT])
        normals = F.normalize((1.0 - _FROM_FRONT) * normals + ahead, dim=-1)
        self._looks = torch.cat([self._mesh.albedo * light, self._mesh.gloss, normals], dim=1).numpy()

    @property
    def is_shown(self) -> bool:
        """Whether the lips are open."""
        return self._opacity > 0.0

    def drawn(self, camera: Camera, side: int) -> DrawnSurface | None:
        """What a camera sees between the lips in a picture of ``side`` x ``side`` rays; None where that is nothing."""
        if not self.is_shown:
            return None
        import cv2  # here, as heads are loaded where nothing is drawn

        places, depth = camera.project(self._vertices)
        fine = side * _FINER
        pixels, depths = places[0].double().numpy() * fine, depth[0].double().numpy()
        triangles = self._mesh.triangles
        low, high = _window(camera.project(self._shown_at)[0][0].double().numpy(), side)
        if (low >= high).any():
            return None
        pixels = pixels - _FINER * low
        width, height = (_FINER * (high - low)).tolist()
        shown, nearest = draw_surface(pixels, depths, triangles, (width, height))
        is_inner = (shown >= 0) & self._mesh.is_inner[shown]
        if not is_inner.any():
            return None
        rows, columns = np.nonzero(is_inner)
        looks = values_at(pixels, triangles, shown[rows, columns], columns + 0.5, rows + 0.5, self._looks)
        from_lips = cv2.distanceTransform(is_inner.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[rows, columns] / fine
        shade = _IN_SHADE + (1.0 - _IN_SHADE) * ramp(torch.from_numpy(from_lips), *_SHADE).numpy()
        looks[:, :4] *= shade[:, None]
        found = np.concatenate([np.ones((len(rows), 1)), nearest[rows, columns, None], looks], axis=1)
        maps = np.zeros((height, width, found.shape[1]), np.float32)
        maps[rows, columns] = self._opacity * found
        pictures = F.avg_pool2d(torch.from_numpy(maps).permute(2, 0, 1)[None], _FINER)
        (left, top), (right, bottom) = low.tolist(), (side - high).tolist()
        pictures = F.pad(pictures, (left, right, top, bottom))
        return DrawnSurface(*pictures.split([1, 1, looks.shape[1]], dim=1))


def _window(places: NDArray[np.float64], side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last corner [2] of the pixels about places [N, 2], in parts of a picture's side."""
    low, high = np.floor((places.min(axis=0) - _MARGIN) * side), np.ceil((places.max(axis=0) + _MARGIN) * side)
    return low.clip(0, side).astype(np.int64), high.clip(0, side).astype(np.int64)


@lru_cache(maxsize=2)
def _mesh_of(model: HeadModel) -> _Mesh:
    mean, count = model.mean, len(model.mean)
    places = mean + mouth_offsets(model, _UPPER_MM)
    places = torch.cat([places, model.teeth.on(places[None])[0]])
    is_bag, skin = mouth_bag(model), model.triangles[model.parts["skin"].triangles]
    tongue = model.triangles[model.parts["tongue"].triangles]
    teeth = model.teeth.triangles + count
    triangles = torch.cat([skin, tongue, teeth])
    is_inner = torch.cat([is_bag[skin].all(dim=1), torch.ones(len(tongue) + len(teeth), dtype=torch.bool)])

    albedo = torch.tensor(_THROAT).expand(len(places), 3).clone()
    of_tongue = model.parts["tongue"].vertices
    share = ramp(_along(places[of_tongue, 2:]), *_TONGUE_LIT)
    albedo[of_tongue] = torch.lerp(torch.tensor(_TONGUE_ROOT), torch.tensor(_TONGUE_TIP), share)
    albedo[count:] = torch.tensor(TEETH_TINT) * model.teeth.colours
    throat, front = mean[is_bag, 2].min(), places[count:, 2].max()
    albedo *= _AT_BACK + (1.0 - _AT_BACK) * ramp((places[:, 2:] - throat) / (front - throat), *_LIT)
    gloss = torch.full((len(places), 1), _GLOSS)
    gloss[count:] = _GLOSS_OF_TEETH
    rows, renumbered = triangles.unique(return_inverse=True)
    return _Mesh(rows, renumbered.numpy(), is_inner.numpy(), albedo[rows], gloss[rows])


def _along(values: Tensor) -> Tensor:
    """Values as parts of the way from the least to the most."""
    return (values - values.min()) / (values.max() - values.min())
