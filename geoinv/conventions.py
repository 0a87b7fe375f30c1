"""The conventions that every module shares, each with a number that can be checked.

Camera: EG3D's (Chan et al., CVPR 2022). ``cam2world`` is 4x4 in OpenCV axes (x right, y down, z forward);
intrinsics are normalised by image size; the world has y up and the face looks to +z, so that the frontal camera is
``[[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]]`` about the origin. ``yaw_rad = +0.3`` moves the camera
to world +x, which turns the face to image left. ``pitch_rad > 0`` looks from above.

Images: RGB float32 in [-1, 1], ``[B, 3, H, W]``; pixel centres lie at half integers.
"""

from __future__ import annotations

from dataclasses import dataclass

FOCAL = 4.2647
"""Focal length divided by image width: 2985.29 / 700 of EG3D's FFHQ crop, a field of view of 13.4 degrees."""

RADIUS = 2.7
"""Distance from camera to pivot in world units."""

PIVOT = (0.0, 0.0, 0.2)
"""The point that cameras look at, in world units."""

BOX_SIDE = 1.0
"""Side of the cube, centred at the origin, in which the head is modelled."""

MM_PER_UNIT = 370.0
"""Millimetres in a world unit: EG3D scales BFM's decimetres by 0.27."""

CROP_SIZE = 512
"""Side of the aligned crop in pixels."""


@dataclass(frozen=True)
class Orbit:
    """Where the cameras of a generator stand and what their lens is; the default is that of every head.

    Args:
        radius: Distance from camera to pivot in world units.
        pivot: The point that cameras look at.
        focal: Focal length divided by image width.
    """

    radius: float = RADIUS
    pivot: tuple[float, float, float] = PIVOT
    focal: float = FOCAL


FACE_ORBIT = Orbit()
