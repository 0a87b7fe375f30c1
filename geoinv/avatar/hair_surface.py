"""The surface of a head's volume as far as the photo saw it, and a height over the skin where it did not.

Behind heads, generators have whatever they learned there: lumps, or a second face. How far hair stands off the skin is
known where the photo saw it, and nearly so at the sides, and is carried on to the rest as smoothly as can be.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT
from ..mesh.extract import head_density, marching_cubes
from ..mesh.head_mesh import vertex_normals
from ..shape import HeadModel
from .nearness import Nearness, without_ears
from .parts import FloatArray, IntArray
from .template import FittedTemplate
from .texture import PhotoView
from .texture.regions import UsualColours, skin_regions
from .texture.surface import skin_topology
from .texture.surface_fields import SurfaceFields, smoothstep

if TYPE_CHECKING:
    from ..heads import Head

RESOLUTION = 112
"""Cells along the box of 370 mm: 3.3 mm, which is finer than the generator's hair."""

_HOLE = 5  # cells: narrower holes through hair, seen from the front, and gaps between locks, are closed
_COARSE = 2  # cells of the volume along one of those that tell heights
_SMOOTH = 4  # cells of the volume along one of those of a height over the skin
_SEEN_BELOW, _SEEN_FROM = 0.15, 0.45  # cosines between normal and photo's camera: not seen, surely seen
_SIGHT_SIDE = 32  # pixels of the picture that tells what hides what
_HIDDEN_BEHIND = 0.08  # world units, 30 mm
_KEPT_BELOW, _KEPT_FROM = 0.1, 0.5  # part of a place that was seen: none of the volume is kept, all
_BEHIND = (-0.14, -0.06)  # z from the back to the sides of a head, which generators know from other photos
_CROPPED = (-0.36, -0.30)  # y below and above the lower edge of the photos that generators learn from
_CROWN = (0.18, 0.28)  # y from the sides to the crown, which photos from the front do not show
_OUTWARD = 0.5  # cosine to the skin's normal from which a surface at the sides is no inner side of hair
_WITHIN = 0.03  # world units below the skin from which a surface tells nothing of hair
_STIFFNESS = 0.02
_LEAST_HAIR = 3.5 / MM_PER_UNIT  # above scalps that have hair
_LAID_DOWN = 0.004  # weight by which what was not seen of clothes lies on the body
_HANGS = (0.03, 0.08)  # world units between the skin and hair that hangs, from which a place tells whether it does
_LONG = (0.4, 0.8)  # part of the way there that hair stands off the skin: short hair and clothes, long hair
_CORE = (0.24, -0.45)  # |x| and y of the hull within which hair hangs, on the mean head
_SHOULDERS_END = 0.45  # |x| beyond which nothing is guessed: the template is cut off there
_SOFT = 0.01  # world units over which the height turns from solid to empty
_MOST = 0.15  # world units that a height is told apart from others
_VERTEX_STEP = 0.05  # world units that points on the skin lie from its vertices at most


def hair_surface(
    near: Nearness,
    template: FittedTemplate,
    head: Head,
    view: PhotoView,
    usual: UsualColours | None,
) -> tuple[FloatArray, IntArray]:
    """The closed surface in world units: vertices [V, 3] and faces [F, 3].

    Args:
        near: Distances from the template.
        template: The template fitted to the head.
        head: The head.
        view: The aligned photo, of the template's camera.
        usual: Colours of the person's skin and hair, which tell whether there is hair, or None.
    """
    level, side = head.volume.level, head.volume.box_side
    density = _closed(head_density(head, resolution=RESOLUTION))
    coarse = marching_cubes(np.ascontiguousarray(density[::_COARSE, ::_COARSE, ::_COARSE]), level, box_side=side)
    base = Nearness(template, has_ears=False)
    heights, seen = _known(near, base, template.model, view, usual, *coarse)
    count = (len(density) - 1) // _SMOOTH + 1
    ticks = (np.arange(count) / (count - 1) - 0.5) * side
    places = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    fields = base.mixed(places, np.stack([heights, seen], axis=1).astype(np.float32))
    above = (_distance(base, places) - fields[:, 0]).clip(-_MOST, _MOST)
    above = _finer(above.reshape((count,) * 3), len(density))
    kept = smoothstep(_finer(fields[:, 1].reshape((count,) * 3), len(density)), _KEPT_BELOW, _KEPT_FROM)
    guessed = (level * (1.0 - above / _SOFT)).clip(0.0, 2.0 * level)
    across = np.linspace(-0.5, 0.5, len(density)) * side
    guessed[np.abs(across) > _SHOULDERS_END] = 0.0
    mixed = kept * np.minimum(density, 2.0 * level) + (1.0 - kept) * guessed
    return marching_cubes(mixed.astype(np.float32), level, box_side=side)


def _closed(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """The density [n, n, n] (x, y, z) without narrow places of less between more, side by side as seen from the front.

    Where hair is thin, generators leave holes through which the background is seen.
    """
    import cv2

    count = len(density)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HOLE, _HOLE))
    slices = (cv2.morphologyEx(density[:, :, z].copy(), cv2.MORPH_CLOSE, kernel) for z in range(count))
    return np.stack(list(slices), axis=2)


