"""An avatar: everything that its files hold, in the library's own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .morphs import Morphs, morph_targets
from .parts import SKIN, AvatarPart, FloatArray, avatar_parts
from .rig import Rig, rig_of
from .template import FittedTemplate

FLAT_COLOURS: Mapping[str, tuple[int, int, int]] = {"skin": (196, 160, 140), "tongue": (175, 90, 90), "eyes": (235,) * 3}
"""sRGB of the materials of an avatar without textures."""


@dataclass(frozen=True, eq=False)
class Avatar:
    """One person's avatar at rest.

    Args:
        parts: Meshes in world units; see :class:`AvatarPart`.
        morphs: Morph targets over all vertices.
        rig: Skeleton over all vertices.
        textures: RGB uint8 [S, S, 3] by material, the first row at the top; a material without has vertex colours.
        seen: [M] how much the photo saw of each corner of the skin, 0 to 1; None where nobody asked.
        facts: JSON values for the file: licence, model, what it was made from.
    """

    parts: tuple[AvatarPart, ...]
    morphs: Morphs
    rig: Rig
    textures: Mapping[str, NDArray[np.uint8]]
    seen: FloatArray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def skin(self) -> AvatarPart:
        """The part with the face."""
        return next(part for part in self.parts if part.name == SKIN)


def flat_avatar(template: FittedTemplate) -> Avatar:
    """An avatar whose materials have one colour each."""
    textures = {name: np.full((4, 4, 3), colour, np.uint8) for name, colour in FLAT_COLOURS.items()}
    return Avatar(avatar_parts(template), morph_targets(template), rig_of(template), textures)
