"""The conventions that every module shares, each with a number that can be checked.

Camera: EG3D's (Chan et al., CVPR 2022). ``cam2world`` is 4x4 in OpenCV axes (x right, y down, z forward);
intrinsics are normalised by image size; the world has y up and the face looks to +z, so that the frontal camera is
``[[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]]`` about the origin. ``yaw_rad = +0.3`` moves the camera
to world +x, which turns the face to image left. ``pitch_rad > 0`` looks from above.

Images: photos in files and at the public interface are RGB uint8 ``[H, W, 3]``. Inside, colours are RGB float32 in [0,
1], ``[B, 3, H, W]``; those of rendered heads are premultiplied by alpha, ``[B, 1, H, W]`` in [0, 1]. Values in [-1, 1]
are found only where a network was trained with it: the encoder's photo, the super-resolution, the discriminator. Pixel
centres lie at half integers: the first pixel covers 0 to 1 and has its centre at 0.5.

Depth is measured along the optical axis, distance along a ray; both are in world units.

Angles are radians in the library and degrees at the command line and in names that end in ``_deg``. Exported meshes are
in millimetres, y up.
"""

from __future__ import annotations

from dataclasses import dataclass

FOCAL = 4.2647
"""Focal length divided by image width: 2985.29 / 700 as in EG3D's FFHQ crop, a field of view of 13.4 degrees."""

RADIUS = 2.7
"""Distance from camera to pivot in world units."""

PIVOT = (0.0, 0.0, 0.2)
"""Point in world units that cameras look at."""

BOX_SIDE = 1.0
"""Side of the cube, centred at the origin, in which the head is modelled."""

BOX_LIMIT = 0.495
"""Vertices of head meshes beyond it are flattened onto it, so that shoulders end in a plane and not in a hole."""

MM_PER_UNIT = 370.0
"""Millimetres in a world unit: EG3D scales BFM's decimetres by 0.27."""

CROP_SIZE = 512
"""Side of the aligned crop in pixels."""

AROUND = 1.5
"""Side of the picture of what is around the crop, hair, neck and clothes, in sides of the crop, which is its middle."""

AROUND_SIZE = 384
"""Side of that picture in pixels; the crop has 256 of them."""


@dataclass(frozen=True)
class Orbit:
    """Position and lens of a generator's cameras; the default is that of every generator of heads.

    Args:
        radius: Distance from camera to pivot in world units.
        pivot: Point in world units that cameras look at.
        focal: Focal length divided by image width.
    """

    radius: float = RADIUS
    pivot: tuple[float, float, float] = PIVOT
    focal: float = FOCAL


FACE_ORBIT = Orbit()
"""Cameras of every generator of heads."""
