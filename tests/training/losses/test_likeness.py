"""Likeness: nothing for the same face, less for a face that is more alike, and a gradient that leads there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from geoinv.faces.square import FACE_SIDE, crop_about, face_positions, face_square
from geoinv.images import read_image
from geoinv.training.losses.likeness import likeness_loss

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def portrait(name: str) -> torch.Tensor:
    from geoinv.align import FaceAligner

    face = FaceAligner().align(read_image(EXAMPLES / name))
    return torch.from_numpy(np.ascontiguousarray(face.image)).permute(2, 0, 1)[None].float() / 255.0


def test_the_square_is_what_networks_see() -> None:
    """A ramp along both axes: the square keeps each pixel's own place."""
    side = 64
    ramp = (torch.arange(side) + 0.5) / side
    picture = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side), torch.zeros(side, side)])[None]
    square = face_square(picture)
    assert square.shape == (1, 3, FACE_SIDE, FACE_SIDE)
    assert torch.allclose(square[0, :2].flatten(1).T, face_positions(), atol=1e-4)
    crop = crop_about(square)
    assert crop.shape[-1] == crop.shape[-2]
    centres = (torch.arange(crop.shape[-1]) + 0.5) / crop.shape[-1]
    inside = crop[0, 1, :, crop.shape[-1] // 2] > 0
    assert torch.allclose(crop[0, 1, inside, crop.shape[-1] // 2], centres[inside], atol=1e-4)


def test_likeness() -> None:
    woman, other = (face_square(portrait(name)) for name in ("woman.jpg", "man.jpg"))
    assert likeness_loss(woman, woman).item() < 1e-6
    between = likeness_loss(0.5 * woman + 0.5 * other, woman).item()
    assert 0.0 < between < likeness_loss(other, woman).item()
    changed = other.clone().requires_grad_()
    loss = likeness_loss(changed, woman)
    loss.backward()
    assert changed.grad is not None
    step = other - 0.02 * changed.grad / changed.grad.abs().max()
    assert likeness_loss(step, woman) < loss
