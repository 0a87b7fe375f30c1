"""Lights by name: a lamp at one side in a dim room, or the surroundings of a panorama."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UsageError
from .environment import SUFFIXES, environment_light, read_panorama
from .spherical_harmonics import directional_light

LIGHTS: Mapping[str, tuple[float, float, float]] = {
    "left": (-1.0, 0.2, 0.4),
    "right": (1.0, 0.2, 0.4),
    "above": (0.0, 1.0, 0.4),
    "below": (0.0, -1.0, 0.5),
    "front": (0.0, 0.3, 1.0),
    "behind": (0.5, 0.6, -1.0),
}
"""Where the lamp of each stands, in world axes; left and right are those of a picture from the front."""

_ROOM = 0.35  # linear RGB that a white surface sends back of the room's light
_LAMP = 0.95


def light_named(name: str) -> Tensor:
    """Light [1, 9, 3] of a name in :data:`LIGHTS`, or of the file of a panorama.

    Raises:
        UsageError: Neither.
    """
    if Path(name).suffix.lower() in SUFFIXES:
        return environment_light(read_panorama(Path(name)))
    plain = name.strip().lower()
    if plain not in LIGHTS:
        near = difflib.get_close_matches(plain, LIGHTS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(LIGHTS)}, and panoramas (.exr, .hdr)"
        raise UsageError(f"unknown light {name!r}", hint)
    direction = torch.nn.functional.normalize(torch.tensor([LIGHTS[plain]]), dim=-1)
    light = directional_light(direction, torch.full((1, 3), _LAMP))
    light[:, 0] += _ROOM / 0.28209479
    return light
