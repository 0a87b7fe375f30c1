"""Which directions a generator really shows: an attribute that the heads had and the pictures do not is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose, pixel_centres
from ..heads import plain_head
from ..images.tensors import GREY
from ..models.anchored_generator import AnchoredGenerator
from ..progress import OnCount
from .apply import apply_edits
from .directions import Directions
from .expressions import moved

if TYPE_CHECKING:
    from ..models.families import OfPlanes

VISIBLE = 0.05
"""Change of colour in [0, 1] that people notice in a face: thirteen levels of 255."""

LOOKED_AT = 6
"""Heads on which an effect is looked for."""

_SIDE = 64
_CHANGED_FRACTION = 0.01  # of the pixels: about the size of an eye


@torch.no_grad()
def visible_directions(
    generator: OfPlanes,
    directions: Directions,
    *,
    heads: int = LOOKED_AT,
    seed: int = 0,
    on_direction: OnCount | None = None,
) -> Directions:
    """The directions whose strength 1 changes some region as large as an eye by at least :data:`VISIBLE`.

    Args:
        generator: Generator that the directions belong to.
        directions: All of its directions.
        heads: Random heads that are looked at.
        seed: Seed of these heads.
        on_direction: Called with the number of directions done.
    """
    z = torch.randn(heads, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    w_plus = generator.mapping(z.to(generator.w_avg.device))
    before = _pictures(generator, w_plus, directions, {})
    kept = {}
    for index, name in enumerate(directions.names):
        if shown_change(before, _pictures(generator, w_plus, directions, {name: 1.0})) >= VISIBLE:
            kept[name] = directions.vectors[name]
        if on_direction is not None:
            on_direction(index + 1)
    descriptions = {name: directions.descriptions[name] for name in kept}
    moves = {name: directions.moves[name] for name in kept if name in directions.moves}
    return Directions(kept, descriptions, directions.generator_sha256, moves)


def shown_change(before: Tensor, after: Tensor) -> float:
    """Mean change of colour over the most changed hundredth of the pixels, [B, 3, H, W] each; the mean over heads."""
    change = (after - before).abs().mean(dim=1).flatten(1)  # [B, H * W]
    count = max(int(_CHANGED_FRACTION * change.shape[1]), 1)
    return change.topk(count, dim=1).values.mean().item()


def _pictures(generator: OfPlanes, w_plus: Tensor, directions: Directions, strengths: Mapping[str, float]) -> Tensor:
    """[B, 3, h, h] in [0, 1] from the front, over grey, of edited heads."""
    rays = generator.camera(CameraPose.from_angles(0.0)).rays(pixel_centres(_SIDE, w_plus.device))
    pictures = []
    for code in w_plus[:, None].unbind(0):
        on_mesh = None
        if isinstance(generator, AnchoredGenerator):
            on_mesh = moved(generator.on_mesh(code), directions, strengths)
        output = plain_head(generator, apply_edits(code, directions, strengths), on_mesh).trace(*rays)
        color = output.features[..., :3] + GREY * (1.0 - output.alpha[..., None])
        pictures.append(color.clamp(0.0, 1.0).transpose(1, 2).unflatten(2, (_SIDE, _SIDE)))
    return torch.cat(pictures)
