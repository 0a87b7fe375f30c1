"""The head as a mesh of one topology: vertices and normals as differentiable functions of a few codes.

    vertices = mean + identity @ basis + expression @ units, then the eyes turn by the gaze

Everything but the turn of the eyes is linear. The mesh is MakeHuman's (CC0): head, neck, shoulders, eyes, teeth and
tongue, in the world of :mod:`geoinv.conventions` (+y up, the face to +z, the box side is 1). What lies beyond the box
is flattened onto it, as in the synthetic heads, so that shoulders end in a plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..conventions import BOX_LIMIT
from ..errors import ShapeError
from .arkit import ARKIT_UNITS
from .attached_mesh import AttachedMesh
from .codes import HeadCodes
from .detector_habits import DetectorHabits
from .surface_points import SurfacePoints
from .vertex_normals import vertex_normals

PART_NAMES = ("skin", "upper-teeth", "lower-teeth", "tongue", "right-eye", "left-eye")
"""Parts in the order of their vertices; right and left are the person's own."""


@dataclass(frozen=True)
class Part:
    """One part of the mesh: its rows in the arrays of :class:`HeadModel`.

    Args:
        name: One of ``PART_NAMES``.
        vertices: Rows of the vertices.
        corners: Rows of the corners (a vertex with one place in the texture).
        triangles: Rows of the triangles.
    """

    name: str
    vertices: slice
    corners: slice
    triangles: slice


