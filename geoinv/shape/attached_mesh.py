"""A finer mesh that hangs on vertices of the head, as MakeHuman's clothes hang on its base mesh."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AttachedMesh:
    """N vertices, each a fixed mix of three vertices of the head plus an offset.

    Args:
        anchors: [N, 3] vertices of the head.
        weights: [N, 3] weights of the anchors; each row sums to 1.
        offsets: [N, 3] world units that are added.
        triangles: [F, 3] vertices of each triangle, counter-clockwise seen from outside.
        colours: [N, 3] sRGB in [0, 1].
    """

    anchors: Tensor
    weights: Tensor
    offsets: Tensor
    triangles: Tensor
    colours: Tensor

    def on(self, vertices: Tensor) -> Tensor:
        """Vertices [B, N, 3] on heads with vertices [B, V, 3], differentiable in them."""
        mixed = torch.einsum("bnkc,nk->bnc", vertices[:, self.anchors], self.weights.to(vertices))
        return mixed + self.offsets.to(vertices)
