"""An avatar: everything that its files hold, in the library's own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT
from .facts import avatar_facts
from .hair import Hair, hair_of
from .morphs import Morphs, morph_targets
from .parts import SKIN, AvatarPart, FloatArray, avatar_parts
from .rig import Rig, rig_of
from .template import fit_template

if TYPE_CHECKING:
    from ..align import FaceAligner
    from ..checkpoints.store import ModelInfo
    from ..heads import Head
    from ..inversion import Inversion

METRES = MM_PER_UNIT / 1000.0
"""Metres in a world unit."""

FLAT_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "skin": (196, 160, 140),
    "tongue": (175, 90, 90),
    "eyes": (235,) * 3,
}
"""sRGB of the materials of an avatar without textures."""


@dataclass(frozen=True, eq=False)
class Avatar:
    """One person's avatar at rest.

    Args:
        parts: Meshes in world units; see :class:`AvatarPart`.
        morphs: Morph targets over all vertices.
        rig: Skeleton over all vertices.
        textures: RGB uint8 [S, S, 3] by material, the first row at the top; a material without has vertex colours.
        hair: Hair and clothes, or None.
        seen: [M] how much the photo saw of each corner of the skin, 0 to 1; None where nobody asked.
        facts: JSON values for the file: licence, model, what it was made from.
    """

    parts: tuple[AvatarPart, ...]
    morphs: Morphs
    rig: Rig
    textures: Mapping[str, NDArray[np.uint8]]
    hair: Hair | None = None
    seen: FloatArray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def triangle_count(self) -> int:
        """Number of triangles of all meshes."""
        of_hair = 0 if self.hair is None else len(self.hair.triangles)
        return of_hair + sum(len(part.triangles) for part in self.parts)

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Width, height and depth at rest in metres."""
        hair = [] if self.hair is None else [self.hair.positions]
        places = np.concatenate([part.positions for part in self.parts] + hair) * METRES
        width, height, depth = (places.max(axis=0) - places.min(axis=0)).round(4).tolist()
        return width, height, depth

    @property
    def skin(self) -> AvatarPart:
        """The part with the face."""
        return next(part for part in self.parts if part.name == SKIN)


def make_avatar(
    inversion: Inversion, head: Head, aligner: FaceAligner, generator: ModelInfo, *, has_hair: bool = True
) -> Avatar:
    """The avatar of an inversion.

    Args:
        inversion: Result of inverting a photo.
        head: Its head.
        aligner: Face detector with MediaPipe's 468 points.
        generator: The generator that the head is shown with.
        has_hair: Whether hair and clothes are part of it.

    Raises:
        PhotoError: No face is found in the aligned photo.
    """
    template = fit_template(inversion, head, aligner)
    return Avatar(
        avatar_parts(template),
        morph_targets(template),
        rig_of(template),
        {name: np.full((4, 4, 3), colour, np.uint8) for name, colour in FLAT_COLOURS.items()},
        hair=hair_of(template, head) if has_hair else None,
        facts=avatar_facts(generator, inversion.edits),
    )
