"""Making the layout of the skin in its texture, once: ``python -m geoinv.avatar.texture.make_layout``.

MakeHuman's map serves a whole body: a face of it covers 3 % of the texture. Its islands are kept, so that corners stay
what they are. The head is flattened so that triangles keep their angles and get the size that their
place deserves (the symmetric Dirichlet energy of Smith and Schaefer 2015, which no triangle can turn over in, from
MakeHuman's own places on); then all islands are packed into fixed boxes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, hstack, vstack
from scipy.sparse.linalg import spsolve

from ...mesh.skin import islands_of
from ...shape import HeadModel, load_head_model
from .layout import save_layout, skin_layout
from .rasterise import signed_areas
from .surface_fields import SurfaceFields, smoothstep

_FACE_DENSITY, _REST_DENSITY = 3.0, 1.0  # texels along a millimetre of the face and of the back of the head, in ratio
_FEATURE_DENSITY = 1.35  # further factor at eyes and lips
_FACE_REACH, _FEATURE_REACH = 0.20, 0.03  # world units over which the factors fade
_STEPS = 60
_FILL = 0.66  # of its box that an island should fill: they are no rectangles
_BOX_STIFFNESS = 3.0
_HOLE_WEIGHT = 0.1  # of holes beside skin of the same size
_PADDING = 0.006  # of the texture's side, around each island

# Boxes in the texture, origin at its lower left: left, bottom, width, height. Islands by size, largest first.
_HEAD_BOX = (0.0, 0.26, 1.0, 0.74)
_OTHER_BOXES = ((0.0, 0.0, 0.50, 0.26), (0.50, 0.0, 0.24, 0.26), (0.74, 0.0, 0.13, 0.26), (0.87, 0.0, 0.13, 0.26))
_EYES_AND_LIPS = (33, 133, 159, 145, 362, 263, 386, 374, 61, 291, 0, 17, 13, 14)  # of MediaPipe's points


@dataclass(frozen=True)
class _Island:
    corners: NDArray[np.int64]
    triangles: NDArray[np.int64]  # rows of ``corners``


def make_layout(model: HeadModel) -> NDArray[np.float32]:
    """Places [C, 2] of the skin's corners in its texture, origin at the lower left."""
    part = model.parts["skin"]
    triangles = model.corner_triangles[part.triangles].numpy()
    places = model.mean[model.corner_vertices[part.corners]].numpy().astype(np.float64)
    density = _densities(model)[model.corner_vertices[part.corners].numpy()]
    start = model.uvs[part.corners].numpy().astype(np.float64)
    layout = np.zeros_like(start)
    for number, island in enumerate(_islands(triangles, len(places))):
        own = start[island.corners]
        if number == 0:  # the head lies on its side in MakeHuman's map: turned upright
            own = np.stack([own[:, 1], -own[:, 0]], axis=1)
        box = _HEAD_BOX if number == 0 else _OTHER_BOXES[number - 1]
        if number == 0:
            own = _flattened(places[island.corners], island.triangles, own, density[island.corners], box[2] / box[3])
        layout[island.corners] = _into_box(own, box)
    return layout.astype(np.float32)


def _islands(triangles: NDArray[np.int64], count: int) -> list[_Island]:
    islands = []
    for corners in islands_of(triangles, count):
        rows = np.full(count, -1)
        rows[corners] = np.arange(len(corners))
        islands.append(_Island(corners, rows[triangles[rows[triangles[:, 0]] >= 0]]))
    return islands


def _densities(model: HeadModel) -> NDArray[np.float64]:
    """[V] wanted texels along a unit of length, in ratio."""
    corners = model.landmarks468.corners.numpy()
    face = _falling(model, corners.ravel(), _FACE_REACH)
    features = _falling(model, corners[list(_EYES_AND_LIPS)].ravel(), _FEATURE_REACH)
    density: NDArray[np.float64] = _REST_DENSITY + (_FACE_DENSITY - _REST_DENSITY) * face
    return density * (1.0 + (_FEATURE_DENSITY - 1.0) * features)


