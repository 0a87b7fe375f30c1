"""What a face did in a clip: a row for each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import CameraPose
from ..conventions import FACE_ORBIT

Curves = NDArray[np.float32]

YAW, PITCH, ROLL, X, Y, LOG_SCALE = range(6)
"""Columns of a pose."""


@dataclass(frozen=True, eq=False)
class Performance:
    """Expression, gaze and pose of T frames.

    Args:
        fps: Frames a second.
        expression: [T, 52] weights of ARKit's units, gaze included.
        gaze: [T, 2, 2] radians that the left and the right eye turn to the person's left (world +x) and up.
        pose: [T, 6] yaw, pitch and roll of the camera about the head in radians (see :class:`geoinv.CameraPose`), where
            the middle of the head lies in the frame, x and y in pixels, and the logarithm of pixels in a world unit.
        seen: [T] whether the face was found; else the row is bridged.
    """

    fps: float
    expression: Curves
    gaze: Curves
    pose: Curves
    seen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.expression)

    @property
    def times(self) -> Curves:
        """[T] seconds from the start of the clip."""
        return np.asarray(np.arange(len(self)) / self.fps, np.float32)

    def head_turns(self) -> Curves:
        """[T, 3, 3] turns of the head from looking straight into the camera; axes are the world's at rest."""
        vectors = torch.zeros(len(self), 6, dtype=torch.float64)
        vectors[:, :3] = torch.from_numpy(self.pose[:, :3])
        cam2world = CameraPose.from_vector(vectors).cam2world(FACE_ORBIT)[:, :3, :3].numpy()
        world_of_frontal_camera = np.diag([1.0, -1.0, -1.0])
        return np.asarray(world_of_frontal_camera @ cam2world.transpose(0, 2, 1), np.float32)
