"""An avatar: everything that its files hold, in the library's own units."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT
from ..errors import UsageError
from ..inversion.aligned_photo import check_same_photo
from ..progress import OnFraction
from .facts import avatar_facts
from .hair import Hair, hair_of
from .morphs import Morphs, morph_targets
from .parts import SKIN, TEETH, AvatarPart, FloatArray, avatar_parts
from .rig import Rig, rig_of
from .template import FittedTemplate, fit_template
from .texture import AvatarTextures, bake_skin, photo_on_skin, view_of_photo

if TYPE_CHECKING:
    from ..align import FaceAligner
    from ..checkpoints.store import ModelInfo
    from ..heads import Head
    from ..inversion import Inversion
    from ..shape import HeadCodes
    from .texture.regions import UsualColours

DEFAULT_TEXTURE = 2048
"""Texels along a side of the skin's texture."""

METRES = MM_PER_UNIT / 1000.0
"""Metres in a world unit."""

_FITTED, _SEEN, _BAKED, _MOVING = 0.05, 0.15, 0.8, 0.85
"""Fractions of the time after each step."""


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
    inversion: Inversion,
    head: Head,
    aligner: FaceAligner,
    generator: ModelInfo,
    *,
    photo: NDArray[np.uint8] | None = None,
    texture: int = DEFAULT_TEXTURE,
    has_hair: bool = True,
    is_albedo: bool = False,
    person: HeadCodes | None = None,
    on_progress: OnFraction | None = None,
) -> Avatar:
    """The avatar of an inversion.

    Args:
        inversion: Result of inverting a photo.
        head: Its head.
        aligner: Face detector with MediaPipe's 468 points.
        generator: The generator that the head is shown with.
        photo: [H, W, 3] the photo that was inverted, at its full resolution; None takes the crop of 512 px that the
            inversion keeps.
        texture: Texels along a side of the skin's texture.
        has_hair: Whether hair and clothes are part of it.
        is_albedo: Whether light is taken out of the skin, as far as its shading in the photo tells it.
        person: Codes at rest of the person, where more than this photo tells them.
        on_progress: Called with the fraction of the work that is done, up to 1.

    Raises:
        UsageError: The head is of another scale than the head mesh.
        PhotoError: No face is found in the aligned photo, or ``photo`` is not the one that was inverted.
    """
    check_scale(head, generator)
    if photo is not None:
        check_same_photo(photo, inversion)
    tell = on_progress or (lambda fraction: None)
    template = fit_template(inversion, head, aligner, person)
    tell(_FITTED)
    on_skin = photo_on_skin(template, view_of_photo(inversion, template, photo), texture)
    tell(_SEEN)
    with ThreadPoolExecutor(1) as beside:  # hair and skin need nothing of each other, and a core each
        hair = beside.submit(_hair, template, head, inversion, on_skin.usual) if has_hair else None
        textures = bake_skin(template, head, on_skin, size=texture, is_albedo=is_albedo)
        tell(_BAKED)
        parts, morphs = _dressed(avatar_parts(template), textures), morph_targets(template)
        tell(_MOVING)
    avatar = Avatar(
        parts,
        morphs,
        rig_of(template),
        {"skin": textures.skin, "tongue": textures.tongue, "eyes": textures.eyes, "eyelids": textures.eyelids},
        hair=None if hair is None else hair.result(),
        seen=textures.seen,
        facts=avatar_facts(generator, inversion.edits),
    )
    tell(1.0)
    return avatar


def _hair(template: FittedTemplate, head: Head, inversion: Inversion, usual: UsualColours | None) -> Hair | None:
    return hair_of(template, head, view_of_photo(inversion, template, None), usual)


def _dressed(parts: tuple[AvatarPart, ...], textures: AvatarTextures) -> tuple[AvatarPart, ...]:
    """The parts with the places and colours of their textures."""
    by_name = {part.name: part for part in parts}
    by_name[SKIN] = replace(by_name[SKIN], uvs=textures.skin_uvs)
    by_name[TEETH] = replace(by_name[TEETH], colours=textures.teeth)
    return tuple(by_name.values())


def check_scale(head: Head, generator: ModelInfo) -> None:
    """Refuse a head that is not in the head mesh's world.

    Raises:
        UsageError: It is of another scale.
    """
    if head.volume.mm_per_unit != MM_PER_UNIT:
        raise UsageError(
            f"heads of model {generator.name} are of another scale than the head mesh that avatars are made of",
            "geoinv export-mesh writes their mesh",
        )
