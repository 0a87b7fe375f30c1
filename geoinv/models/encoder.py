"""E0, the global encoder: photo -> w_plus and camera (E3DGE, Lan et al., CVPR 2023, section 3.2).

A small residual network in place of the paper's IR-SE-50 of 259 M parameters: one trunk, and one linear head for all
codes; or a large one, :mod:`.code_pyramid`. Unlike the paper's, it also predicts the camera, from where landmarks lie
at the full 256 px: a head that stands 1 % further off has its pupils 0.7 pixels closer together. The small one's codes
need only half of that side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import CameraPose
from ..camera.pose import TYPICAL_POSE
from ..errors import ShapeError
from .code_pyramid import CodePyramid
from .config import EncoderConfig
from .face_landmarks import LANDMARKS, LandmarkNetwork, centres

INPUT_SIZE = 256
_LANDMARK_SCALE = 10.0  # to about one
_POSE_HIDDEN = 256


@dataclass(frozen=True)
class EncoderOutput:
    """w_plus [B, num_ws, w_dim], the camera, and landmarks [B, 73, 2], normalised (x, y) in [0, 1], of heat maps
    [B, 73, 64, 64]."""

    w_plus: Tensor
    camera: CameraPose
    landmarks: Tensor
    heat: Tensor


class _Residual(nn.Module):
    """Two 3x3 convolutions with group normalisation about a shortcut; ``stride`` 2 halves the side."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm0 = nn.GroupNorm(8, out_channels)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(8, out_channels)
        is_plain = in_channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if is_plain else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(F.silu(self.norm0(self.conv0(features)))))
        kept = F.avg_pool2d(features, 2) if self.stride == 2 else features
        return F.silu(inner + self.shortcut(kept))


class GlobalEncoder(nn.Module):
    """Photo [B, 3, 256, 256] in [-1, 1] -> :class:`EncoderOutput`."""

    w_avg: Tensor  # [w_dim], the generator's, so that the encoder is whole by itself
    pose_scale: Tensor  # [6]

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        if config.codes == "pyramid":
            self.pyramid = CodePyramid(config)
        else:
            self._build_trunk(config)
        self.landmarks = LandmarkNetwork(config.landmark_widths)
        self.pose = nn.Sequential(
            nn.Linear(2 * LANDMARKS, _POSE_HIDDEN),
            nn.SiLU(),
            nn.Linear(_POSE_HIDDEN, _POSE_HIDDEN),
            nn.SiLU(),
            nn.Linear(_POSE_HIDDEN, 6),
        )
        self.register_buffer("w_avg", torch.zeros(config.w_dim))
        self.register_buffer("pose_scale", torch.tensor(TYPICAL_POSE))

    def _build_trunk(self, config: EncoderConfig) -> None:
        self.stem = nn.Sequential(
            nn.Conv2d(3, config.channels[0], 5, stride=2, padding=2, bias=False),
            nn.GroupNorm(8, config.channels[0]),
            nn.SiLU(),
        )
        stages: list[nn.Module] = []
        width = config.channels[0]
        for i, (channels, count) in enumerate(zip(config.channels, config.blocks, strict=True)):
            for block in range(count):
                stages.append(_Residual(width, channels, stride=2 if block == 0 and i > 0 else 1))
                width = channels
        self.trunk = nn.Sequential(*stages)
        self.neck = nn.Sequential(nn.Linear(width * 16, config.hidden), nn.SiLU())
        self.codes = nn.Linear(config.hidden, config.num_ws * config.w_dim)

    def _offsets(self, image: Tensor) -> Tensor:
        """[B, num_ws, w_dim] codes minus the mean one."""
        if self.config.codes == "pyramid":
            offsets: Tensor = self.pyramid(image.contiguous(memory_format=torch.channels_last))
            return offsets
        half = F.avg_pool2d(image, 2).contiguous(memory_format=torch.channels_last)
        hidden = self.neck(self.trunk(self.stem(half)).flatten(1)).float()
        codes: Tensor = self.codes(hidden).float().reshape(-1, self.config.num_ws, self.config.w_dim)
        return codes

    def forward(self, image: Tensor) -> EncoderOutput:
        if image.ndim != 4 or image.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ShapeError(f"image must be [B, 3, {INPUT_SIZE}, {INPUT_SIZE}], got {list(image.shape)}")
        heat = self.landmarks(image)
        landmarks = centres(heat)
        return EncoderOutput(self.w_avg + self._offsets(image), self.camera_of(landmarks), landmarks, heat)

    def camera_of(self, landmarks: Tensor) -> CameraPose:
        """The camera that sees landmarks [B, 73, 2], normalised."""
        with torch.autocast(landmarks.device.type, enabled=False):  # bfloat16 would round positions to half a pixel
            pose = self.pose(_LANDMARK_SCALE * (landmarks.flatten(1) - 0.5)) * self.pose_scale
        return CameraPose.from_vector(pose)
