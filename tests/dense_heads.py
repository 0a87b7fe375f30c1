"""A head that fills its box, and a photo of noise: what tests of details look at."""

from __future__ import annotations

import torch
from torch import Tensor

from geoinv.camera import Camera, CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.heads import PlainHead
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.source_view import SourceView
from tests.tiny_models import tiny_config

YAW = 0.4


def dense_generator() -> TriPlaneGenerator:
    torch.manual_seed(1)
    generator = TriPlaneGenerator(tiny_config())
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0  # a dense box
    return generator.eval().requires_grad_(False)


def code_of(generator: TriPlaneGenerator, seed: int = 0) -> Tensor:
    return generator.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(seed)))


def camera(yaw: float = 0.0) -> Camera:
    return CameraPose.from_angles(yaw).camera(FACE_ORBIT)


def source_of(head: PlainHead, seed: int = 2) -> SourceView:
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    return SourceView.from_photo(photo, torch.ones(1, 1, 32, 32), head.view(camera()))
