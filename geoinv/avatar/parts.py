"""The parts of an avatar, each with its own material: skin, teeth, tongue, eyes and lids of the person at rest.

A part lists its *corners* (a vertex with one place in the texture) as rows of the template's vertices, so that the same
part can be placed in the photo, at rest and at every expression: ``part.placed(template.in_photo())``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..conventions import BOX_LIMIT
from ..shape import HeadModel, Part
from ..shape.vertex_normals import vertex_normals
from .eyelids import eyelids
from .template import FittedTemplate, all_vertices

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

SKIN, TEETH, TONGUE, RIGHT_EYE, LEFT_EYE, EYELIDS = PART_NAMES = (
    "skin",
    "teeth",
    "tongue",
    "right-eye",
    "left-eye",
    "eyelids",
)
"""Parts in their order; right and left are the person's own."""

MATERIALS = {
    SKIN: "skin",
    TEETH: "teeth",
    TONGUE: "tongue",
    RIGHT_EYE: "eyes",
    LEFT_EYE: "eyes",
    EYELIDS: "eyelids",
}
"""Material of each part; both eyes share theirs."""


@dataclass(frozen=True, eq=False)
class AvatarPart:
    """One part at rest: a mesh of M corners and F triangles.

    Args:
        name: One of ``PART_NAMES``.
        material: Name of its material and texture.
        rows: [M] vertex of each corner, rows of :func:`~geoinv.avatar.template.all_vertices`.
        positions: [M, 3] in world units.
        normals: [M, 3] unit vectors, outward; the same for all corners of a vertex.
        uvs: [M, 2] place in the part's texture, the origin at its lower left; 0 to 1.
        triangles: [F, 3] corners, counter-clockwise from outside.
        colours: [M, 3] sRGB in [0, 1] where the part has colours instead of a texture (teeth), else None.
    """

    name: str
    material: str
    rows: IntArray
    positions: FloatArray
    normals: FloatArray
    uvs: FloatArray
    triangles: IntArray
    colours: FloatArray | None = None

    def placed(self, vertices: Tensor | NDArray[np.floating[Any]]) -> FloatArray:
        """What belongs to the vertices [A, C] (places, normals), at the corners: [M, C]."""
        values = vertices.detach().cpu().numpy() if isinstance(vertices, Tensor) else vertices
        return np.asarray(values[self.rows], dtype=np.float32)


def avatar_parts(template: FittedTemplate) -> tuple[AvatarPart, ...]:
    """The parts of a person at rest, in the order of ``PART_NAMES``."""
    model = template.model
    vertices = template.at_rest()
    normals = all_normals(model, vertices[None])[0]

    def part(name: str, layout: Layout) -> AvatarPart:
        places, outward = vertices.numpy()[layout.rows], normals.numpy()[layout.rows]
        triangles = within_box(layout.triangles, places)
        return AvatarPart(name, MATERIALS[name], layout.rows, places, outward, layout.uvs, triangles, layout.colours)

    return tuple(part(name, make(model)) for name, make in LAYOUTS.items())


def within_box(triangles: IntArray, places: FloatArray) -> IntArray:
    """The triangles [F, 3] that are not flattened onto a side of the box, where shoulders end."""
    is_on_side = np.abs(places) >= np.float32(BOX_LIMIT)  # [M, 3]
    is_flat = np.any(np.all(is_on_side[triangles], axis=1), axis=1)
    return np.asarray(triangles[~is_flat])


@torch.no_grad()
def all_normals(model: HeadModel, vertices: Tensor) -> Tensor:
    """Unit normals [B, A, 3] of vertices [B, A, 3]; see :func:`~geoinv.avatar.template.all_vertices`."""
    count = model.mean.shape[0]
    teeth = model.teeth
    of_model = model.normals(vertices[:, :count])
    of_teeth = vertex_normals(vertices[:, count : count + len(teeth.anchors)], teeth.triangles)
    return torch.cat([of_model, of_teeth, of_model[:, eyelids(model).rows]], dim=1)


@dataclass(frozen=True)
class Layout:
    """What is the same for all people; see :class:`AvatarPart`."""

    rows: IntArray
    uvs: FloatArray
    triangles: IntArray
    colours: FloatArray | None = None


def _of_model(model: HeadModel, part: Part) -> Layout:
    """A part of the head model with its places in MakeHuman's texture."""
    rows = model.corner_vertices[part.corners].numpy()
    triangles = (model.corner_triangles[part.triangles] - part.corners.start).numpy()
    return Layout(rows, model.uvs[part.corners].numpy(), triangles)


def _skin(model: HeadModel) -> Layout:
    return _of_model(model, model.parts["skin"])


def _tongue(model: HeadModel) -> Layout:
    """The tongue, whose island fills a texture of its own."""
    layout = _of_model(model, model.parts["tongue"])
    low, high = layout.uvs.min(axis=0), layout.uvs.max(axis=0)
    return Layout(layout.rows, (layout.uvs - low) / (high - low), layout.triangles)


def _teeth(model: HeadModel) -> Layout:
    """The fine teeth and gums, which have colours on their vertices."""
    teeth = model.teeth
    count = len(teeth.anchors)
    rows = np.arange(count, dtype=np.int64) + model.mean.shape[0]
    return Layout(rows, np.zeros((count, 2), np.float32), teeth.triangles.numpy(), teeth.colours.numpy())


def _eyelids(model: HeadModel) -> Layout:
    """The sheets of closed lids, in a texture of their own."""
    lids = eyelids(model)
    first = model.mean.shape[0] + len(model.teeth.anchors)
    return Layout(np.arange(first, first + len(lids.rows), dtype=np.int64), lids.uvs, lids.triangles)


def _eye(name: str) -> Callable[[HeadModel], Layout]:
    """An eyeball, seen from the front: Lambert's equal-area map in its half of the texture, the right eye's first."""

    def make(model: HeadModel) -> Layout:
        part = model.parts[name]
        ball = all_vertices(model, model.mean_codes())[0, part.vertices].numpy()
        outward = ball - ball.mean(axis=0)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        aside = np.linalg.norm(outward[:, :2], axis=1, keepdims=True)
        radius = 0.5 * np.sqrt((1.0 - outward[:, 2:]).clip(0.0) / 2.0)  # half the sine of half the angle from the front
        middle = (0.25 if name == RIGHT_EYE else 0.75, 0.5)
        uvs = middle + (0.5, 1.0) * radius * outward[:, :2] / np.maximum(aside, 1e-6)
        triangles = (model.triangles[part.triangles] - part.vertices.start).numpy()
        rows = np.arange(part.vertices.start, part.vertices.stop, dtype=np.int64)
        is_cap = (ball[triangles][:, :, 2].max(axis=1) < ball[:, 2].mean()) & _is_turned_over(uvs[triangles])
        return Layout(rows, uvs.astype(np.float32), triangles[~is_cap])  # the cap at the back, which nobody sees

    return make


def _is_turned_over(corners: FloatArray) -> NDArray[np.bool_]:
    """[F] which triangles [F, 3, 2] run clockwise in the texture."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] <= 0.0)


LAYOUTS: dict[str, Callable[[HeadModel], Layout]] = {
    SKIN: _skin,
    TEETH: _teeth,
    TONGUE: _tongue,
    RIGHT_EYE: _eye(RIGHT_EYE),
    LEFT_EYE: _eye(LEFT_EYE),
    EYELIDS: _eyelids,
}