def _falling(model: HeadModel, sources: NDArray[np.int64], reach: float) -> NDArray[np.float64]:
    """[V] 1 at some vertices, smoothly falling to 0 at ``reach`` along the surface."""
    is_source = np.zeros(len(model.mean), np.bool_)
    is_source[sources] = True
    distance = SurfaceFields(model.mean.numpy(), model.triangles.numpy()).distance(is_source, reach)
    return 1.0 - smoothstep(distance, 0.0, reach)


def _flattened(
    places: NDArray[np.float64],
    triangles: NDArray[np.int64],
    start: NDArray[np.float64],
    density: NDArray[np.float64],
    aspect: float,
) -> NDArray[np.float64]:
    """Places [N, 2] in the plane, about the origin, about within a box of ``aspect`` (width to height).

    Each step minimises a quadratic energy with the true one's gradient (SLIM: Rabinovich et al. 2017), then goes that
    way as far as the true energy falls and no triangle turns over.
    """
    if signed_areas(start[triangles]).sum() < 0.0:
        start = start * (-1.0, 1.0)
    # mouth and eyes are holes, whose rims would cross: they are filled while the island is flattened
    fillings = [_filled(start, loop) for loop in _hole_loops(triangles, start)]
    skin = len(triangles)
    triangles = np.concatenate([triangles, *fillings])
    inverse, area = _target_shapes(places[triangles], density[triangles].mean(1))
    area[skin:] *= _HOLE_WEIGHT
    flat = (start - start.mean(0)) * np.sqrt(area[:skin].sum() / signed_areas(start[triangles[:skin]]).sum())
    half = 0.5 * np.sqrt(area.sum() / _FILL * np.array([aspect, 1.0 / aspect]))
    operator = _derivatives(triangles, inverse, len(places))

    def energy(at: NDArray[np.float64]) -> float:
        if (signed_areas(at[triangles]) <= 0.0).any():
            return math.inf
        squares = (np.linalg.svd(_jacobians(at, triangles, inverse))[1]) ** 2
        beyond = np.maximum(np.abs(at) - half, 0.0)
        return float((area[:, None] * (squares + 1.0 / squares)).sum() + _BOX_STIFFNESS * (beyond**2).sum())

    value = energy(flat)
    for _ in range(_STEPS):
        aim = _minimum_of_proxy(flat, triangles, inverse, area, operator, half)
        step = 1.0
        while (lower := energy(flat + step * (aim - flat))) >= value:
            step *= 0.5
            if step < 1e-6:
                return np.asarray(flat)
        flat, value = flat + step * (aim - flat), lower
    return np.asarray(flat)


def _hole_loops(triangles: NDArray[np.int64], flat: NDArray[np.float64]) -> list[list[int]]:
    """Vertices around each hole of an island, counter-clockwise."""
    edges = {(int(a), int(b)) for face in triangles for a, b in zip(face, np.roll(face, -1), strict=True)}
    following = {b: a for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        loop = [next(iter(following))]
        while (after := following.pop(loop[-1])) != loop[0]:
            loop.append(after)
        loops.append(loop)
    widths = [float(np.ptp(flat[loop], axis=0).sum()) for loop in loops]
    return [loop for number, loop in enumerate(loops) if number != int(np.argmax(widths))]


def _filled(flat: NDArray[np.float64], loop: list[int]) -> NDArray[np.int64]:
    """Triangles [N - 2, 3] that fill a simple polygon of N vertices, by clipping ears: always the roundest."""
    left, triangles = list(loop), []
    while len(left) > 3:
        ears = [(left[i - 1], left[i], left[(i + 1) % len(left)]) for i in range(len(left))]
        scores = [_roundness(flat[list(ear)]) if _is_ear(flat, ear, left) else -1.0 for ear in ears]
        best = int(np.argmax(scores))
        assert scores[best] > 0.0, "the rim of a hole crosses itself"
        triangles.append(ears[best])
        left.pop(best)
    return np.array([*triangles, tuple(left)], dtype=np.int64)


def _is_ear(flat: NDArray[np.float64], ear: tuple[int, int, int], loop: list[int]) -> bool:
    others = [vertex for vertex in loop if vertex not in ear]
    corners = np.stack([np.roll(flat[list(ear)], -turn, axis=0) for turn in range(3)])  # each corner first
    if signed_areas(corners[:1])[0] <= 0.0:
        return False
    sides = np.stack([corners[:, 0], corners[:, 1]], axis=1)  # [3, 2, 2]
    along, to = sides[:, 1] - sides[:, 0], flat[others][:, None] - sides[:, 0]  # [3, 2], [N, 3, 2]
    return not bool((along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0] >= 0.0).all(axis=1).any())


