"""Triangles drawn into pictures of triangle numbers, and what belongs to vertices brought to the pixels.

OpenCV draws 10,000 triangles in some hundredths of a second, so that neither a GPU nor a compiler is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...images.depth_buffer import barycentric_maps

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]

_SUBPIXEL_BITS = 6
_FAR_OUT = 2.0  # widths of the picture beyond which coordinates are clipped: OpenCV counts in 16 bits after the shift
_BEYOND = (
    0.25  # most that a value is carried beyond an edge, in heights of the triangle: narrow ones would give nonsense
)


def draw_triangles(places: FloatArray, triangles: IntArray, size: tuple[int, int]) -> NDArray[np.int32]:
    """Picture [height, width] of triangle numbers, -1 beside them; for triangles that do not overlap.

    Args:
        places: [V, 2] pixels (x, y); the first pixel's centre is at 0.5.
        triangles: [F, 3] vertices.
        size: Width and height.
    """
    limit = _FAR_OUT * max(size)
    corners = np.clip(places, -limit, limit)[triangles] - 0.5
    fixed = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
    picture = np.full((size[1], size[0]), -1, np.int32)
    for triangle in range(len(triangles)):
        cv2.fillConvexPoly(picture, fixed[triangle], (triangle,), cv2.LINE_8, _SUBPIXEL_BITS)
    return picture


@dataclass(frozen=True, eq=False)
class Coverage:
    """The pixels of a picture that triangles cover.

    Args:
        pixels: [N] covered pixels of the picture, flattened.
        triangles: [N] triangle of each.
        weights: [N, V] sparse: values of vertices to values at the pixels' centres.
    """

    pixels: NDArray[np.int64]
    triangles: NDArray[np.int32]
    weights: csr_array

    @classmethod
    def of(
        cls,
        picture: NDArray[np.int32],
        places: FloatArray,
        triangles: IntArray,
        count: int | None = None,
        rows: IntArray | None = None,
    ) -> Coverage:
        """Coverage of a picture that :func:`draw_triangles` made.

        Args:
            picture: [H, W] triangle numbers.
            places: [V, 2] pixels (x, y), as drawn.
            triangles: [F, 3] vertices, as drawn.
            count: Number of vertices that ``rows`` point to; V by default.
            rows: [V] vertex that each drawn one stands for, where a seam has several for one; itself by default.
        """
        pixels = np.flatnonzero(picture >= 0)
        which = picture.ravel()[pixels]
        width = picture.shape[1]
        x, y = (pixels % width + 0.5).astype(np.float32), (pixels // width + 0.5).astype(np.float32)
        # about the triangle's first corner, so that single precision is enough
        origin = places[triangles[:, 0]].astype(np.float32)
        gradients = barycentric_maps(places, triangles)[:, 1:, :2].astype(np.float32)
        x, y = x - origin[which, 0], y - origin[which, 1]
        barycentric = np.empty((len(pixels), 3), np.float32)
        for corner in (0, 1):
            slope = gradients[which, corner]
            # pixels on an edge may have their centre beyond it
            barycentric[:, corner + 1] = (slope[:, 0] * x + slope[:, 1] * y).clip(-_BEYOND, 1.0 + _BEYOND)
        barycentric[:, 0] = 1.0 - barycentric[:, 1] - barycentric[:, 2]
        vertices = triangles if rows is None else rows[triangles]
        starts = np.arange(len(pixels) + 1, dtype=np.int64) * 3
        shape = (len(pixels), len(places) if count is None else count)
        weights = csr_array((barycentric.ravel(), vertices[which].ravel(), starts), shape=shape)
        return cls(pixels, which, weights)

    def __getitem__(self, some: slice | NDArray[np.integer]) -> Coverage:
        """Some of the pixels."""
        return Coverage(self.pixels[some], self.triangles[some], self.weights[some])

    def bring(self, values: FloatArray) -> NDArray[np.float32]:
        """Values [V, C] of vertices at the covered pixels: [N, C]."""
        return np.asarray(self.weights @ np.ascontiguousarray(values, dtype=np.float32), dtype=np.float32)


def signed_areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """[F] areas of triangles [F, 3, 2]; negative where their corners run clockwise, the second axis up."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))