def _known(
    near: Nearness,
    base: Nearness,
    model: HeadModel,
    view: PhotoView,
    usual: UsualColours | None,
    vertices: FloatArray,
    faces: IntArray,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For the skin's vertices, how far the surface stands off them, and which part of it the photo saw, both smooth."""
    normals = vertex_normals(vertices, faces)
    seen = np.maximum(seen_by_photo(view, vertices, normals), _at_sides(base, vertices, normals))
    rows, weights = base.near(vertices)
    distance = near.distance(vertices)
    weights = weights * (distance > -_WITHIN)[:, None]
    is_hair = distance > near.gap(vertices) - near.gaps.min()  # what is nearer is the template itself
    height = np.where(is_hair, base.distance_from_outer(vertices).clip(0.0), np.float32(0.0))
    count = len(near.places)

    def sums(values: FloatArray) -> NDArray[np.float64]:
        return np.bincount(rows.ravel(), (weights * values[:, None]).ravel(), count).astype(np.float64)

    total, total_seen = sums(np.ones_like(seen)), sums(seen)
    fields = SurfaceFields(near.places, skin_topology(model).triangles)
    heights = sums(seen * height) / np.maximum(total_seen, 1e-6)
    hang, regions = _hang(model), skin_regions(model)
    hanging = smoothstep(heights / np.maximum(hang, _HANGS[0]), *_LONG)

    def spread(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return fields.spread(values[:, None], weight, _STIFFNESS)[:, 0]

    def laid(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        hold = weight + _LAID_DOWN * regions.clothed
        return spread(weight * values / np.maximum(hold, 1e-6), hold)

    hold = total_seen.clip(0.0, 1.0)
    share = laid(hanging, hold * smoothstep(hang, *_HANGS))
    over = laid((heights - hanging * hang).clip(0.0), hold)
    parts = total_seen / np.maximum(total, 1e-6)
    height = share * hang + over
    if usual is not None:
        height = np.maximum(height, usual.hairiness * _LEAST_HAIR * regions.scalp)
    return height, spread(parts, total.clip(0.0, 1.0))


def _at_sides(base: Nearness, vertices: FloatArray, normals: FloatArray) -> FloatArray:
    """[V] from 0 to 1: whether a vertex lies on the outside of a head's sides, which generators know."""
    _, y, z = vertices.T
    beside = smoothstep(z, *_BEHIND) * smoothstep(y, *_CROPPED) * (1.0 - smoothstep(y, *_CROWN))
    outward = (normals * base.mixed(vertices, base.normals)).sum(axis=1)
    return np.asarray(beside * smoothstep(outward, 0.0, _OUTWARD), np.float32)


@lru_cache(maxsize=2)
def _hang(model: HeadModel) -> NDArray[np.float64]:
    """[skin] how far off the skin hair hangs that falls straight down: to the convex hull of head, neck and breast."""
    from scipy.spatial import ConvexHull

    count = model.parts["skin"].vertices.stop
    places = model.mean[:count].numpy()
    is_core = (np.abs(places[:, 0]) < _CORE[0]) & (places[:, 1] > _CORE[1])
    planes = ConvexHull(places[is_core]).equations  # [P, 4]
    places, normals = without_ears(model, places, model.normals(model.mean[None])[0, :count].numpy())
    towards = normals @ planes[:, :3].T
    depth = -(places @ planes[:, :3].T + planes[:, 3])
    ways = np.where(towards > 0.05, depth / np.maximum(towards, 0.05), np.inf).min(axis=1)
    return np.asarray(ways.clip(0.0, _CORE[0]))


def _distance(near: Nearness, points: FloatArray) -> FloatArray:
    """[N] distances from the skin; those of points that lie far aside of its planes are told by its vertices."""
    distance = near.distance_from_outer(points)
    from_vertices = near.tree.query(points)[0] - _VERTEX_STEP
    return np.where(distance > 0.0, np.maximum(distance, from_vertices), distance)


def seen_by_photo(view: PhotoView, vertices: FloatArray, normals: FloatArray) -> FloatArray:
    """[V] how surely the photo saw each vertex of a surface, by its angle: 0 to 1, and 0 beside the person.

    Args:
        view: The photo.
        vertices: [V, 3] in world units.
        normals: [V, 3] outward.
    """
    camera, shown = view.camera, view.shows_person
    to_camera = camera.cam2world[0, :3, 3].numpy() - vertices
    cosine = (normals * to_camera).sum(axis=1) / np.linalg.norm(to_camera, axis=1)
    projected, depths = camera.project(torch.from_numpy(vertices)[None])
    places, depth = projected[0].numpy(), depths[0].numpy()
    is_within = (places >= 0.0).all(axis=1) & (places < 1.0).all(axis=1)
    column, row = np.where(is_within, np.floor(places.T * len(shown)), 0.0).astype(int)
    cell = np.where(is_within, np.floor(places.T * _SIGHT_SIDE), 0.0).astype(int)
    nearest = np.full((_SIGHT_SIDE, _SIGHT_SIDE), np.inf)
    np.minimum.at(nearest, tuple(cell[:, is_within]), depth[is_within])
    is_seen = is_within & shown[row, column] & (depth < nearest[tuple(cell)] + _HIDDEN_BEHIND)
    return np.asarray(smoothstep(cosine, _SEEN_BELOW, _SEEN_FROM) * is_seen, np.float32)


def _finer(values: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Values [n, n, n] at the corners of a finer grid [count, count, count], without kinks between."""
    from scipy.interpolate import CubicSpline

    at = CubicSpline(np.arange(len(values)), np.eye(len(values)))(np.linspace(0, len(values) - 1, count))
    for _ in range(3):
        values = np.moveaxis(np.tensordot(at, values, axes=(1, 0)), 0, -1)
    return np.asarray(values, np.float64)
