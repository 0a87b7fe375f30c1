"""A head model small enough to check by hand: each part is one tetrahedron, and two numbers make an identity."""

from __future__ import annotations

import torch

from geoinv.shape import ARKIT_UNITS, AttachedMesh, DetectorHabits, HeadModel, Part
from geoinv.shape.model import PART_NAMES

CORNERS = ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1))
"""Vertices of a tetrahedron with three edges along the axes."""

TRIANGLES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
"""Its faces, counter-clockwise seen from outside."""


def tiny_head() -> HeadModel:
    """Six tetrahedra in a row along x, with random bases."""
    random = torch.Generator().manual_seed(0)
    count = len(PART_NAMES)
    starts = torch.arange(count)[:, None, None]
    mean = (torch.tensor(CORNERS)[None] + 0.12 * starts * torch.tensor([1.0, 0.0, 0.0]) - 0.3).reshape(-1, 3)
    triangles = (torch.tensor(TRIANGLES)[None] + 4 * starts).reshape(-1, 3)
    rows = [slice(4 * k, 4 * k + 4) for k in range(count)]
    return HeadModel(
        mean=mean,
        identity_basis=(0.01 * torch.randn(2, 4 * count, 3, generator=random)).half().float(),
        expression_basis=(0.01 * torch.randn(len(ARKIT_UNITS), 4 * count, 3, generator=random)).half().float(),
        corner_vertices=torch.arange(4 * count),
        corner_triangles=triangles,
        uvs=torch.rand(4 * count, 2, generator=random),
        base_vertices=torch.arange(4 * count) + 100,
        parts=tuple(Part(name, part, part, part) for name, part in zip(PART_NAMES, rows, strict=True)),
        landmarks68=(torch.zeros(68, dtype=torch.long), torch.eye(3)[:1].repeat(68, 1)),
        landmarks468=(torch.full((468,), 3), torch.full((468, 3), 1.0 / 3.0)),
        detector_habits=DetectorHabits(
            torch.tensor([-0.5, 0.0, 0.5]), torch.zeros(3, 468, 2), torch.full((3, 468), 0.01)
        ),
        teeth=AttachedMesh(
            anchors=torch.tensor([[4, 5, 6]]),
            weights=torch.tensor([[0.5, 0.25, 0.25]]),
            offsets=torch.tensor([[0.0, 0.0, 0.02]]),
            triangles=torch.zeros(1, 3, dtype=torch.long),
            colours=torch.ones(1, 3),
        ),
    )
