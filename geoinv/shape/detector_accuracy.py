"""How well MediaPipe's detector places each of its points on a head that is known, by the head's yaw.

Measured on renders of synthetic heads (:mod:`geoinv.synth.detector_map`): places of the far cheek of a turned face are
the network's guesses, and a fit should trust them as little as they deserve.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DetectorAccuracy:
    """Standard deviations of the detector's points about their places on the mesh.

    Args:
        yaw_rad: [K] yaws of the camera at which they were measured, ascending and evenly spaced.
        deviation: [K, 468] standard deviation along each axis of the picture, as a part of the crop's side.
    """

    yaw_rad: Tensor
    deviation: Tensor

    def at(self, yaw_rad: float) -> Tensor:
        """[468] standard deviations at a yaw, between the measured ones linearly; beyond them the outermost."""
        first, step = float(self.yaw_rad[0]), float(self.yaw_rad[1] - self.yaw_rad[0])
        place = min(max((yaw_rad - first) / step, 0.0), len(self.yaw_rad) - 1.0)
        low = min(int(place), len(self.yaw_rad) - 2)
        return torch.lerp(self.deviation[low], self.deviation[low + 1], place - low)
