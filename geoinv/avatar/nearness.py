"""How far points lie from the skin of a fitted head, and what is known of the skin nearest to them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..conventions import MM_PER_UNIT
from ..shape import HeadModel
from .parts import FloatArray, IntArray
from .template import FittedTemplate
from .texture.regions import skin_regions
from .texture.surface import skin_topology
from .texture.surface_fields import SurfaceFields, smoothstep

_MM = 1.0 / MM_PER_UNIT
CLOSE = 1.5 * _MM
"""World units above the skin, at least, of what lies on it."""

_GAP, _GAP_ON_FACE, _GAP_ON_NECK = 2.0 * _MM, 14.0 * _MM, 10.0 * _MM  # nearer to the template is the template's
_GAP_ON_CHEST = 16.0 * _MM  # the same of clothes that the photo shows: the skin's texture has the finer pixels of them
_FACE_EDGE = (0.04, 0.13)  # distances from the landmarks, world units, between which the face ends
_NEIGHBOURS = 6
_FOLLOWS_WITHIN = 25.0 * _MM  # of the skin: hair that moves with the face's expression


class Nearness:
    """Distances from the skin of a template as in the photo, smooth between its vertices.

    Args:
        template: The template fitted to the head.
        has_ears: Whether ears are part of it; hair lies over them as if there were none.
    """

    def __init__(self, template: FittedTemplate, *, has_ears: bool = True) -> None:
        from scipy.spatial import cKDTree

        model = template.model
        count = model.parts["skin"].vertices.stop
        in_photo = template.in_photo()
        self.places = in_photo[:count].numpy()
        self.normals = model.normals(in_photo[None, : len(model.mean)])[0, :count].numpy()
        self.moved = self.places - template.at_rest()[:count].numpy()
        if not has_ears:
            self.places, self.normals = without_ears(model, self.places, self.normals)
        self.gaps = _gaps(model)
        self.scalps = skin_regions(model).scalp.astype(np.float32)
        self.is_outer = ~skin_topology(model).hidden
        self.outer = np.flatnonzero(self.is_outer)
        self.tree = cKDTree(self.places[self.outer])
        self.tree_of_all = cKDTree(self.places)
        self._asked: FloatArray | None = None

    def mixed(self, points: FloatArray, values: FloatArray) -> FloatArray:
        """Values [skin, ...] of the nearest vertices, weighted by nearness."""
        rows, weights = self.near(points)
        return np.asarray(np.einsum("nk,nk...->n...", weights, values[rows]), np.float32)

    def near(self, points: FloatArray) -> tuple[IntArray, FloatArray]:
        """The nearest vertices [N, 6] of the outer skin and their weights, which add up to 1."""
        if points is not self._asked:  # most points are asked about several times in a row
            distance, found = self.tree.query(points, k=_NEIGHBOURS)
            weights = 1.0 / (distance + 1e-3) ** 2
            self._found = self.outer[found], np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
            self._asked = points
        return self._found

    def nearest(self, points: FloatArray) -> IntArray:
        """[N] the nearest vertex of the outer skin."""
        return np.asarray(self.outer[self.tree.query(points)[1]])

    def distance(self, points: FloatArray) -> FloatArray:
        """[N] signed distance from the outer skin, positive outside; none in mouth and eye sockets is."""
        is_within = ~self.is_outer[self.tree_of_all.query(points)[1]]
        return np.where(is_within, np.float32(-CLOSE), self.distance_from_outer(points))

    def distance_from_outer(self, points: FloatArray) -> FloatArray:
        """[N] the same, as if there were neither mouth nor eye sockets."""
        rows, weights = self.near(points)
        gaps = np.einsum("nkc,nkc->nk", points[:, None] - self.places[rows], self.normals[rows])
        return np.asarray((weights * gaps).sum(axis=1), np.float32)

    def gap(self, points: FloatArray) -> FloatArray:
        """[N] distance within which the volume is taken to be the template itself."""
        return self.mixed(points, self.gaps)

    def scalp(self, points: FloatArray) -> FloatArray:
        """[N] from 0 to 1: whether hair usually grows on the skin nearby."""
        return self.mixed(points, self.scalps)

    def lifted(self, points: FloatArray, heights: FloatArray) -> FloatArray:
        """[N, 3] the points moved away from the skin by heights [N]."""
        return np.asarray(points + heights[:, None] * self.mixed(points, self.normals), np.float32)

    def expression(self, points: FloatArray) -> FloatArray:
        """[N, 3] how far the photo's expression moved what lies here."""
        fading = np.exp(-self.distance(points).clip(0.0) / _FOLLOWS_WITHIN)
        return np.asarray(fading[:, None] * self.mixed(points, self.moved), np.float32)


def without_ears(model: HeadModel, places: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Places and normals [skin, 3] of a skin whose ears are laid flat on the head."""
    held = np.where(skin_regions(model).ears, 0.0, 1.0)
    fields = SurfaceFields(places, skin_topology(model).triangles)
    flat, upright = np.split(fields.spread(np.concatenate([places, normals], axis=1), held, 0.0), 2, axis=1)
    upright /= np.linalg.norm(upright, axis=1, keepdims=True)
    return flat.astype(np.float32), upright.astype(np.float32)


@lru_cache(maxsize=2)
def _gaps(model: HeadModel) -> FloatArray:
    """[skin] distance within which the volume is the template, by the mean head.

    In the face it is large, since neither skin nor the photo's brows, beard and glasses should become hair; at the neck
    too, because generators make necks thicker than they are.
    """
    from scipy.spatial import cKDTree

    count = model.parts["skin"].vertices.stop
    places = model.mean[:count].numpy()
    x, y, z = places.T
    points = model.landmarks468.on(model.mean).numpy()
    face = 1.0 - smoothstep(cKDTree(points).query(places)[0], *_FACE_EDGE)
    face *= 1.0 - smoothstep(abs(x), 0.14, 0.2)  # not at the temples
    collar = np.minimum(-0.305 + 0.55 * (0.02 - z), -0.17)  # as the synthetic heads wear theirs
    neck = smoothstep(y - collar, 0.0, 0.03) * (1.0 - smoothstep(y, -0.2, -0.12)) * (abs(x) < 0.2)
    gaps = _GAP + np.maximum((_GAP_ON_FACE - _GAP) * face, (_GAP_ON_NECK - _GAP) * neck)
    chest = (1.0 - smoothstep(y - collar, -0.03, 0.0)) * smoothstep(z, 0.0, 0.06)
    gaps += (_GAP_ON_CHEST - gaps).clip(0.0) * chest
    return np.asarray(gaps, np.float32)
