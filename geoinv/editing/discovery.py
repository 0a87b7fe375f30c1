"""Directions of a generator that was trained on synthetic heads: each attribute is a known change of z.

For many heads the entries of z that make an attribute are set to without and to with, all else kept; the mean
difference of the two codes is the direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from .directions import Directions

if TYPE_CHECKING:
    from ..models.generator import TriPlaneGenerator


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
    generator: TriPlaneGenerator,
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
    vectors = {name: _direction(generator, z, attribute) for name, attribute in attributes.items()}
    descriptions = {name: attribute.description for name, attribute in attributes.items()}
    return Directions(vectors, descriptions, generator_sha256)


def _direction(generator: TriPlaneGenerator, z: Tensor, attribute: AttributeLike) -> Tensor:
    """[num_ws, w_dim]"""
    changes = generator.mapping(_with(z, attribute.high)) - generator.mapping(_with(z, attribute.low))
    # Some attributes show on some heads only (beards on masculine ones): the half that changes most tells the way.
    sizes = changes.flatten(1).norm(dim=1)
    clearest = sizes.topk(max(len(z) // 2, 1)).indices
    is_even = all(attribute.high.get(index) == -value for index, value in attribute.low.items())
    return (0.5 if is_even else 1.0) * changes[clearest].mean(dim=0).cpu()


def _with(z: Tensor, entries: Mapping[int, float]) -> Tensor:
    """A copy of z [B, z_dim] with some entries set."""
    changed = z.clone()
    for index, value in entries.items():
        changed[:, index] = value
    return changed
