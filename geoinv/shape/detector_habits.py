"""Habits of MediaPipe's detector on a head that is known: where it puts each point, and how surely, by the head's yaw.

Measured on renders of synthetic heads (:mod:`geoinv.synth.detector_map`). One place on the mesh cannot hold for all
yaws: the detector makes turned heads look less turned (by 14 degrees at 80), and guesses the far cheek. So each
point has an offset in the picture and a standard deviation about it, and a fit corrects and trusts it accordingly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DetectorHabits:
    """Offsets and standard deviations of the detector's points from their places on the mesh, for upright heads.

    Args:
        yaw_rad: [K] yaws of the camera at which they were measured, ascending and evenly spaced.
        offset: [K, 468, 2] mean offset (x, y) in the picture, as a part of the crop's side.
        deviation: [K, 468] standard deviation about it along each axis of the picture, in the same unit.
    """

    yaw_rad: Tensor
    offset: Tensor
    deviation: Tensor

    def at(self, yaw_rad: float) -> tuple[Tensor, Tensor, Tensor]:
        """Habits at a yaw, linear between the measured ones; beyond them those of the outermost.

        Returns:
            Offsets [468, 2], their derivative by the yaw [468, 2], and standard deviations [468].
        """
        first, step = float(self.yaw_rad[0]), float(self.yaw_rad[1] - self.yaw_rad[0])
        place = (yaw_rad - first) / step
        is_inside = 0.0 <= place <= len(self.yaw_rad) - 1.0
        place = min(max(place, 0.0), len(self.yaw_rad) - 1.0)
        low = min(int(place), len(self.yaw_rad) - 2)
        offset = torch.lerp(self.offset[low], self.offset[low + 1], place - low)
        slope = (self.offset[low + 1] - self.offset[low]) * (is_inside / step)
        return offset, slope, torch.lerp(self.deviation[low], self.deviation[low + 1], place - low)
