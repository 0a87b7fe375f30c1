"""Paint on heads: colour patterns that stick to the surface, the same from every view.

Photos show far more than the heads that a generator can make: freckles, shadows, make-up, other light. Painted heads
teach the local branch to carry whatever it is given, to where it belongs in 3D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WAVES = 5
_FREQUENCIES = (6.0, 150.0)  # radians a world unit: waves of 1 unit to 4 hundredths (16 mm)


@dataclass(frozen=True)
class Paint:
    """A sum of waves through space, of one colour each, that multiplies a head's colours.

    Args:
        directions: [K, 3] radians a world unit.
        phases: [K].
        colors: [K, 3] amplitudes.
        gain: [3] of the whole head.
    """

    directions: NDArray[np.float32]
    phases: NDArray[np.float32]
    colors: NDArray[np.float32]
    gain: NDArray[np.float32]

    @classmethod
    def random(cls, rng: np.random.Generator) -> Paint:
        axes = rng.standard_normal((_WAVES, 3))
        low, high = np.log(_FREQUENCIES)
        lengths = np.exp(rng.uniform(low, high, (_WAVES, 1)))
        directions = axes / np.linalg.norm(axes, axis=1, keepdims=True) * lengths
        strength = rng.uniform(0.0, 0.25) * rng.random((_WAVES, 1))
        colors = strength * (rng.normal(0.0, 0.7, (_WAVES, 1)) + rng.normal(0.0, 0.4, (_WAVES, 3)))
        gain = np.exp(rng.normal(0.0, 0.15) + rng.normal(0.0, 0.06, 3))
        parts = (directions, rng.uniform(0.0, 2.0 * np.pi, _WAVES), colors, gain)
        return cls(*(part.astype(np.float32) for part in parts))

    def on(self, rgb: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours [H, W, 3] in [0, 1] of surface points [H, W, 3], painted."""
        waves = np.sin(points @ self.directions.T + self.phases)  # [H, W, K]
        return np.asarray(np.clip(rgb * self.gain * (1.0 + waves @ self.colors), 0.0, 1.0))


def surface_points(depth: NDArray[np.float32], cam2world: NDArray[np.float32], focal: float) -> NDArray[np.float32]:
    """World points [R, R, 3] of a depth map [R, R] along the optical axis."""
    side = depth.shape[0]
    ticks = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5) / focal
    x, y = np.meshgrid(ticks, ticks)
    in_camera = np.stack([x * depth, y * depth, depth], axis=-1)
    return in_camera @ cam2world[:3, :3].T + cam2world[:3, 3]
