"""Which directions a generator really shows: an attribute that the heads had and the pictures do not is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose
from ..heads import PlainHead
from ..progress import OnCount
from .directions import Directions

if TYPE_CHECKING:
    from ..models.generator import TriPlaneGenerator

VISIBLE = 0.05
"""Change of colour in [0, 1] that people notice in a face: thirteen levels of 255."""

_SIDE = 64
_HEADS = 6
_CHANGED_FRACTION = 0.01  # of the pixels: about the size of an eye


@torch.no_grad()
def visible_directions(
    generator: TriPlaneGenerator,
    directions: Directions,
    *,
    seed: int = 0,
    on_direction: OnCount | None = None,
) -> Directions:
    """The directions whose strength 1 changes some region as large as an eye by at least :data:`VISIBLE`.

    Args:
        generator: Generator that the directions belong to.
        directions: All of its directions.
        seed: Seed of the random heads that are looked at.
        on_direction: Called with the number of directions done.
    """
    z = torch.randn(_HEADS, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    w_plus = generator.mapping(z.to(generator.w_avg.device))
    before = _pictures(generator, w_plus)
    kept = {}
    for index, name in enumerate(directions.names):
        vector = directions.vectors[name]
        if shown_change(before, _pictures(generator, w_plus + vector.to(w_plus))) >= VISIBLE:
            kept[name] = vector
        if on_direction is not None:
            on_direction(index + 1)
    descriptions = {name: directions.descriptions[name] for name in kept}
    return Directions(kept, descriptions, directions.generator_sha256)


def shown_change(before: Tensor, after: Tensor) -> float:
    """Mean change of colour over the most changed hundredth of the pixels, [B, 3, H, W] each; the mean over heads."""
    change = (after - before).abs().mean(dim=1).flatten(1)  # [B, H * W]
    count = max(int(_CHANGED_FRACTION * change.shape[1]), 1)
    return change.topk(count, dim=1).values.mean().item()


def _pictures(generator: TriPlaneGenerator, w_plus: Tensor) -> Tensor:
    """[B, 3, h, h] in [0, 1] from the front, over grey."""
    front = generator.camera(CameraPose.from_angles(0.0))
    heads = (PlainHead(generator, code[None]) for code in w_plus)
    return torch.cat([head.view(front, resolution=_SIDE, superresolution=False).over_grey() for head in heads])
