"""Smooth normals of triangle meshes, differentiable in the vertices."""

from __future__ import annotations

import torch
from torch import Tensor

_NO_AREA = 1e-12  # world units squared; the smallest triangles of a head have 1e-6


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals [B, V, 3]: at each vertex those of the triangles around it, weighted by their area.

    Zero, with finite gradients, where all triangles around a vertex are flat: the edge of the box does that.

    Args:
        vertices: [B, V, 3].
        triangles: [F, 3] vertices of each, counter-clockwise seen from outside.
    """
    batch, count = vertices.shape[:2]
    # one row a vertex, for all meshes together: sums over rows of 3 numbers take four times as long
    rows = vertices.transpose(0, 1).flatten(1)  # [V, 3 B]
    corners = triangles.T.flatten()  # [3 F]
    a, b, c = rows.index_select(0, corners).reshape(3, len(triangles), batch, 3)  # [F, B, 3] each
    of_triangles = torch.linalg.cross(b - a, c - a).flatten(1)
    summed = torch.zeros_like(rows).index_add(0, corners, of_triangles.repeat(3, 1))
    normals = summed.reshape(count, batch, 3).transpose(0, 1)
    length = torch.linalg.vector_norm(normals, dim=-1, keepdim=True)
    return normals / torch.where(length > _NO_AREA, length, torch.ones_like(length))
