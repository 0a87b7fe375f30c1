"""Directions of a generator that was trained on synthetic heads: each attribute is a known change of z.

For many heads the entries of z that make an attribute are set to without and to with, all else kept; the mean
difference of the two codes is the direction. On the head mesh, shapes and lights differ in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from ..models.anchored_generator import AnchoredGenerator
from ..models.on_mesh import OnMesh
from ..shape import HeadCodes
from .directions import Directions

if TYPE_CHECKING:
    from ..models.families import OfPlanes


class AttributeLike(Protocol):
    """The part of ``synth.sampler.Attribute`` that discovery reads."""

    @property
    def low(self) -> Mapping[int, float]:
        """Entries of z without the attribute."""

    @property
    def high(self) -> Mapping[int, float]:
        """Entries of z with it."""

    @property
    def description(self) -> str:
        """Effect of strength +1, for people."""


@torch.no_grad()
def discover_directions(
    generator: OfPlanes,
    attributes: Mapping[str, AttributeLike],
    *,
    generator_sha256: str,
    heads: int = 1024,
    seed: int = 0,
) -> Directions:
    """Directions for all attributes.

    Strength 1 takes a head from without to with. Where the two lie evenly about the average (age from young to old)
    it takes half of that way: from average to with, and strength -1 from average to without.

    Args:
        generator: Its mapping network is asked; z as the heads' sampler defines it.
        attributes: ``HeadSampler().attributes``.
        generator_sha256: Of the generator's file.
        heads: Random heads to average over.
        seed: Seed of the heads.
    """
    rng = np.random.default_rng(seed)
    z = torch.from_numpy(rng.standard_normal((heads, generator.config.z_dim)).astype(np.float32))
    z = z.to(generator.w_avg.device)
    found = {name: _direction(generator, z, attribute) for name, attribute in attributes.items()}
    descriptions = {name: attribute.description for name, attribute in attributes.items()}
    moves = {name: move for name, (_, move) in found.items() if move is not None}
    return Directions({name: vector for name, (vector, _) in found.items()}, descriptions, generator_sha256, moves)


def _direction(generator: OfPlanes, z: Tensor, attribute: AttributeLike) -> tuple[Tensor, OnMesh | None]:
    """[num_ws, w_dim], and what goes with it of shape and light on the head mesh."""
    high, low = (generator.mapping(_with(z, entries)) for entries in (attribute.high, attribute.low))
    changes = high - low
    # Some attributes show on some heads only (beards on masculine ones): the half that changes most tells the way.
    sizes = changes.flatten(1).norm(dim=1)
    clearest = sizes.topk(max(len(z) // 2, 1)).indices
    is_even = all(attribute.high.get(index) == -value for index, value in attribute.low.items())
    share = 0.5 if is_even else 1.0
    move = None
    if isinstance(generator, AnchoredGenerator):
        after, before = generator.on_mesh(high[clearest]), generator.on_mesh(low[clearest])
        codes = (after.codes.as_vector() - before.codes.as_vector()).mean(dim=0, keepdim=True)
        light = (after.light - before.light).mean(dim=0, keepdim=True)
        move = OnMesh(HeadCodes.from_vector(share * codes.cpu()), share * light.cpu())
    return share * changes[clearest].mean(dim=0).cpu(), move


def _with(z: Tensor, entries: Mapping[int, float]) -> Tensor:
    """A copy of z [B, z_dim] with some entries set."""
    changed = z.clone()
    for index, value in entries.items():
        changed[:, index] = value
    return changed
