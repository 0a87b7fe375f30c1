"""Heads in other proportions: larger eyes, a smaller nose, a narrower jaw, for cartoons.

Every point of a head is moved by a smooth function of where it lies, and no two points come to lie at one place. So
what lies before another thing stays before it: lids close over larger eyeballs, whatever the head does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..conventions import BOX_LIMIT
from .model import HeadModel

_EYE_RADII = (0.06, 0.055, 0.1)
"""World units from the middle of an eye's magnifier at which it is weaker by 1 / e."""
_EYE_DEPTH = 0.045  # from an eyeball's middle forward to its front, which stays where it is: eyes grow backwards
_NOSE_RADII = (0.06, 0.07, 0.1)
_NOSE_DEPTH = 0.03  # from the tip back to the middle of what is magnified
_SHOULDERS = -0.4  # y below which nothing is narrower
_TIP, _CHIN = 30, 8  # iBUG's landmarks


@dataclass(frozen=True)
class Proportions:
    """How much larger parts of a head are than its codes say.

    Args:
        eyes: Eyes and what is about them, along x, y and z.
        nose: The nose.
        jaw: The width of the jaw.
        neck: The width of the neck.
        skull: The width of the head above the eyes.
    """

    eyes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    nose: float = 1.0
    jaw: float = 1.0
    neck: float = 1.0
    skull: float = 1.0

    def __post_init__(self) -> None:
        sizes = (*self.eyes, self.nose, self.jaw, self.neck, self.skull)
        if len(self.eyes) != 3 or not all(0.5 <= size <= 2.0 for size in sizes):  # beyond, space would fold
            raise ValueError(f"proportions of {sizes}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Proportions:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON."""
        return cls(**values | {"eyes": tuple(values["eyes"])})


def in_proportion(model: HeadModel, vertices: Tensor, proportions: Proportions) -> Tensor:
    """Heads in other proportions, differentiable in their vertices.

    Args:
        model: Head model.
        vertices: [B, V, 3] of the heads, world units.
        proportions: How much larger parts are.

    Returns:
        Vertices [B, V, 3].
    """
    marks = model.landmarks68.on(vertices)
    balls = [vertices[:, model.parts[name].vertices].mean(dim=1, keepdim=True) for name in ("right-eye", "left-eye")]
    fronts = [ball + vertices.new_tensor([0.0, 0.0, _EYE_DEPTH]) for ball in balls]
    nose = marks[:, _TIP : _TIP + 1] - vertices.new_tensor([0.0, 0.0, _NOSE_DEPTH])
    moved = vertices + sum(_added(vertices, front, _EYE_RADII, proportions.eyes) for front in fronts)
    moved = moved + _added(moved, nose, _NOSE_RADII, (proportions.nose,) * 3)
    level = torch.stack(balls).mean(dim=0)[..., 1:2]
    width = _width(moved[..., 1:2], level, marks[:, _CHIN : _CHIN + 1, 1:2], proportions)
    placed = torch.cat([moved[..., :1] * width, moved[..., 1:]], dim=-1)
    return placed.clamp(-BOX_LIMIT, BOX_LIMIT)


def _added(points: Tensor, middle: Tensor, radii: tuple[float, ...], sizes: tuple[float, ...]) -> Tensor:
    """How far [B, N, 3] points [B, N, 3] move where what lies about the middle [B, 1, 3] becomes larger."""
    away = points - middle
    closeness = torch.exp(-(away / points.new_tensor(radii)).square().sum(dim=-1, keepdim=True))
    return closeness * (points.new_tensor(sizes) - 1.0) * away


def _width(y: Tensor, eyes: Tensor, chin: Tensor, sizes: Proportions) -> Tensor:
    """Factors of widths [B, N, 1] at heights [B, N, 1]; eyes and chin [B, 1, 1] are heights, too."""
    below = (eyes - y) / (eyes - chin)  # 0 at the eyes, 1 at the chin
    jaw = 1.0 + (sizes.jaw - 1.0) * torch.sigmoid(6.0 * (below - 0.75))
    neck = 1.0 + (sizes.neck / sizes.jaw - 1.0) * torch.sigmoid(14.0 * (below - 1.15))
    skull = 1.0 + (sizes.skull - 1.0) * torch.sigmoid(5.0 * (-below - 0.1))
    return torch.lerp(jaw * neck * skull, torch.ones_like(y), torch.sigmoid(60.0 * (_SHOULDERS - y)))
