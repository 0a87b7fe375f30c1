"""Losses that keep what tuning to one photo must not change: the head from its sides, and heads that are near it.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021, section 3.3, keeps near heads; the side
views are ours: one photo says nothing of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...camera import CameraPose, pixel_centres
from ...heads import OfPlanesHead, plain_head
from ...models.latent_space import random_codes

if TYPE_CHECKING:
    from ...models.families import OfPlanes
    from ...ops.render_rays import RayOutput

_SIDE_YAWS_RAD = tuple(math.radians(yaw) for yaw in (-35.0, -20.0, 20.0, 35.0))
_GRID = 48
_RAYS = 250  # of a step
_STEP_TO_RANDOM = 0.3  # of the way from the pivot to a random head


class Locality:
    """Squared differences to the generator as it was.

    Args:
        base: The generator before tuning.
        pivot: The pivot's head, by ``base``.
        camera: [6] camera of the photo.
        seed: Seed of rays and heads.
    """

    def __init__(self, base: OfPlanes, pivot: OfPlanesHead, camera: Tensor, *, seed: int) -> None:
        self._base, self._pivot = base, pivot.w_plus
        self._random = torch.Generator().manual_seed(seed)
        self._codes = random_codes(base, 64, seed=seed)
        vectors = camera.repeat(len(_SIDE_YAWS_RAD), 1)
        vectors[:, 0] += torch.tensor(_SIDE_YAWS_RAD, device=camera.device)
        cameras = CameraPose.from_vector(vectors).camera(base.config.orbit)
        self._origins, self._directions = (
            part.reshape(1, -1, 3) for part in cameras.rays(pixel_centres(_GRID, camera.device))
        )
        with torch.no_grad():
            self._seen = _colors(pivot.trace(self._origins, self._directions))

    def side_views(self, tuned: OfPlanesHead) -> Tensor:
        """Mean squared change of the pivot's colours, seen from 20 and 35 degrees to both sides; ``tuned`` is the pivot
        by the tuned generator."""
        chosen = self._draw()
        output = tuned.trace(self._origins[:, chosen], self._directions[:, chosen])
        return (_colors(output) - self._seen[chosen]).square().mean()

    def near_heads(self, moving: OfPlanes) -> Tensor:
        """Mean squared change of colours, before and after tuning, of a head 30 % of the way from the pivot to a random
        head."""
        chosen = self._draw()
        other = self._codes[torch.randint(len(self._codes), (1,), generator=self._random).to(self._codes.device)]
        code = self._pivot + _STEP_TO_RANDOM * (other - self._pivot)
        origins, directions = self._origins[:, chosen], self._directions[:, chosen]
        with torch.no_grad():
            before = _colors(plain_head(self._base, code).trace(origins, directions))
        after = _colors(plain_head(moving, code).trace(origins, directions))
        return (after - before).square().mean()

    def _draw(self) -> Tensor:
        chosen = torch.randint(self._origins.shape[1], (_RAYS,), generator=self._random)
        return chosen.to(self._origins.device)


def _colors(output: RayOutput) -> Tensor:
    """[N, 4] colour and alpha of rays [1, N]."""
    return torch.cat([output.features[0, :, :3], output.alpha[0][:, None]], dim=1)
