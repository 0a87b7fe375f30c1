"""Squares about eyes, mouth and nose, cut so that they lie alike whatever the head does, and what a picture of one is
to a regressor: histograms of gradients."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..align.crop import apply_affine, compose_affine, invert_affine, scale_of, warp
from ..align.face import FloatArray, ImageArray

SIDE = 48
"""Pixels along a side of a patch."""

FEATURES = 900
"""Length of a patch's histograms."""

_CELL, _BINS = 8, 9
_CELLS = SIDE // _CELL


@dataclass(frozen=True)
class PatchKind:
    """A kind of patch.

    Args:
        points: MediaPipe's points that are read off it.
        between: Two of MediaPipe's points; their middle lies in the patch's.
        side: Its side as a part of the crop's.
        down: How far its middle lies below these two, as a part of the crop's side.
        is_mirrored: Whether it is turned left to right, so that the left eye looks like a right one.
    """

    points: tuple[int, ...]
    between: tuple[int, int]
    side: float
    down: float
    is_mirrored: bool = False

    def to_patch(self, landmarks: FloatArray, to_crop: FloatArray) -> FloatArray:
        """[2, 3] from pixels of the picture to pixels of the patch.

        Args:
            landmarks: [468, 2+] in pixels of the picture.
            to_crop: [2, 3] from pixels of the picture to parts of the crop's side.
        """
        x, y = apply_affine(to_crop, landmarks[list(self.between), :2]).mean(axis=0)
        scale = SIDE / self.side
        across = -scale if self.is_mirrored else scale
        from_crop = np.array(
            [[across, 0.0, 0.5 * SIDE - across * x], [0.0, scale, 0.5 * SIDE - scale * (y + self.down)]]
        )
        return compose_affine(from_crop, to_crop)


_RIGHT_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_LIDS = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
_RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
_LEFT_BROW = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
_LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)

_NOSE = (
    *(168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 122, 351, 193, 417, 196, 419, 3, 248, 51, 281, 45, 275, 220, 440, 115, 344),
    *(48, 278, 64, 294, 98, 327, 97, 326, 240, 460, 99, 328, 134, 363, 236, 456, 198, 420, 131, 360, 49, 279, 209, 429),
    *(102, 331),
)

RIGHT_EYE = PatchKind((*_RIGHT_LIDS, *_RIGHT_BROW), (33, 133), 0.26, -0.03)
LEFT_EYE = PatchKind((*_LEFT_LIDS, *_LEFT_BROW), (263, 362), 0.26, -0.03, is_mirrored=True)
MOUTH = PatchKind(_LIPS, (61, 291), 0.34, 0.03)
NOSE = PatchKind(_NOSE, (133, 362), 0.32, 0.085)
"""The nose hardly moves with the face, and so tells how the head lies."""


def histograms(picture: ImageArray, to_patch: FloatArray) -> NDArray[np.float32]:
    """[900] histograms of gradients of the patch of a picture [H, W, 3].

    Source: Dalal and Triggs, CVPR 2005: 9 directions without sign in cells of 8 pixels, each block of 2 x 2 cells
    normalised by itself, so that light counts little.
    """
    grey = cv2.cvtColor(_cut(picture, to_patch), cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, right = np.gradient(grey)
    size = np.hypot(right, down)
    place = np.arctan2(down, right) % np.pi * (_BINS / np.pi)
    low = place.astype(int)
    part = (place - low).astype(np.float32)
    rows, columns = np.indices(grey.shape) // _CELL
    cell = (rows * _CELLS + columns) * _BINS
    counts = np.bincount((cell + low % _BINS).ravel(), (size * (1.0 - part)).ravel(), _CELLS * _CELLS * _BINS)
    counts += np.bincount((cell + (low + 1) % _BINS).ravel(), (size * part).ravel(), _CELLS * _CELLS * _BINS)
    cells = counts.reshape(_CELLS, _CELLS, _BINS)
    corners = (cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:])
    blocks = np.concatenate(corners, axis=-1)  # [5, 5, 36]
    return np.asarray(blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 100.0), np.float32).reshape(-1)


def _cut(picture: ImageArray, to_patch: FloatArray) -> ImageArray:
    picture, to_patch = _about(picture, to_patch)
    if np.linalg.det(to_patch[:, :2]) > 0.0:
        return warp(picture, to_patch, SIDE, border=cv2.BORDER_REPLICATE)
    unmirrored = compose_affine(np.array([[-1.0, 0.0, SIDE], [0.0, 1.0, 0.0]]), to_patch)
    return np.ascontiguousarray(warp(picture, unmirrored, SIDE, border=cv2.BORDER_REPLICATE)[:, ::-1])


def _about(picture: ImageArray, to_patch: FloatArray) -> tuple[ImageArray, FloatArray]:
    """The part of a picture about a patch, and [2, 3] from there to the patch.

    Warping averages all that it is given: the sixteen looks at a frame of 1280 x 720 took 67 ms, not 23.
    """
    corners = apply_affine(invert_affine(to_patch), SIDE * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    margin = 4.0 + 4.0 / scale_of(to_patch)
    size = np.array(picture.shape[1::-1])
    left, top = np.clip(np.floor(corners.min(axis=0) - margin).astype(int), 0, size - 1)
    right, bottom = np.clip(np.ceil(corners.max(axis=0) + margin).astype(int), [left + 1, top + 1], size)
    back = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    return picture[top:bottom, left:right], compose_affine(to_patch, back)


def from_patch(to_patch: FloatArray, places: FloatArray) -> FloatArray:
    """[N, 2] places in pixels of the picture, of [N, 2] in parts of the patch's side from its middle."""
    return apply_affine(invert_affine(to_patch), (places + 0.5) * SIDE)
