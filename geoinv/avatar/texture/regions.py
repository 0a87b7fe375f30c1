"""Regions of the skin on the mean head, and colours for what no picture tells: of hair, of skin and of clothes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...shape import HeadModel
from .surface import skin_topology
from .surface_fields import SurfaceFields, smoothstep

FloatArray = NDArray[np.float64]

_HAIRLINE = (
    (-0.30, -0.15, -0.08, -0.05, 0.05, 0.10, 0.13, 0.17, 0.21, 0.25, 0.35),
    (-0.12, -0.12, 0.00, 0.10, 0.11, 0.125, 0.15, 0.18, 0.20, 0.215, 0.22),
)
"""z and y of the usual hairline on the mean head, in world units: from the nape behind the ears to the forehead."""
_EAR = ((0.205, -0.09, -0.115), (1.0, 0.155, 0.095))  # box of |x|, y, z about the ears of the mean head
_COLLAR = -0.33  # y below which clothes begin
_CORE_RIM = 0.10  # world units from the rim of the face to its middle
_FACE_CLOSING = 0.03  # world units between neighbouring points at most
_FACE_RIM = 0.045  # world units that the face is made smaller: the closing, and what lies at the side of cheeks
_BESIDE_EAR = 0.05  # world units before an ear where the photo may show that ear: they stand out more or less
_LEAST_SEEN = 12  # vertices of a region from which its colour is taken
_LEAST_BESIDE = 200  # pixels of hair beside the mesh, from which its colour is taken
_HAIRLINES_DIFFER = 0.03  # world units that a hairline may be higher than usual
_BALD = (15.0, 45.0)  # distance between colours of scalp and skin: of a bald head, and of one with hair
_BETWEEN = (0.3, 0.55)  # parts of the way from the skin's colour to the hair's where skin ends, and where hair begins
_WITHOUT_SHINE = 70  # per cent of hair by brightness


@dataclass(frozen=True, eq=False)
class SkinRegions:
    """Parts of the skin, for its V vertices.

    Args:
        scalp: [V] from 0 to 1: whether hair usually grows there.
        beyond_hairline: [V] world units up or back from the usual hairline; negative in the face.
        core: [V] bool: the middle of the face, which nothing but a hand hangs before.
        face: [V] bool: what a face detector's points cover.
        bare: [V] bool: face, ears and neck.
        clothed: [V] bool: what is below the collar.
        ears: [V] bool: both ears.
        held: [V] world units within the edge of what those points cover and away from ears, up to 0.1: how well the
            points hold the fit; negative beyond.
    """

    scalp: FloatArray
    beyond_hairline: FloatArray
    bare: NDArray[np.bool_]
    clothed: NDArray[np.bool_]
    face: NDArray[np.bool_]
    core: NDArray[np.bool_]
    held: FloatArray
    ears: NDArray[np.bool_]


@lru_cache(maxsize=2)
def skin_regions(model: HeadModel) -> SkinRegions:
    """Regions of a model's skin."""
    x, y, z = model.mean[model.parts["skin"].vertices].double().numpy().T
    low, high = _EAR
    is_ear = np.ones(len(x), np.bool_)
    for values, start, stop in zip((np.abs(x), y, z), low, high, strict=True):
        is_ear &= (values > start) & (values < stop)
    beyond = np.where(is_ear, -1.0, y - np.interp(z, *_HAIRLINE))
    scalp = smoothstep(beyond, -0.01, 0.02)
    is_below = y <= _COLLAR
    return SkinRegions(scalp, beyond, (scalp < 0.5) & ~is_below, is_below, *_face(model, is_ear), is_ear)


