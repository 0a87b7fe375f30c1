"""The texture of closed lids: even skin that goes on from the skin around the eye, and a line of lashes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...conventions import MM_PER_UNIT
from ...shape import HeadModel
from ..eyelids import Eyelids, eyelids
from .layout import skin_layout
from .picture_source import PictureSource
from .rasterise import Coverage, draw_triangles
from .skin import padded
from .surface import HeadSurface
from .surface_fields import smoothstep

_MM = 1.0 / MM_PER_UNIT
_SIZE = (512, 256)  # width and height of both lids' texture
_TEXEL_MM = 0.14  # that one of them covers, about
_RING, _FROM_RIMS = 14.0 * _MM, 5.0 * _MM  # the skin around lids whose colours go on, and how far lashes and rims reach
_IN_LIGHT = (50, 80)  # per cent of that skin by brightness: neither brows and shadows nor highlights
_UNLIKE = (15.0, 45.0)  # sRGB from its colour in the light, of what goes on over lids and what does not
_STIFFNESS = 1.0
_OF_LIDS = (0.99, 0.955, 0.94)  # their colour, as a part of that skin's: they are a little redder
_GRAIN = ((1.0, 0.02), (5.0, 0.015))  # sizes in texels of what is brighter and darker in skin, and by how much
_GOES_OVER = (0.12, 0.65)  # how far lids sink where the skin begins to go over into their own colour, and where it has
_THICKER = (0.2, 0.8)  # how far lids sink from the ends of the line of lashes to where it is thickest
_FOLDS = 21  # texels across folds of the mesh, which do not show
_LASHES = (0.5, 1.5)  # millimetres above a lid's edge where the line of lashes begins to end, and where it has ended
_DARKEST = 10  # per cent of the skin at lids' edges by brightness, which are lashes
_OF_LASHES = 0.85  # of their colour in the line


def draw_eyelids(model: HeadModel, surface: HeadSurface, skin: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Texture [256, 512, 3] of both lids in the map of :class:`~geoinv.avatar.eyelids.Eyelids`.

    Args:
        model: Head model.
        surface: The fitted surface.
        skin: [S, S, 3] texture of the skin.
    """
    lids = eyelids(model)
    side = skin.shape[0]
    source = PictureSource(skin, np.array([[side, 0.0, 0.0], [0.0, -side, side]], np.float64))
    layout = skin_layout().astype(np.float64)
    of_vertices = np.zeros((surface.topology.count, 3))
    of_vertices[surface.topology.corner_vertices] = source.colours(layout)
    even = _even_skin(surface, lids, of_vertices)[lids.rows]
    width, height = _SIZE
    places = (lids.uvs.astype(np.float64) * (1.0, -1.0) + (0.0, 1.0)) * _SIZE
    drawn = draw_triangles(places, lids.triangles, _SIZE)
    coverage = Coverage.of(drawn, places, lids.triangles)
    sinks = _without_folds(coverage.bring(lids.sinks[:, None]), coverage)
    own = smoothstep(sinks, *_GOES_OVER)
    colours = (1.0 - own) * source.colours(coverage.bring(layout[lids.corners])) + own * coverage.bring(
        even
    ) * _grain()[coverage.pixels]
    above = _above_edge(drawn >= 0)[coverage.pixels, None] / np.maximum(smoothstep(sinks, *_THICKER), 1e-3)
    line = _OF_LASHES * own * (1.0 - smoothstep(above, *_LASHES))
    colours += line * (_lashes(of_vertices[lids.rows[lids.sinks > _THICKER[1]]]) - colours)
    texture = np.zeros((height * width, 3), np.uint8)
    texture[coverage.pixels] = np.clip(np.rint(colours), 0.0, 255.0)
    return padded(texture.reshape(height, width, 3), coverage.pixels)


def _even_skin(surface: HeadSurface, lids: Eyelids, colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours [V, 3] that go on smoothly over the lids from those [V, 3] of the skin around the eyes."""
    topology, fields = surface.topology, surface.fields
    is_lid = np.zeros(topology.count, np.bool_)
    is_lid[lids.rows] = True
    is_around = (fields.distance(is_lid, _RING) < _RING) & ~is_lid & ~topology.hidden
    is_around &= fields.distance(topology.features, _FROM_RIMS) >= _FROM_RIMS
    is_around &= surface.vertices[: topology.count, 1] > surface.vertices[lids.rows, 1].min()  # below, eyes are red
    weight = is_around.astype(np.float64)
    for is_side in (surface.vertices[: topology.count, 0] < 0.0, surface.vertices[: topology.count, 0] >= 0.0):
        own = is_around & is_side
        bright = colours[own].mean(axis=1)
        low, high = np.percentile(bright, _IN_LIGHT)
        usual = np.median(colours[own][(bright >= low) & (bright <= high)], axis=0)
        away = np.linalg.norm(colours[own] - usual, axis=1)
        weight[own] = 1.0 - smoothstep(away, *_UNLIKE)
    return fields.spread(colours, weight, _STIFFNESS) * _OF_LIDS


def _grain() -> NDArray[np.float64]:
    """[H W, 1] factors that make even skin a little uneven."""
    random = np.random.default_rng(0)
    grain = np.ones((_SIZE[1], _SIZE[0]))
    for size, strength in _GRAIN:
        noise = cv2.GaussianBlur(random.standard_normal(grain.shape), (0, 0), size)
        grain += strength * noise / noise.std()
    return grain.reshape(-1, 1)


def _lashes(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colour [3] of lashes, the darkest of colours [N, 3] at lids' edges."""
    bright = colours.mean(axis=1)
    return np.asarray(np.median(colours[bright <= np.percentile(bright, _DARKEST)], axis=0))


def _above_edge(covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[H W] millimetres from the lower edge of what is covered [H, W]."""
    is_below = ~covered & (np.cumsum(covered, axis=0) == covered.sum(axis=0)) & covered.any(axis=0)
    far = cv2.distanceTransform((~is_below).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(_TEXEL_MM * far.ravel(), np.float64)


def _without_folds(sinks: NDArray[np.float32], coverage: Coverage) -> NDArray[np.float64]:
    """Numbers [N, 1] at the covered texels, without narrow places of less between more."""
    picture = np.zeros((_SIZE[1], _SIZE[0]), np.float32)
    picture.ravel()[coverage.pixels] = sinks[:, 0]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_FOLDS, _FOLDS))
    closed = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed.ravel()[coverage.pixels, None], np.float64)
