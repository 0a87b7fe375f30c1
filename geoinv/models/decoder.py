"""Point decoder: mean of the three plane features -> density and colour (EG3D's OSG decoder)."""

from __future__ import annotations

from torch import Tensor, nn

from ..ops.render_rays import DecoderWeights
from ..ops.render_rays.reference import decode_reference
from .layers import Linear


class PointDecoder(nn.Module):
    """[..., C] -> raw density [..., 1], colour and features [..., F] in about (0, 1); film [..., 2 * hidden] modulates
    what the latter read."""

    def __init__(self, plane_channels: int, hidden: int, feature_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(Linear(plane_channels, hidden), nn.Softplus(), Linear(hidden, 1 + feature_channels))

    def forward(self, features: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raw, colors = decode_reference(features, self.weights(), film)
        return raw[..., None], colors

    def weights(self) -> DecoderWeights:
        """Weights and biases with their gains applied, as the fused operations read them."""
        hidden, output = self.net[0], self.net[2]
        assert isinstance(hidden, Linear) and isinstance(output, Linear)
        return DecoderWeights(*hidden.scaled(), *output.scaled())
