"""The 68 iBUG landmarks as vertices of MakeHuman's base mesh, and the 5 points of EG3D's crop.

The vertices were picked by hand on a front view of the average head; jaw points 0..16 lie on the jaw line, not on the
silhouette of the view.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

JAW = (5402, 5763, 5098, 910, 912, 894, 3698, 5293, 5171, 11899, 10366, 7596, 7614, 7612, 11713, 12360, 12001)
BROWS = (211, 178, 170, 174, 166, 6943, 6950, 6946, 6954, 6986)
NOSE = (132, 131, 201, 297, 381, 331, 312, 7093, 7141)
EYES = (1062, 6762, 54, 1078, 1070, 1067, 7770, 6838, 13358, 7754, 7759, 7762)
MOUTH = (3736, 447, 456, 455, 7215, 7207, 10404, 7235, 7241, 5337, 486, 480, 444, 472, 474, 7228, 7204, 7279, 493, 534)
LANDMARK_VERTICES: tuple[int, ...] = (*JAW, *BROWS, *NOSE, *EYES, *MOUTH)
"""Base-mesh vertices in iBUG order; subject's right side first, which is image left."""

CHIN_VERTEX = 991


def five_points(landmarks68: NDArray[np.floating]) -> NDArray[np.floating]:
    """Eye centres (image left first), nose tip and mouth corners (image left first), [5, D].

    Args:
        landmarks68: [68, D] landmarks in iBUG's order.
    """
    eyes = [landmarks68[36:42].mean(0), landmarks68[42:48].mean(0)]
    return np.stack([*eyes, landmarks68[30], landmarks68[48], landmarks68[54]])
