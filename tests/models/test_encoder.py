"""The global encoder: shapes, the mean code at zero, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from geoinv.errors import ShapeError
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.encoder_config import EncoderConfig

CONFIG = EncoderConfig(
    "mini", num_ws=3, w_dim=8, channels=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), hidden=16, landmark_widths=(16, 16)
)


def test_shapes() -> None:
    output = GlobalEncoder(CONFIG)(torch.zeros(2, 3, 256, 256))
    assert output.w_plus.shape == (2, 3, 8)
    assert output.camera.as_vector().shape == (2, 6)
    assert output.landmarks.shape == (2, 73, 2)


def test_offsets_are_from_the_mean_code() -> None:
    encoder = GlobalEncoder(CONFIG)
    image = torch.randn(1, 3, 256, 256)
    before = encoder(image).w_plus
    encoder.w_avg += 1.5
    assert torch.allclose(encoder(image).w_plus, before + 1.5, atol=1e-5)


def test_codes_need_half_the_side_and_cameras_all_of_it() -> None:
    torch.manual_seed(0)
    encoder = GlobalEncoder(CONFIG)
    small = torch.rand(1, 3, 128, 128)
    checkered = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(128, 128)
    doubled = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    plain, fine = encoder(doubled), encoder(doubled + checkered)
    assert torch.allclose(plain.w_plus, fine.w_plus, atol=1e-5)
    assert not torch.allclose(plain.camera.as_vector(), fine.camera.as_vector(), atol=1e-5)


def test_cameras_are_told_in_full_precision() -> None:
    """A bfloat16 position would be half a pixel off."""
    torch.manual_seed(0)
    encoder = GlobalEncoder(CONFIG)
    image = torch.rand(1, 3, 256, 256)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = encoder(image)
    assert output.landmarks.dtype == output.camera.as_vector().dtype == torch.float32
    assert output.landmarks.bfloat16().float().ne(output.landmarks).any()


def test_rejects_other_sizes() -> None:
    with pytest.raises(ShapeError, match="256"):
        GlobalEncoder(CONFIG)(torch.zeros(1, 3, 128, 128))