class HeadModel(nn.Module):
    """Mesh model of heads; load the shipped one with :func:`geoinv.shape.load_head_model`.

    A vertex on a seam of the texture has several places in it. So there are *corners*, one for each pair of vertex and
    place in the texture: what is wanted for export. ``vertices[corner_vertices]`` with ``corner_triangles`` and ``uvs``
    is a textured mesh, ``vertices`` with ``triangles`` the same mesh without seams.

    Attributes:
        mean: [V, 3] vertices of the mean head at rest, world units, before the box.
        identity_basis: [I, V, 3] what one standard deviation of each identity number moves.
        expression_basis: [52, V, 3] what each of ARKit's units moves at weight 1.
        triangles: [F, 3] vertices of each triangle, counter-clockwise seen from outside.
        corner_vertices: [M] vertex of each corner.
        corner_triangles: [F, 3] corners of each triangle.
        uvs: [M, 2] place of each corner in MakeHuman's texture, the origin at its lower left.
        base_vertices: [V] index of each vertex in MakeHuman's base mesh, to which its clothes and hair are bound.
        parts: Parts by name, in the order of ``PART_NAMES``.
        landmarks68: iBUG's 68 points on the surface.
        landmarks468: MediaPipe's 468 points on the surface, where its detector puts them.
        detector_habits: Where MediaPipe's detector sees each of its points, and how surely, by yaw.
        teeth: Teeth and gums to be looked at; the parts "upper-teeth" and "lower-teeth" are bands on which they hang.
    """

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    triangles: Tensor
    corner_vertices: Tensor
    corner_triangles: Tensor
    uvs: Tensor
    base_vertices: Tensor

    def __init__(
        self,
        *,
        mean: Tensor,
        identity_basis: Tensor,
        expression_basis: Tensor,
        corner_vertices: Tensor,
        corner_triangles: Tensor,
        uvs: Tensor,
        base_vertices: Tensor,
        parts: tuple[Part, ...],
        landmarks68: tuple[Tensor, Tensor],
        landmarks468: tuple[Tensor, Tensor],
        detector_habits: DetectorHabits,
        teeth: AttachedMesh,
    ) -> None:
        """See the attributes; landmarks are triangles [N] and barycentric weights [N, 3].

        Raises:
            ShapeError: Arrays that do not fit one another.
        """
        super().__init__()
        _check_shapes(mean, identity_basis, expression_basis, corner_vertices, corner_triangles, uvs)
        self.register_buffer("mean", mean)
        self.register_buffer("identity_basis", identity_basis)
        self.register_buffer("expression_basis", expression_basis)
        self.register_buffer("corner_vertices", corner_vertices)
        self.register_buffer("corner_triangles", corner_triangles)
        self.register_buffer("triangles", corner_vertices[corner_triangles])
        self.register_buffer("uvs", uvs)
        self.register_buffer("base_vertices", base_vertices)
        self.parts = {part.name: part for part in parts}
        self.landmarks68 = self.surface_points(*landmarks68)
        self.landmarks468 = self.surface_points(*landmarks468)
        self.detector_habits = detector_habits
        self.teeth = teeth

    @property
    def identity_size(self) -> int:
        """Length of an identity code."""
        return self.identity_basis.shape[0]

    def mean_codes(self, batch: int = 1) -> HeadCodes:
        """Codes of the mean head at rest, ``batch`` times."""
        return HeadCodes.zeros(self.identity_size, batch, self.mean.device)

    def surface_points(self, triangles: Tensor, weights: Tensor) -> SurfacePoints:
        """Places on this mesh from triangles [N] and barycentric weights [N, 3]."""
        return SurfacePoints(triangles, weights, self.triangles[triangles])

    def forward(self, codes: HeadCodes) -> tuple[Tensor, Tensor]:
        """Vertices and unit normals [B, V, 3] of the heads, in world units."""
        vertices = self.vertices(codes)
        return vertices, self.normals(vertices)

    def vertices(self, codes: HeadCodes) -> Tensor:
        """Vertices [B, V, 3] of the heads in world units, differentiable in all codes.

        Raises:
            ShapeError: Identity codes of another size.
        """
        if codes.identity.shape[1] != self.identity_size:
            raise ShapeError(f"identity must be [B, {self.identity_size}], got {list(codes.identity.shape)}")
        moved = codes.identity @ self.identity_basis.flatten(1) + codes.expression @ self.expression_basis.flatten(1)
        placed = self.mean + moved.reshape(len(moved), *self.mean.shape)  # [B, V, 3]
        return self._with_turned_eyes(placed, codes.gaze).clamp(-BOX_LIMIT, BOX_LIMIT)

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals [B, V, 3] of vertices [B, V, 3]; see :func:`~geoinv.shape.vertex_normals.vertex_normals`."""
        return vertex_normals(vertices, self.triangles)

    def _with_turned_eyes(self, vertices: Tensor, gaze: Tensor) -> Tensor:
        turn = _turns(gaze)  # [B, 3, 3]
        eyes = [self.parts[name].vertices for name in ("right-eye", "left-eye")]
        turned = []
        for rows in eyes:
            ball = vertices[:, rows]
            centre = ball.mean(dim=1, keepdim=True)
            turned.append(centre + (ball - centre) @ turn.transpose(1, 2))
        start = eyes[0].start  # the eyes are the last parts
        return torch.cat([vertices[:, :start], *turned], dim=1)


def _turns(gaze: Tensor) -> Tensor:
    """Rotations [B, 3, 3] that turn +z by gaze [B, 2] to +x and then up."""
    sin_x, cos_x = gaze[:, 0].sin(), gaze[:, 0].cos()
    sin_y, cos_y = gaze[:, 1].sin(), gaze[:, 1].cos()
    zero, one = torch.zeros_like(sin_x), torch.ones_like(sin_x)
    aside = torch.stack([cos_x, zero, sin_x, zero, one, zero, -sin_x, zero, cos_x], dim=-1)
    up = torch.stack([one, zero, zero, zero, cos_y, sin_y, zero, -sin_y, cos_y], dim=-1)
    turns: Tensor = aside.reshape(len(gaze), 3, 3) @ up.reshape(len(gaze), 3, 3)
    return turns


def _check_shapes(
    mean: Tensor, identity: Tensor, expression: Tensor, corners: Tensor, faces: Tensor, uvs: Tensor
) -> None:
    size = mean.shape[0]
    expected = {
        "mean": (mean, (size, 3)),
        "identity_basis": (identity, (identity.shape[0], size, 3)),
        "expression_basis": (expression, (len(ARKIT_UNITS), size, 3)),
        "corner_vertices": (corners, (corners.shape[0],)),
        "corner_triangles": (faces, (faces.shape[0], 3)),
        "uvs": (uvs, (corners.shape[0], 2)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise ShapeError(f"{name} must be {list(shape)}, got {list(tensor.shape)}")
