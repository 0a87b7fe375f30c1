"""Point decoder: mean of the three plane features -> density and colour (EG3D's OSG decoder)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..ops.render_rays import DecoderWeights
from .layers import Linear


class PointDecoder(nn.Module):
    """[..., C] -> raw density [..., 1], colour and features [..., F] in about (0, 1)."""

    def __init__(self, plane_channels: int, hidden: int, feature_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(Linear(plane_channels, hidden), nn.Softplus(), Linear(hidden, 1 + feature_channels))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        output = self.net(features)
        # a little wider than (0, 1), after mip-NeRF's clamp, as EG3D does
        return output[..., :1], torch.sigmoid(output[..., 1:]) * 1.002 - 0.001

    def weights(self) -> DecoderWeights:
        """What the fused operations read: weights and biases with their gains applied."""
        hidden, output = self.net[0], self.net[2]
        assert isinstance(hidden, Linear) and isinstance(output, Linear)
        return DecoderWeights(*hidden.scaled(), *output.scaled())
