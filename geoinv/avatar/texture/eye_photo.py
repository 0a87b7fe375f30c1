"""The photo's own pixels on the eyeballs, where it shows them between the lids; what is drawn lies under the lids."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...shape import HeadModel
from ..parts import LAYOUTS, LEFT_EYE, RIGHT_EYE
from .gaze import IRIS_ANGLE, triangles_of_eye
from .picture_source import PictureSource
from .rasterise import Coverage, draw_triangles
from .surface import HeadSurface, Sighting
from .surface_fields import smoothstep

_RIM = (0.02, 0.10)  # eyeball radii from the lids where the photo begins, and where it is all: lids are fitted roughly
_FACING = (0.15, 0.35)  # cosine to the camera where the photo begins, and where it is all
# of the texture's side: the softness of the photo's edge, and how far its colours reach into what is drawn
_SOFT, _IRIS_REACH, _WHITE_REACH, _RIM_REACH = 0.003, 0.03, 0.08, 0.008
_LEAST_WHITE = 0.4  # brightness of white in the photo, of the drawn
_LASHES = (0.05, 0.25)  # the same, below which lashes are seen before the white, and above which none
_FEW = 0.03  # share of texels nearby, of which the photo must show so many that its colours count fully


@dataclass(frozen=True, eq=False)
class EyesInPhoto:
    """The eyes as one photo shows them.

    Args:
        model: Head model.
        surface: The fitted surface, its eyes turned as in the photo.
        sighting: It through the photo's camera.
        camera: That camera, of one view.
        source: The photo.
    """

    model: HeadModel
    surface: HeadSurface
    sighting: Sighting
    camera: Camera
    source: PictureSource

    def over(self, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The texture [S, 2 S, 3] of both eyes, the person's right one first, from the drawn one [S, S, 3] of each."""
        return np.concatenate([self._over_one(name, drawn) for name in (RIGHT_EYE, LEFT_EYE)], axis=1)

    def _over_one(self, name: str, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = drawn.shape[0]
        layout = LAYOUTS[name](self.model)
        half = 0.0 if name == RIGHT_EYE else 1.0
        texels = (layout.uvs.astype(np.float64) * (2.0, -1.0) + (-half, 1.0)) * size
        coverage = Coverage.of(draw_triangles(texels, layout.triangles, (size, size)), texels, layout.triangles)
        ball = self.surface.vertices[layout.rows]
        centre = ball.mean(axis=0)
        at = coverage.bring(ball).astype(np.float64)
        places, _ = self.surface.projected(self.camera, at)
        weight = np.zeros(size * size, np.float32)
        weight[coverage.pixels] = self._shown(name, ball, at - centre, places)
        photo = np.zeros((size * size, 3), np.float32)
        photo[coverage.pixels] = self.source.colours(places).clip(0.0, 255.0)
        return _blended(drawn, photo.reshape(size, size, 3), weight.reshape(size, size, 1))

    def _shown(
        self, name: str, ball: NDArray[np.float64], outward: NDArray[np.float64], places: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """[N] how much the photo shows of the ball, by directions from its centre [N, 3] and places [N, 2]."""
        own = triangles_of_eye(self.model, name, self.surface)
        shown = self.sighting.shown
        is_open = ((shown >= own.start) & (shown < own.stop)).astype(np.uint8)
        rim = cv2.distanceTransform(is_open, cv2.DIST_L2, cv2.DIST_MASK_5)
        extent = np.ptp(self.surface.projected(self.camera, ball)[0][:, 0])
        within = self.sighting.read(rim, places) / (0.5 * extent * shown.shape[0])
        away = self.camera.cam2world[0, :3, 3].double().cpu().numpy() - ball.mean(axis=0)
        cosine = outward @ away / (np.linalg.norm(outward, axis=1) * np.linalg.norm(away))
        return np.asarray(smoothstep(within, *_RIM) * smoothstep(cosine, *_FACING))


def _blended(drawn: NDArray[np.uint8], photo: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo over what is drawn, whose white and iris take on the colours that the photo has of each nearby."""
    size = drawn.shape[0]
    soft = np.asarray(cv2.GaussianBlur(weight, (0, 0), _SOFT * size), np.float32)[..., None]
    iris = _iris(size)
    base: NDArray[np.float32] = drawn.astype(np.float32)
    brightness = photo.mean(axis=2, keepdims=True) / np.maximum(base.mean(axis=2, keepdims=True), 1.0)
    soft *= np.maximum(iris, smoothstep(brightness, *_LASHES)).astype(np.float32)
    is_white = brightness > _LEAST_WHITE  # corners and lids in shade are no white to go on with, but at their own edge
    for share, counts, reach in (
        (iris, iris > 0.95, _IRIS_REACH),
        (1.0 - iris, is_white & (iris < 0.05), _WHITE_REACH),
        (1.0 - iris, iris < 0.05, _RIM_REACH),
    ):
        counted = soft * counts
        near = cv2.GaussianBlur(counted, (0, 0), reach * size)[..., None]
        shift = cv2.GaussianBlur(counted * (photo - base), (0, 0), reach * size) / np.maximum(near, _FEW)
        base = np.asarray((base + share * shift).clip(0.0, 255.0), np.float32)
    return np.asarray(np.rint((base + soft * (photo - base)).clip(0.0, 255.0)), np.uint8)


def _iris(size: int) -> NDArray[np.float32]:
    """[S, S, 1] share of the iris in the texture of one eye."""
    ticks = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    radius = np.hypot(*np.meshgrid(ticks, ticks)) / np.sin(0.5 * IRIS_ANGLE)
    return np.asarray(1.0 - smoothstep(radius, 0.93, 1.07), np.float32)[..., None]
