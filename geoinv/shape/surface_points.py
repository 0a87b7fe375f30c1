"""Fixed places on the surface of a mesh: a triangle and barycentric weights for each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SurfacePoints:
    """N places on the mesh that move with it.

    Args:
        triangles: [N] triangle of each place.
        weights: [N, 3] barycentric weights of its corners; each row sums to 1.
        corners: [N, 3] vertices of these triangles.
    """

    triangles: Tensor
    weights: Tensor
    corners: Tensor

    def __len__(self) -> int:
        return len(self.triangles)

    def on(self, values: Tensor) -> Tensor:
        """Values [..., V, C] of all vertices (places, normals, offsets) at the points: [..., N, C]."""
        weights = self.weights.to(values)
        return torch.einsum("...nkc,nk->...nc", values[..., self.corners, :], weights)
