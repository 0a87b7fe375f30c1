"""A picture that shows the head through a camera: the photo, or a view of the generator."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...align.crop import apply_affine, invert_affine
from ...errors import ShapeError, UsageError

_MAX_SIDE = 16384  # of a picture that is sampled; OpenCV's remap ends at 32767
_LONG_ROW = 4096  # texels in a row that remap is called with, as it takes pictures and not lists


@dataclass(frozen=True, eq=False)
class PictureSource:
    """Pixels of a picture, by their place in the camera's view.

    Args:
        pixels: [H, W, 3] RGB, uint8 or float32 in [0, 255].
        placed: [2, 3] from parts of the view's side to pixels.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    placed: NDArray[np.float64]

    @classmethod
    def of_square(cls, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> PictureSource:
        """A picture [S, S, 3] that is the whole view."""
        return cls(pixels, pixels.shape[0] * np.eye(2, 3))

    @classmethod
    def of_photo(
        cls, photo: NDArray[np.uint8], placed: NDArray[np.float64], side: int, size: tuple[int, int]
    ) -> PictureSource:
        """A photo of which the view is a part, or which is a part of the view.

        Args:
            photo: [H, W, 3] the photo as it was read.
            placed: [2, 3] from pixels of the photo to those of the view.
            side: Pixels along the view.
            size: Width and height that the photo should have.

        Raises:
            ShapeError: The photo is no RGB uint8.
            UsageError: It is of another size.
        """
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
            raise ShapeError(f"photo must be uint8 [H, W, 3], got {photo.dtype} {list(photo.shape)}")
        if (photo.shape[1], photo.shape[0]) != tuple(size):
            raise UsageError(
                f"a photo of {photo.shape[1]} x {photo.shape[0]} px was not inverted, one of {size[0]} x {size[1]} was",
                "give the photo of the inversion, or leave it out",
            )
        to_photo = invert_affine(placed)
        return cls(photo, np.concatenate([to_photo[:, :2] * side, to_photo[:, 2:]], axis=1))

    @property
    def scale(self) -> float:
        """Pixels along the side of the view."""
        return float(np.sqrt(abs(np.linalg.det(self.placed[:, :2]))))

    def at(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels [N, 2] of places [N, 2] in the view."""
        return apply_affine(self.placed, np.asarray(places, dtype=np.float64))

    def shrunk_to(self, scale: float) -> PictureSource:
        """The picture averaged to about ``scale`` pixels along the side of the view; itself where it has few more."""
        height, width = self.pixels.shape[:2]
        factor = min(scale / self.scale, _MAX_SIDE / max(height, width))
        if factor > 0.8:
            return self
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        enlarge = np.diag([size[0] / width, size[1] / height])
        return PictureSource(np.asarray(small, np.uint8), enlarge @ self.placed)

    def colours(self, places: NDArray[np.floating]) -> NDArray[np.float32]:
        """Colours [N, 3] in [0, 255] at places [N, 2] in the view, cubic between pixels; the edge's beyond the edge."""
        at = np.asarray(self.at(places) - 0.5, dtype=np.float32)
        rows = -(-max(len(at), 1) // _LONG_ROW)
        filled = np.zeros((rows * _LONG_ROW, 2), np.float32)
        filled[: len(at)] = at
        grid = filled.reshape(rows, _LONG_ROW, 2)
        found = cv2.remap(self.pixels, grid[..., 0], grid[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found.reshape(-1, 3)[: len(at)], dtype=np.float32)
