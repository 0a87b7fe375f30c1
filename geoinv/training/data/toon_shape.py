"""The shape of a toon: the head's own, seen through smooth magnifiers about its eyes, nose and jaw.

A toon is another way to look at a head that there is, not a head of its own: each point of the toon shows a point of
the head. So whatever a code says (who it is, a smile, a glance) is the toon's too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.generator import TriPlaneGenerator

_ITERATIONS = 8


@dataclass(frozen=True)
class ToonProportions:
    """How much larger parts of a toon are than those of its head.

    Args:
        eyes: Eyes and what is about them, along x, y and z.
        irises: Irises beside that, along x and y.
        nose: The nose.
        jaw: The width of the jaw.
        neck: The width of the neck.
        skull: The width of the head above the eyes.
    """

    eyes: tuple[float, float, float] = (1.7, 1.75, 1.2)
    irises: float = 1.3
    nose: float = 0.72
    jaw: float = 0.86
    neck: float = 0.76
    skull: float = 1.07


EYE_RADII = (0.075, 0.075, 0.12)
"""World units from an eye's middle at which its magnifier is weaker by 1 / e."""
_IRIS_RADII = (0.04, 0.045, 0.1)
_NOSE_RADII = (0.06, 0.07, 0.1)
_EYE_DEPTH, _NOSE_DEPTH = 0.02, 0.03  # from the landmarks on the surface back to the middle of what is magnified
_SHOULDERS = -0.4  # y below which nothing is narrower


class ToonShape:
    """The way between points of toons and points of their heads.

    Args:
        generator: A generator with a warp, which tells where on each head eyes, nose and chin are.
        w_plus: [B, num_ws, w_dim] codes of the heads.
        landmarks: [68, 3] landmarks of the average head in iBUG's order, world units.
        proportions: How much larger parts are.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        w_plus: Tensor,
        landmarks: Tensor,
        proportions: ToonProportions,
    ) -> None:
        self._sizes = proportions
        middles = torch.stack([*eye_middles(landmarks), landmarks[30], landmarks[8]])
        middles = middles - middles.new_tensor([[_EYE_DEPTH], [_EYE_DEPTH], [_NOSE_DEPTH], [0.0]]) * middles.new_tensor(
            [0.0, 0.0, 1.0]
        )
        box_side = generator.config.render.box_side
        placed = generator.warp.places_on_head(middles.expand(len(w_plus), -1, -1), w_plus, box_side=box_side)
        self._eyes, self._nose, self._chin = placed[:, :2], placed[:, 2:3], placed[:, 3:]

    def on_head(self, points: Tensor) -> Tensor:
        """Points [B, N, 3] of the toons -> the points of the heads that they show, world units."""
        sizes = self._sizes
        width = self._width(points[..., 1:2])
        narrow = torch.cat([points[..., :1] / width, points[..., 1:]], dim=-1)
        moved = narrow
        for eye in self._eyes.split(1, dim=1):
            moved = moved - _magnified(narrow, eye, EYE_RADII, sizes.eyes)
            moved = moved - _magnified(narrow, eye, _IRIS_RADII, (sizes.irises, sizes.irises, 1.0))
        return moved - _magnified(narrow, self._nose, _NOSE_RADII, (sizes.nose, sizes.nose, sizes.nose))

    def on_toon(self, points: Tensor) -> Tensor:
        """Points [B, N, 3] of the heads -> where the toons show them, world units; found by iteration."""
        found = points
        for _ in range(_ITERATIONS):
            found = points + (found - self.on_head(found))
        return found

    def _width(self, y: Tensor) -> Tensor:
        """Width [B, N, 1] of the toon over that of the head at heights [B, N, 1]."""
        sizes, level = self._sizes, self._eyes[..., 1:2].mean(dim=1, keepdim=True)
        below = (level - y) / (level - self._chin[..., 1:2])  # 0 at the eyes, 1 at the chin
        jaw = 1.0 + (sizes.jaw - 1.0) * torch.sigmoid(6.0 * (below - 0.75))
        neck = 1.0 + (sizes.neck / sizes.jaw - 1.0) * torch.sigmoid(14.0 * (below - 1.15))
        skull = 1.0 + (sizes.skull - 1.0) * torch.sigmoid(5.0 * (-below - 0.1))
        return torch.lerp(jaw * neck * skull, torch.ones_like(y), torch.sigmoid(60.0 * (_SHOULDERS - y)))


def eye_middles(landmarks: Tensor) -> Tensor:
    """[2, 3] the middles of the openings of both eyes, of landmarks [68, 3]."""
    return torch.stack([landmarks[36:42].mean(dim=0), landmarks[42:48].mean(dim=0)])


def closeness(points: Tensor, middle: Tensor, radii: tuple[float, float, float]) -> Tensor:
    """[B, N, 1] in (0, 1]: 1 at the middle [B, 1, 3] or [3], 1 / e where points [B, N, 3] are a radius away."""
    return torch.exp(-((points - middle) / points.new_tensor(radii)).square().sum(dim=-1, keepdim=True))


def _magnified(
    points: Tensor, middle: Tensor, radii: tuple[float, float, float], sizes: tuple[float, float, float]
) -> Tensor:
    """What to take away from points [B, N, 3] so that what lies about the middle [B, 1, 3] is shown larger."""
    return closeness(points, middle, radii) * (1.0 - 1.0 / points.new_tensor(sizes)) * (points - middle)
