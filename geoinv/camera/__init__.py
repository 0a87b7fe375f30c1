"""Cameras: poses about the head, orbits of poses, rays through pixels, surfaces of depth maps, EG3D's 25 numbers."""

from .camera import Camera
from .labels import from_label, intrinsics, to_label
from .pose import CameraPose, pose_vectors
from .rays import pixel_centres, project, rays_through

__all__ = [
    "Camera",
    "CameraPose",
    "from_label",
    "intrinsics",
    "pixel_centres",
    "pose_vectors",
    "project",
    "rays_through",
    "to_label",
]
