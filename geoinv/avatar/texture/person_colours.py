"""Colours of the person in the photo: of skin, of hair, of clothes, and of what lies before the skin and would be
painted on it.

The mesh is a bald head. What the photo shows of the person beside it, above the ears, is hair (or a hat). What it shows
lowest, and is neither skin nor hair, are clothes; where all that is no skin looks like hair, clothes do too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...images.cielab import cielab
from .photo_view import PhotoView
from .picture_source import PictureSource
from .rasterise import Coverage
from .regions import SkinRegions, UsualColours, usual_colours
from .surface import HeadSurface, Sighting
from .surface_fields import smoothstep

FloatArray = NDArray[np.float64]

_COARSE = 300.0  # pixels along the view in which colours are compared: single hairs and pores do not count
_GRID = 128  # places along the view that are looked at beside the head
_EARS_Y = 0.04  # world units: height of the ears on the mean head
_LOWEST = 0.08  # parts of the view's height, from the lowest place that shows the person: clothes, or bare shoulders
_LEAST_CLOTHES = 0.2  # part of what is seen there that is neither skin nor hair
_LEAST_COVERED = 0.5  # part of it that is no skin: clothes as dark as hair, or hair that hides them
_SIDEWAYS = (
    0.45,
    0.65,
)  # part of the normal to left or right from which skin is a side: a beard below the chin is none
_FRINGE = (0.03, 0.06)  # world units (11 and 22 mm) below the usual hairline where hair lies on the head, not before it
_BEFORE_EARS = (0.05, 0.10)  # world units to the front: beside ears hair and wall show, and the fit is rough
_SKIN_STIFFNESS = 0.5  # of the field that carries the colours of the face to its sides
_OF_LIGHTNESS = 0.5  # of a difference in lightness that counts: sides are darker or lighter
_UNLIKE = 22.0  # distance in CIELAB from the skin that is expected


def colours_of_person(
    surface: HeadSurface,
    sighting: Sighting,
    view: PhotoView,
    source: PictureSource,
    regions: SkinRegions,
    weight: FloatArray,
) -> UsualColours | None:
    """Colours of skin, hair and clothes, from vertices by their ``weight`` [V]; None where too little skin is shown."""
    coarse = source.shrunk_to(_COARSE)
    ticks = (np.arange(_GRID) + 0.5) / _GRID
    places = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    places = places[sighting.read(view.shows_person, places)]
    beside = places[_are_beside_the_head(surface, sighting, places)]
    usual = usual_colours(
        regions, coarse.colours(sighting.places).astype(np.float64), weight, coarse.colours(beside).astype(np.float64)
    )
    if usual is None:
        return None
    lowest = places[places[:, 1] > places[:, 1].max() - _LOWEST]
    return replace(usual, clothes=_clothes(coarse.colours(lowest), usual))


def _are_beside_the_head(surface: HeadSurface, sighting: Sighting, places: FloatArray) -> NDArray[np.bool_]:
    """[N] which places [N, 2] in the view lie above the ears, and not on the mesh."""
    ears = np.abs(surface.vertices[: surface.topology.count, 1] - _EARS_Y) < 0.02
    is_above = places[:, 1] < np.median(sighting.places[ears, 1])
    return np.asarray(is_above & (sighting.read(sighting.shown, places) < 0))


def _clothes(colours: NDArray[np.floating], usual: UsualColours) -> FloatArray | None:
    """[3] of what is neither skin nor hair among colours [N, 3], 0 to 255; None where most of them are skin's."""
    is_no_skin, is_no_hair = (_difference(colours, _lab(known[None])) > _UNLIKE for known in (usual.skin, usual.hair))
    for is_clothed, least in ((is_no_skin & is_no_hair, _LEAST_CLOTHES), (is_no_skin, _LEAST_COVERED)):
        if is_clothed.mean() > least:
            return np.asarray(np.median(colours[is_clothed].astype(np.float64), axis=0))
    return None


class ExpectedSkin:
    """What bare skin should look like everywhere: the colours of the face carried on, with a beard where it has one."""

    def __init__(
        self,
        surface: HeadSurface,
        sighting: Sighting,
        source: PictureSource,
        regions: SkinRegions,
        weight: FloatArray,
    ) -> None:
        """Skin of a photo.

        Args:
            surface: The fitted surface.
            sighting: The surface through the photo's camera.
            source: The photo.
            regions: Regions of the skin.
            weight: [V] how much the photo tells of each vertex.
        """
        self._coarse, self._places = source.shrunk_to(_COARSE), sighting.places
        of_face = weight * regions.core
        expected = surface.fields.spread(_lab(self._coarse.colours(sighting.places)), of_face, _SKIN_STIFFNESS)
        self._bare = regions.bare & bool(of_face.any())
        side = self._bare & ~regions.core
        # of each vertex: what is expected, and how far something may lie before it
        turned = smoothstep(np.abs(surface.normals[:, 0]), *_SIDEWAYS)
        is_front = smoothstep(surface.vertices[: surface.topology.count, 2], *_BEFORE_EARS)
        fringe = is_front * (1.0 - smoothstep(-regions.beyond_hairline, *_FRINGE))
        self._of_vertices = np.column_stack([expected, side * turned * (1.0 - fringe)])

    def unlike(self, colours: NDArray[np.floating], least: float = _UNLIKE) -> NDArray[np.bool_]:
        """[V] where colours [V, 3] of bare skin are those of something else: hair, a collar, the wall.

        Args:
            colours: Colours at the vertices.
            least: Distance in CIELAB from which they are.
        """
        return np.asarray(self._bare & (_difference(colours, self._of_vertices[:, :3]) > least))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """[V] where the photo shows something else before the sides of cheeks, ears and neck."""
        found = self.unlike(self._coarse.colours(self._places))
        return np.asarray(found & (self._of_vertices[:, 3] > 0.5))

    def trust(self, coverage: Coverage, places: NDArray[np.floating], order: NDArray[np.int64]) -> NDArray[np.float32]:
        """[N] how far the photo is believed at texels: less where it shows something else before sides.

        Args:
            coverage: Texels.
            places: [N, 2] in the photo's view.
            order: [V] vertex of the photo for each vertex: itself, or the one at the other side of the head.
        """
        brought = coverage.bring(self._of_vertices[order])
        trust = np.ones(len(places), np.float32)
        some = np.flatnonzero(brought[:, 3] > 0.0)
        difference = _difference(self._coarse.colours(places[some]), brought[some, :3])
        trust[some] -= brought[some, 3] * smoothstep(difference, 0.7 * _UNLIKE, _UNLIKE)
        return trust


def _difference(colours: NDArray[np.floating], expected: NDArray[np.floating]) -> FloatArray:
    """[N] of colours [N, 3] from CIELAB values [N, 3]."""
    return np.asarray(np.linalg.norm((_lab(colours) - expected) * (_OF_LIGHTNESS, 1.0, 1.0), axis=1))


def _lab(colours: NDArray[np.floating]) -> FloatArray:
    pixels = np.asarray(colours, np.float32) / np.float32(255.0)
    return np.asarray(cielab(pixels.clip(0.0, 1.0)), np.float64)
