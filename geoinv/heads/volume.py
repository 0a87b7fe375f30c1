"""The box of a generator's heads, and the density of their surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..conventions import BOX_SIDE, MM_PER_UNIT

if TYPE_CHECKING:
    from ..models.config import GeneratorConfig

SURFACE_LEVEL = math.log(2.0) / (10.0 / MM_PER_UNIT)
"""Density at the surface, per world unit: a 10 mm step through it is half opaque, ``exp(-level * step) = 1/2``."""

EG3D_SURFACE_LEVEL = math.log1p(math.exp(10.0 - 1.0))
"""Density at which EG3D's scripts cut its generators: a raw density of 10, which counts as softplus(10 - 1)."""

ANCHORED_SURFACE = 0.2
"""The same on the head mesh, as a part of the density inside it: 1.5 mm outside of the mesh, and still hair."""


@dataclass(frozen=True)
class Volume:
    """Facts of a generator that extraction needs.

    Args:
        level: Density of the surface, per world unit.
        box_side: Side of the box.
        is_bust: Whether head and shoulders are all that can be in it, so that the rest is cut away.
        mm_per_unit: Millimetres of a life-sized head in a world unit.
    """

    level: float = SURFACE_LEVEL
    box_side: float = BOX_SIDE
    is_bust: bool = True
    mm_per_unit: float = MM_PER_UNIT


def volume_of(config: GeneratorConfig) -> Volume:
    """The volume of a generator; those with fixed limits along the rays are EG3D's.

    What is on the head mesh was seen from all around: nothing has to be cut away, which would cut large heads flat.
    """
    if config.anchor is not None:
        return Volume(ANCHORED_SURFACE * config.anchor.space.density, config.render.box_side, is_bust=False)
    level = EG3D_SURFACE_LEVEL if config.render.limits == "fixed" else SURFACE_LEVEL
    return Volume(level, config.render.box_side, is_bust=config.crop == "face")
