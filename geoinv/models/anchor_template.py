"""Places on the head mesh that an anchor volume is filled from: fixed mixes of vertices, each with its share of area.

Cells of the volume are smaller than triangles of the mesh, so triangles are divided until few cells between vertices
are left empty. Which places there are is decided once, on the mean head; on every other head they move with the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..shape import HeadModel

_MOST_DIVISIONS = 12  # of an edge; only triangles of shoulders would take more


@dataclass(frozen=True)
class SurfaceSamples:
    """M places on meshes of one topology.

    Args:
        corners: [M, 3] vertices of each.
        weights: [M, 3] their weights; each row sums to 1.
        area: [M] area that each stands for on the mean head, in squared world units.
    """

    corners: Tensor
    weights: Tensor
    area: Tensor

    def on(self, values: Tensor) -> Tensor:
        """Values [B, V, C] of the vertices at the places: [B, M, C], differentiable."""
        batch, count, channels = values.shape
        # rows of all heads together: sums over rows of a few numbers take several times as long
        rows = values.transpose(0, 1).reshape(count, batch * channels)
        first, second, third = (
            rows.index_select(0, self.corners[:, k]) * self.weights[:, k : k + 1].to(values) for k in range(3)
        )
        return (first + second + third).reshape(-1, batch, channels).transpose(0, 1)


def anchor_triangles(model: HeadModel) -> Tensor:
    """[F, 3] triangles of the surfaces that are seen: all of the head but the bands, on which teeth hang."""
    hidden = [model.parts[name].triangles for name in ("upper-teeth", "lower-teeth")]
    is_seen = torch.ones(len(model.triangles), dtype=torch.bool, device=model.triangles.device)
    for rows in hidden:
        is_seen[rows] = False
    return model.triangles[is_seen]


def divided_triangles(vertices: Tensor, triangles: Tensor, spacing: float) -> SurfaceSamples:
    """Centres of the parts that triangles fall into when their edges are divided.

    Args:
        vertices: [V, 3] the mean head.
        triangles: [F, 3] vertices of each triangle.
        spacing: Longest edge of a part in world units.
    """
    ends = vertices[triangles]  # [F, 3, 3]
    longest = (ends - ends.roll(1, dims=1)).norm(dim=-1).amax(dim=1)
    area = 0.5 * torch.linalg.cross(ends[:, 1] - ends[:, 0], ends[:, 2] - ends[:, 0]).norm(dim=-1)
    divisions = (longest / spacing).ceil().clamp(1, _MOST_DIVISIONS).long()
    corners, weights, areas = [], [], []
    for count in divisions.unique().tolist():
        chosen = divisions == count
        centres = _centres(count).to(vertices)  # [count^2, 3]
        corners.append(triangles[chosen].repeat_interleave(len(centres), dim=0))
        weights.append(centres.repeat(int(chosen.sum()), 1))
        areas.append((area[chosen] / len(centres)).repeat_interleave(len(centres)))
    return SurfaceSamples(torch.cat(corners), torch.cat(weights), torch.cat(areas))


def _centres(divisions: int) -> Tensor:
    """[divisions^2, 3] barycentric centres of the equal parts of a triangle."""
    found = []
    for i in range(divisions):
        for j in range(divisions - i):
            k = divisions - 1 - i - j
            found.append((i + 1 / 3, j + 1 / 3, k + 1 / 3))
            if k > 0:  # the part that stands on its head
                found.append((i + 2 / 3, j + 2 / 3, k - 1 / 3))
    return torch.tensor(found) / divisions


def within(samples: SurfaceSamples, vertices: Tensor, low: Tensor, high: Tensor) -> SurfaceSamples:
    """The places that lie between two corners [3] of a box on a mesh with vertices [V, 3]."""
    places = samples.on(vertices[None])[0]
    inside = ((places >= low) & (places <= high)).all(dim=-1)
    return SurfaceSamples(samples.corners[inside], samples.weights[inside], samples.area[inside])
