"""Features follow the face: a flow on every plane brings them from where the average head has them to this head's.

Noses, eyes and lips lie elsewhere on every head, by several pixels of a plane. Painted in place, each is a mean over
where it might be; moved there, all heads share one sharp painting. The flow is a sum of learned fields, a few numbers a
head. Flows that move features along planes are known from flow-guided synthesis (spatial transformers: Jaderberg et
al., NeurIPS 2015; deformed feature planes for avatars: Next3D, Sun et al., CVPR 2023).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HIDDEN = 256
_UNIT = 0.01
"""Unit of the fields, in halves of the box side: so a step of training moves features by little."""
_ITERATIONS = 6


class PlaneWarp(nn.Module):
    """w_plus -> flow of the three planes, and planes moved by it; moves nothing at first.

    Args:
        w_dim: Length of a code.
        rank: Number of fields that are summed.
        side: Cells of a field along a side.
    """

    def __init__(self, w_dim: int, rank: int, side: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(w_dim, _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, rank))
        self.fields = nn.Parameter(torch.zeros(rank, 6, side, side))
        self.mean = nn.Parameter(torch.zeros(6, side, side))

    def flow(self, w_plus: Tensor) -> Tensor:
        """w_plus [B, num_ws, w_dim] -> [B, 3, 2, S, S], columns and rows in halves of the box side.

        A place on the planes of this head shows what lies there plus flow on those that were painted. The mean of the
        codes decides, as it is the mean that says which head it is.
        """
        flow: Tensor = self.mean + torch.einsum("bk,kcij->bcij", self.amounts(w_plus), self.fields)
        return _UNIT * flow.reshape(flow.shape[0], 3, 2, *flow.shape[2:])

    def amounts(self, w_plus: Tensor) -> Tensor:
        """Amounts [B, rank] of the fields."""
        amounts: Tensor = self.net(w_plus.mean(dim=1).float())
        return amounts

    def set_fields(self, mean: Tensor, fields: Tensor) -> None:
        """Set flows that are known: mean [6 S S] and fields [rank, 6 S S], in halves of the box side."""
        with torch.no_grad():
            self.mean.copy_(mean.reshape(self.mean.shape) / _UNIT)
            self.fields.copy_(fields.reshape(self.fields.shape) / _UNIT)

    def same_places(self, points: Tensor, w_from: Tensor, w_to: Tensor, *, box_side: float) -> Tensor:
        """Points of another head at the same places of the face as given points of a head.

        Both heads show there what was painted at one place: p' + flow'(p') = p + flow(p).

        Args:
            points: [B, N, 3] points of the head of ``w_from`` in world units.
            w_from, w_to: [B, num_ws, w_dim] codes of both heads.
            box_side: Side of the box in world units.

        Returns:
            [B, N, 3] points of the head of ``w_to``.
        """
        return self.places_on_head(self.places_painted(points, w_from, box_side=box_side), w_to, box_side=box_side)

    def places_painted(self, points: Tensor, w_plus: Tensor, *, box_side: float) -> Tensor:
        """Where the average head has what a head shows at points [B, N, 3], all in world units."""
        scaled = points * (2.0 / box_side)
        return (scaled + _along_axes(self.flow(w_plus), scaled)) * (0.5 * box_side)

    def places_on_head(self, painted: Tensor, w_plus: Tensor, *, box_side: float) -> Tensor:
        """Where a head has what the average head has at points [B, N, 3], all in world units.

        Solved by iteration, which converges as flows are smooth. Width and height follow the plane that faces the
        viewer, depth that of the profile.
        """
        wanted = painted * (2.0 / box_side)
        flow, found = self.flow(w_plus), wanted
        for _ in range(_ITERATIONS):
            found = wanted - _along_axes(flow, found)
        return found * (0.5 * box_side)

    def forward(self, planes: Tensor, w_plus: Tensor) -> Tensor:
        """planes [B, 3 C, R, R] as painted -> as moved."""
        batch, channels, side, _ = planes.shape
        flow = F.interpolate(self.flow(w_plus).flatten(0, 1), size=(side, side), mode="bilinear", align_corners=False)
        ticks = (2.0 * torch.arange(side, device=planes.device) + 1.0) / side - 1.0
        rows, columns = torch.meshgrid(ticks, ticks, indexing="ij")
        places = torch.stack([columns, rows]) + flow  # [B * 3, 2, R, R]
        moved = F.grid_sample(
            planes.reshape(batch * 3, channels // 3, side, side),
            places.permute(0, 2, 3, 1),
            padding_mode="border",
            align_corners=False,
        ).reshape(batch, channels, side, side)
        return moved.contiguous(memory_format=torch.channels_last)  # as the renderer reads it


def _along_axes(flow: Tensor, points: Tensor) -> Tensor:
    """flow [B, 3, 2, S, S] at points [B, N, 3] in halves of the box side -> [B, N, 3] along x, y and z."""
    front = F.grid_sample(flow[:, 0], points[:, None, :, :2], padding_mode="border", align_corners=False)
    profile = F.grid_sample(flow[:, 2], points[:, None][..., [2, 1]], padding_mode="border", align_corners=False)
    return torch.cat([front[:, :, 0], profile[:, :1, 0]], dim=1).transpose(1, 2)