def _face(model: HeadModel, is_ear: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], FloatArray]:
    """[V] which vertices MediaPipe's points cover, but for a rim, the middle of them, and how well they are held."""
    count = model.parts["skin"].vertices.stop
    mean = model.mean[:count].double().numpy()
    fields = SurfaceFields(mean, skin_topology(model).triangles)
    points = np.zeros(count, np.bool_)
    corners = model.landmarks468.corners.numpy().ravel()
    points[corners[corners < count]] = True
    covered = fields.distance(points, _FACE_CLOSING) < _FACE_CLOSING
    inwards = fields.distance(~covered, _CORE_RIM)
    within = inwards.clip(max=_CORE_RIM) - fields.distance(covered, _CORE_RIM).clip(max=_CORE_RIM)
    from_ears = fields.distance(is_ear, _CORE_RIM + _BESIDE_EAR) - _BESIDE_EAR
    return inwards > _FACE_RIM, inwards > _CORE_RIM, np.minimum(within, from_ears)


@dataclass(frozen=True)
class UsualColours:
    """Colours of a person, sRGB 0 to 255, [3] each.

    Args:
        skin: Of bare skin.
        hair: Of the scalp with its hair.
        clothes: Of clothes; None where the photo shows none.
    """

    skin: FloatArray
    hair: FloatArray
    clothes: FloatArray | None = None

    @property
    def hairiness(self) -> float:
        """0 where the scalp has the colour of skin, as on bald heads, 1 where it surely has hair."""
        return float(smoothstep(np.linalg.norm(self.hair - self.skin), *_BALD))

    def likeness_to_skin(self, colours: NDArray[np.floating] | NDArray[np.uint8]) -> FloatArray:
        """[N] of colours [N, 3], 0 to 255: 1 for skin, 0 for hair; 0 for all where both have one colour."""
        to_hair = self.hair - self.skin
        place = (colours - self.skin) @ to_hair / max(float(to_hair @ to_hair), 1.0)
        return np.asarray(self.hairiness * (1.0 - smoothstep(place, *_BETWEEN)))

    def on(self, regions: SkinRegions) -> FloatArray:
        """[V, 3] at the skin's vertices."""
        bare = self.skin + regions.scalp[:, None] * (self.hair - self.skin)
        return np.asarray(bare if self.clothes is None else np.where(regions.clothed[:, None], self.clothes, bare))

    def are_known(self, regions: SkinRegions) -> NDArray[np.bool_]:
        """[V] whether these colours hold: below the collar not, where the photo shows no clothes."""
        known = regions.bare | (regions.scalp > 0.0)
        return np.asarray(known if self.clothes is None else known | regions.clothed)


def usual_colours(
    regions: SkinRegions, colours: FloatArray, weight: FloatArray, hair: FloatArray
) -> UsualColours | None:
    """Colours of this person's skin and hair; None where too little of the skin is seen.

    A bald head has skin on its scalp, and a hood its cloth: what the photo shows there decides.

    Args:
        regions: Regions of the skin.
        colours: [V, 3] what the photo shows.
        weight: [V] how surely.
        hair: [N, 3] colours of the person beside the mesh, where hair stands off the head; N may be 0.
    """
    is_seen = weight > 0.5
    bare = colours[is_seen & regions.bare]
    if len(bare) < _LEAST_SEEN:
        return None
    skin = np.median(bare, axis=0)
    if len(hair) < _LEAST_BESIDE:
        hair = _farthest_from_face(regions, colours, is_seen)
    if len(hair) < _LEAST_SEEN:
        return UsualColours(skin, skin)
    bright = hair.mean(axis=1)
    # highlights are where the light is, not what the hair is
    return UsualColours(skin, np.median(hair[bright <= np.percentile(bright, _WITHOUT_SHINE)], axis=0))


def _farthest_from_face(regions: SkinRegions, colours: FloatArray, is_seen: NDArray[np.bool_]) -> FloatArray:
    """Colours [N, 3] of what is seen of the scalp, as far up as it is seen: hairlines differ."""
    rows = np.flatnonzero(is_seen & (regions.beyond_hairline > _HAIRLINES_DIFFER))
    order = np.argsort(regions.beyond_hairline[rows])
    return np.asarray(colours[rows[order[-max(_LEAST_SEEN, len(rows) // 3) :]]])
