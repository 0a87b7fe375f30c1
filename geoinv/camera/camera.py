"""Cameras: where they stand and what their lens is. Both are needed wherever rays are cast or points are projected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import ShapeError
from .rays import project, rays_through


@dataclass(frozen=True, eq=False)
class Camera:
    """A batch of V cameras with one lens. :meth:`geoinv.CameraPose.camera` makes them from poses about an orbit.

    Args:
        cam2world: [V, 4, 4] in OpenCV axes (x right, y down, z forward).
        focal: Focal length over image width; a smaller one frames more of the head.

    Raises:
        ShapeError: ``cam2world`` is of another shape.
    """

    cam2world: Tensor
    focal: float

    def __post_init__(self) -> None:
        if self.cam2world.ndim != 3 or self.cam2world.shape[1:] != (4, 4):
            raise ShapeError(f"cam2world must be [V, 4, 4], got {list(self.cam2world.shape)}")

    def __len__(self) -> int:
        return len(self.cam2world)

    def __getitem__(self, index: int | slice) -> Camera:
        """Some of the views; a single index gives a batch of one."""
        if isinstance(index, int):
            index = range(len(self))[index]  # IndexError beyond the last
            index = slice(index, index + 1)
        return replace(self, cam2world=self.cam2world[index])

    def __iter__(self) -> Iterator[Camera]:
        return (self[index] for index in range(len(self)))

    @property
    def axis(self) -> Tensor:
        """[V, 3] the directions of the optical axes in the world."""
        return self.cam2world[:, :3, 2]

    def to(self, device: torch.device | str) -> Camera:
        """The cameras on a device, in float32."""
        return replace(self, cam2world=self.cam2world.to(device, torch.float32))

    def expand(self, views: int) -> Camera:
        """One camera as a batch of ``views`` equal ones; a batch of that size stays as it is."""
        return replace(self, cam2world=self.cam2world.expand(views, -1, -1))

    def zoomed(self, factor: float) -> Camera:
        """Cameras with another lens in the same places: a factor below 1 shows more of the head, and it smaller."""
        return replace(self, focal=factor * self.focal)

    def rays(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Origins and unit directions [V, N, 3] of the rays through normalised positions [V, N, 2] or [N, 2]."""
        return rays_through(self.cam2world, pixels, focal=self.focal)

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [V, N, 3] -> normalised (x, y) [V, N, 2] and depth along the optical axis [V, N]."""
        return project(points, self.cam2world, focal=self.focal)