def _roundness(corners: NDArray[np.float64]) -> float:
    return float(signed_areas(corners[None])[0] / (np.diff(corners, axis=0, append=corners[:1]) ** 2).sum())


def _target_shapes(
    corners: NDArray[np.float64], density: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverse edge matrices [F, 2, 2] and areas [F] of the triangles as they should be in the texture."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(first, axis=1)
    along = (first * second).sum(1) / length
    across = np.sqrt(np.maximum((second**2).sum(1) - along**2, (0.02 * length) ** 2))
    shape = np.zeros((len(corners), 2, 2))  # columns are edges
    shape[:, 0, 0], shape[:, 0, 1], shape[:, 1, 1] = length, along, across
    shape *= density[:, None, None]
    return np.asarray(np.linalg.inv(shape), np.float64), 0.5 * shape[:, 0, 0] * shape[:, 1, 1]


def _jacobians(
    flat: NDArray[np.float64], triangles: NDArray[np.int64], inverse: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[F, 2, 2] from wanted shapes to triangles as they are."""
    corners = flat[triangles]
    return np.asarray((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1) @ inverse)


def _derivatives(triangles: NDArray[np.int64], inverse: NDArray[np.float64], count: int) -> list[csr_array]:
    """Two [F, N]: values on corners to their derivatives along both axes of the wanted shapes."""
    rows = np.repeat(np.arange(len(triangles)), 3)
    found = []
    for axis in (0, 1):
        weights = np.stack([-inverse[:, :, axis].sum(1), inverse[:, 0, axis], inverse[:, 1, axis]], axis=1)
        found.append(csr_array((weights.ravel(), (rows, triangles.ravel())), shape=(len(triangles), count)))
    return found


def _minimum_of_proxy(
    flat: NDArray[np.float64],
    triangles: NDArray[np.int64],
    inverse: NDArray[np.float64],
    area: NDArray[np.float64],
    operator: list[csr_array],
    half: NDArray[np.float64],
) -> NDArray[np.float64]:
    left, stretch, right = np.linalg.svd(_jacobians(flat, triangles, inverse))
    near_one = np.abs(stretch - 1.0) < 1e-4
    ratio = (stretch - stretch**-3.0) / np.where(near_one, 1.0, stretch - 1.0)
    root = np.sqrt(np.where(near_one, 4.0, ratio) * area[:, None])
    weight = left @ (root[:, :, None] * left.transpose(0, 2, 1))  # [F, 2, 2]
    wanted = weight @ left @ right
    count = len(flat)
    blocks, targets = [], []
    for row in (0, 1):
        for axis in (0, 1):
            parts = [operator[axis].multiply(weight[:, row, column, None]) for column in (0, 1)]
            blocks.append(hstack(parts))
            targets.append(wanted[:, row, axis])
    inside = np.clip(flat, -half, half)
    is_beyond = np.concatenate([(np.abs(flat[:, axis]) > half[axis]) for axis in (0, 1)]).astype(np.float64)
    system, target = vstack(blocks).tocsr(), np.concatenate(targets)
    # a little of the place itself, as a shift alone costs nothing
    pull = _BOX_STIFFNESS * is_beyond + 1e-6
    matrix = (system.T @ system + diags_array(pull)).tocsc()
    solved = spsolve(matrix, system.T @ target + pull * inside.T.ravel())
    return np.asarray(solved.reshape(2, count).T)


def _into_box(flat: NDArray[np.float64], box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    low, high = flat.min(0), flat.max(0)
    room = np.array(box[2:]) - 2.0 * _PADDING
    scale = float((room / (high - low)).min())
    return np.asarray((flat - 0.5 * (low + high)) * scale + np.array(box[:2]) + 0.5 * np.array(box[2:]))


if __name__ == "__main__":
    save_layout(make_layout(load_head_model()))
    print(f"{len(skin_layout())} corners")
