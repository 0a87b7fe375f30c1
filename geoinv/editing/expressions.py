"""ARKit's 52 expressions as edits of heads on the head mesh: each moves its unit of the shape code.

What goes with a movement, such as folds and the shadow in an open mouth, is painted by the shape code's expression as
well, so w_plus stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ..errors import UsageError
from ..models.anchored_generator import AnchoredGenerator
from ..models.on_mesh import OnMesh
from ..notices import notify
from ..shape import ARKIT_UNITS, HeadCodes, expression_code
from .apply import checked_strength
from .directions import Directions, plain_name

_MOST = 1.2  # weight of a unit; 1 is the full movement
_FULL = 1.0
_UNITS = {plain_name(unit): unit for unit in ARKIT_UNITS}


def is_unit(attribute: str) -> bool:
    """Whether an attribute, written in any case, is one of ARKit's units."""
    return plain_name(attribute) in _UNITS


def with_units(directions: Directions, generator: AnchoredGenerator) -> Directions:
    """Directions with a direction for each of ARKit's units beside those that are there."""
    config = generator.config
    identity = generator.anchor_config.code_size - len(ARKIT_UNITS) - 2
    moves = {}
    for unit in ARKIT_UNITS:
        codes = HeadCodes(torch.zeros(1, identity), expression_code({unit: 1.0}), torch.zeros(1, 2))
        moves[unit] = OnMesh(codes, torch.zeros(1, 9, 3))
    return Directions(
        {**directions.vectors, **{unit: torch.zeros(config.num_ws, config.w_dim) for unit in ARKIT_UNITS}},
        {**directions.descriptions, **dict.fromkeys(ARKIT_UNITS, "ARKit's expression, from 0 to 1")},
        directions.generator_sha256,
        {**directions.moves, **moves},
    )


def bounded_units(on_mesh: OnMesh, strengths: Mapping[str, float]) -> dict[str, float]:
    """The strengths that keep units between 0 and a little above the full movement; a notice says which were bounded.

    Args:
        on_mesh: Shape of the head to be edited.
        strengths: What is to be added to the weight of units, by ARKit's names in any case.

    Raises:
        UsageError: A strength that is not finite.
    """
    bounded = {}
    for name, strength in strengths.items():
        checked_strength(name, strength)
        weight = float(on_mesh.codes.expression[0, ARKIT_UNITS.index(_UNITS[plain_name(name)])])
        applied = min(max(strength, min(-weight, 0.0)), max(_MOST - weight, 0.0))
        if applied != strength:
            applied = round(applied, 4)
            notify(f"{name} {strength:+g} leads beyond the full movement or below rest: {applied:+g} is applied")
        bounded[name] = applied
    return bounded


def moved(on_mesh: OnMesh, directions: Directions, strengths: Mapping[str, float]) -> OnMesh:
    """Shape and light plus strength times what each direction moves of them.

    A direction's movements of the face end at the full one, so that who smiles already does not smile twice; those of
    units end where :func:`bounded_units` says.

    Args:
        on_mesh: Shape and light of a head.
        directions: Directions of its generator.
        strengths: Strength by attribute.

    Raises:
        UsageError: A direction that was made for a generator without a mesh.
    """
    codes, light = on_mesh.codes.as_vector(), on_mesh.light
    most = on_mesh.codes.expression.clamp(min=_FULL)
    for name, strength in strengths.items():
        own = directions.name_of(name)
        if own not in directions.moves:
            raise UsageError(f"the direction {own} knows no shape", "make it anew: geoinv train directions")
        move = directions.moves[own]
        codes = codes + strength * move.codes.as_vector().to(codes)
        light = light + strength * move.light.to(light)
        if is_unit(own):
            most = most.maximum(HeadCodes.from_vector(codes).expression)
    shape = HeadCodes.from_vector(codes)
    return OnMesh(replace(shape, expression=shape.expression.minimum(most)), light)
