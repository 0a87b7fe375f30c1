"""E0, the global encoder: photo -> w_plus and camera (E3DGE, Lan et al., CVPR 2023, section 3.2).

A small residual network in place of the paper's IR-SE-50 of 259 M parameters: one trunk, and one linear head for all
codes; or a large one, :mod:`.code_pyramid`. Unlike the paper's, it also predicts the camera, from where landmarks lie
at the full 256 px: a head that stands 1 % further off has its pupils 0.7 pixels closer together. The small one's codes
need only half of that side. For generators on the head mesh it gives shape code and light as well, the shape from the
picture and from where landmarks lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import CameraPose
from ..camera.pose import TYPICAL_POSE
from ..errors import ShapeError
from ..images.tensors import at_side
from ..shape import ARKIT_UNITS, HeadCodes
from .code_pyramid import CodePyramid
from .encoder_config import EncoderConfig
from .face_landmarks import LANDMARKS, LandmarkNetwork, centres
from .on_mesh import OnMesh

if TYPE_CHECKING:
    from .anchored_generator import AnchoredGenerator
    from .plane_generator import PlaneGenerator

INPUT_SIZE = 256
"""Side of the photos that encoders read."""
_LANDMARK_SCALE = 10.0  # to about one
_POSE_HIDDEN = 256
_SHAPE_HIDDEN = 384
_EXPRESSION_SCALE, _GAZE_SCALE, _LIGHT_SCALE = 0.25, 0.1, 0.3  # about their spread over heads; identity's is 1


def encoder_input(photos: Tensor) -> Tensor:
    """Photos [B, 3, H, H] in [0, 1] as encoders read them: [B, 3, 256, 256] in [-1, 1]."""
    return at_side(photos, INPUT_SIZE) * 2.0 - 1.0


@dataclass(frozen=True)
class EncoderOutput:
    """w_plus [B, num_ws, w_dim], the camera, and landmarks [B, 73, 2], normalised (x, y) in [0, 1], of heat maps
    [B, 73, 64, 64]; shape and light for generators on the head mesh, else None."""

    w_plus: Tensor
    camera: CameraPose
    landmarks: Tensor
    heat: Tensor
    on_mesh: OnMesh | None = None


def shape_scales(size: int) -> Tensor:
    """[size] about the spread of each number of a shape code over heads."""
    others = [_EXPRESSION_SCALE] * len(ARKIT_UNITS) + [_GAZE_SCALE] * 2
    return torch.tensor([1.0] * (size - len(others)) + others)  # torch.cat of meta tensors imports a compiler, 2.7 s


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
    shape_avg: Tensor  # [shape_size] and [9, 3], of the head of w_avg; for generators on the head mesh alone
    light_avg: Tensor
    shape_scale: Tensor  # [shape_size]

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
        if config.shape_size:
            self._build_on_mesh(config)

    def _build_on_mesh(self, config: EncoderConfig) -> None:
        size = config.shape_size
        self.shape = nn.Sequential(
            nn.Linear(config.hidden + 2 * LANDMARKS, _SHAPE_HIDDEN), nn.SiLU(), nn.Linear(_SHAPE_HIDDEN, size)
        )
        self.light = nn.Linear(config.hidden, 27)
        self.register_buffer("shape_avg", torch.zeros(size))
        self.register_buffer("light_avg", torch.zeros(9, 3))
        self.register_buffer("shape_scale", shape_scales(size))

    @torch.no_grad()
    def start_at(self, generator: PlaneGenerator | AnchoredGenerator) -> None:
        """Begin at the mean head of a generator, which is kept: so an encoder is whole by itself."""
        from .anchored_generator import AnchoredGenerator

        self.w_avg.copy_(generator.w_avg)
        if isinstance(generator, AnchoredGenerator):
            mean = generator.on_mesh(generator.w_avg[None, None])
            self.shape_avg.copy_(mean.codes.as_vector()[0])
            self.light_avg.copy_(mean.light[0])

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

    def _offsets(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """[B, num_ws, w_dim] codes minus the mean one, and what they are read from [B, hidden]."""
        if self.config.codes == "pyramid":
            offsets, seen = self.pyramid(image.contiguous(memory_format=torch.channels_last))
            return offsets, seen
        return self._offsets_of(self.features(image))

    def features(self, image: Tensor) -> Tensor:
        """[B, F] what the trunk makes of photos [B, 3, 256, 256]; a pyramid has none."""
        half = F.avg_pool2d(image, 2).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.trunk(self.stem(half)).flatten(1)
        return features

    def _offsets_of(self, features: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.neck(features).float()
        codes: Tensor = self.codes(hidden).float().reshape(-1, self.config.num_ws, self.config.w_dim)
        return codes, hidden

    def codes_of(self, features: Tensor, landmarks: Tensor) -> tuple[Tensor, OnMesh]:
        """w_plus [B, num_ws, w_dim], shape and light of the trunk's features [B, F] and landmarks [B, 73, 2]; of
        encoders for generators on the head mesh."""
        offsets, hidden = self._offsets_of(features)
        return self.w_avg + offsets, self._on_mesh(hidden, landmarks)

    def forward(self, image: Tensor) -> EncoderOutput:
        if image.ndim != 4 or image.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ShapeError(f"image must be [B, 3, {INPUT_SIZE}, {INPUT_SIZE}], got {list(image.shape)}")
        heat = self.landmarks(image)
        landmarks = centres(heat)
        offsets, seen = self._offsets(image)
        on_mesh = self._on_mesh(seen, landmarks) if self.config.shape_size else None
        return EncoderOutput(self.w_avg + offsets, self.camera_of(landmarks), landmarks, heat, on_mesh)

    def _on_mesh(self, seen: Tensor, landmarks: Tensor) -> OnMesh:
        """Shape and light of what the codes are read from [B, hidden] and of landmarks, which have their own truth."""
        with torch.autocast(seen.device.type, enabled=False):
            told = torch.cat([seen, _LANDMARK_SCALE * (landmarks.detach().flatten(1) - 0.5)], dim=1)
            codes = self.shape_avg + self.shape(told) * self.shape_scale
            light = self.light_avg + _LIGHT_SCALE * self.light(seen).unflatten(1, (9, 3))
        return OnMesh(HeadCodes.from_vector(codes), light)

    def camera_of(self, landmarks: Tensor) -> CameraPose:
        """The camera that sees landmarks [B, 73, 2], normalised."""
        with torch.autocast(landmarks.device.type, enabled=False):  # bfloat16 would round positions to half a pixel
            pose = self.pose(_LANDMARK_SCALE * (landmarks.flatten(1) - 0.5)) * self.pose_scale
        return CameraPose.from_vector(pose)
