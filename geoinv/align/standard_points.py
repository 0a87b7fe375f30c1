"""Where the landmarks are on the average head, in world units: the standard points that a photo is fitted to.

World: y up, the face looks to +z, the pivot at (0, 0, 0.2), 1 unit = 370 mm; the middle of the eyeballs is at
(0, 0.08, 0.20), which is where geoinv's synthetic heads and EG3D's training photos have it.

Derivation (ours, from CC0 data). 160 synthetic heads made of MakeHuman's base mesh with random race, sex, age, face
shape and expression, each scaled and placed as in ``geoinv.synth``, were drawn by EG3D cameras at known yaw (up to
50 degrees) and pitch; MediaPipe's mesh was found in 770 of these pictures, and each landmark's world position was
triangulated from all of them together by reweighted least squares, then made symmetric. So the numbers hold the
landmark network's own idea of a point, and no file of EG3D or Deep3DFaceRecon is needed.

Checks: the undeformed mean head (all races, both sexes, young) has its eyeball centres at (+-0.0764, 0.08, 0.20) and
its nose tip at (0, -0.015, 0.310); the points below have the lids at (+-0.078, 0.073, 0.232), an eyeball's radius in
front of the centres, and the nose tip at (0, -0.026, 0.318). EG3D shows 300 / 700 = 0.4286 of the crop for 100 mm at
the pivot, this world 0.27 * 4.2647 / 2.7 = 0.4265.

On those pictures one face's own shape leaves, within +-34 degrees of yaw, mean errors of 2.4 degrees in yaw, 4 degrees
in pitch, 3.4 % in scale and 3 to 4 pixels of 512 in place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .face import FloatArray

# fmt: off
_MESH_POINTS = (  # (index in MediaPipe's mesh, x, y, z)
    (0, 0.0000, -0.0740, 0.2851), (1, 0.0000, -0.0258, 0.3177), (2, 0.0000, -0.0399, 0.2869),
    (5, 0.0000, 0.0095, 0.3121), (9, 0.0000, 0.1154, 0.2735), (10, 0.0000, 0.1921, 0.2616),
    (13, 0.0000, -0.0886, 0.2724), (14, 0.0000, -0.0966, 0.2723), (17, 0.0000, -0.1195, 0.2724),
    (33, -0.1121, 0.0741, 0.2207), (34, -0.1728, 0.0660, 0.1514), (35, -0.1425, 0.0657, 0.1967),
    (37, -0.0189, -0.0715, 0.2819), (39, -0.0380, -0.0757, 0.2715), (50, -0.1193, -0.0058, 0.2267),
    (54, -0.1501, 0.1575, 0.1853), (58, -0.1596, -0.0800, 0.1099), (61, -0.0627, -0.0919, 0.2422),
    (63, -0.1250, 0.1194, 0.2307), (66, -0.0696, 0.1228, 0.2626), (67, -0.0864, 0.1873, 0.2387),
    (71, -0.1543, 0.1191, 0.1866), (75, -0.0328, -0.0303, 0.2778), (78, -0.0550, -0.0904, 0.2408),
    (82, -0.0143, -0.0881, 0.2683), (84, -0.0189, -0.1182, 0.2684), (87, -0.0153, -0.0962, 0.2685),
    (93, -0.1762, -0.0004, 0.1010), (97, -0.0191, -0.0396, 0.2825), (101, -0.0838, 0.0115, 0.2415),
    (103, -0.1244, 0.1763, 0.2125), (105, -0.1005, 0.1251, 0.2484), (107, -0.0350, 0.1186, 0.2708),
    (108, -0.0403, 0.1555, 0.2653), (109, -0.0465, 0.1917, 0.2544), (116, -0.1585, 0.0347, 0.1853),
    (117, -0.1301, 0.0329, 0.2144), (127, -0.1797, 0.0700, 0.1123), (132, -0.1713, -0.0390, 0.1021),
    (133, -0.0427, 0.0694, 0.2373), (136, -0.1233, -0.1373, 0.1529), (137, -0.1734, -0.0001, 0.1471),
    (138, -0.1430, -0.0980, 0.1609), (144, -0.0898, 0.0654, 0.2326), (147, -0.1539, -0.0292, 0.1842),
    (150, -0.0992, -0.1581, 0.1766), (151, 0.0000, 0.1543, 0.2700), (152, 0.0000, -0.1965, 0.2318),
    (153, -0.0639, 0.0652, 0.2351), (158, -0.0683, 0.0831, 0.2334), (160, -0.0950, 0.0818, 0.2308),
    (162, -0.1764, 0.1055, 0.1342), (168, 0.0000, 0.0792, 0.2689), (170, -0.0816, -0.1564, 0.2081),
    (172, -0.1426, -0.1131, 0.1288), (176, -0.0572, -0.1848, 0.2136), (181, -0.0355, -0.1128, 0.2616),
    (187, -0.1319, -0.0387, 0.2094), (197, 0.0000, 0.0429, 0.2902), (204, -0.0678, -0.1278, 0.2295),
    (206, -0.0776, -0.0444, 0.2486), (208, -0.0303, -0.1667, 0.2463), (214, -0.1148, -0.0940, 0.2064),
    (215, -0.1602, -0.0677, 0.1463), (217, -0.0334, 0.0236, 0.2681), (234, -0.1780, 0.0354, 0.1028),
    (263, 0.1121, 0.0741, 0.2207), (264, 0.1728, 0.0660, 0.1514), (265, 0.1425, 0.0657, 0.1967),
    (267, 0.0189, -0.0715, 0.2819), (269, 0.0380, -0.0757, 0.2715), (280, 0.1193, -0.0058, 0.2267),
    (284, 0.1501, 0.1575, 0.1853), (288, 0.1596, -0.0800, 0.1099), (291, 0.0627, -0.0919, 0.2422),
    (293, 0.1250, 0.1194, 0.2307), (296, 0.0696, 0.1228, 0.2626), (297, 0.0864, 0.1873, 0.2387),
    (301, 0.1543, 0.1191, 0.1866), (305, 0.0328, -0.0303, 0.2778), (308, 0.0550, -0.0904, 0.2408),
    (312, 0.0143, -0.0881, 0.2683), (314, 0.0189, -0.1182, 0.2684), (317, 0.0153, -0.0962, 0.2685),
    (323, 0.1762, -0.0004, 0.1010), (326, 0.0191, -0.0396, 0.2825), (330, 0.0838, 0.0115, 0.2415),
    (332, 0.1244, 0.1763, 0.2125), (334, 0.1005, 0.1251, 0.2484), (336, 0.0350, 0.1186, 0.2708),
    (337, 0.0403, 0.1555, 0.2653), (338, 0.0465, 0.1917, 0.2544), (345, 0.1585, 0.0347, 0.1853),
    (346, 0.1301, 0.0329, 0.2144), (356, 0.1797, 0.0700, 0.1123), (361, 0.1713, -0.0390, 0.1021),
    (362, 0.0427, 0.0694, 0.2373), (365, 0.1233, -0.1373, 0.1529), (366, 0.1734, -0.0001, 0.1471),
    (367, 0.1430, -0.0980, 0.1609), (373, 0.0898, 0.0654, 0.2326), (376, 0.1539, -0.0292, 0.1842),
    (379, 0.0992, -0.1581, 0.1766), (380, 0.0639, 0.0652, 0.2351), (385, 0.0683, 0.0831, 0.2334),
    (387, 0.0950, 0.0818, 0.2308), (389, 0.1764, 0.1055, 0.1342), (395, 0.0816, -0.1564, 0.2081),
    (397, 0.1426, -0.1131, 0.1288), (400, 0.0572, -0.1848, 0.2136), (405, 0.0355, -0.1128, 0.2616),
    (411, 0.1319, -0.0387, 0.2094), (424, 0.0678, -0.1278, 0.2295), (426, 0.0776, -0.0444, 0.2486),
    (428, 0.0303, -0.1667, 0.2463), (434, 0.1148, -0.0940, 0.2064), (435, 0.1602, -0.0677, 0.1463),
    (437, 0.0334, 0.0236, 0.2681), (454, 0.1780, 0.0354, 0.1028),
)
"""About a quarter of the mesh, evenly spread, in left-right pairs."""

_MESH_INDEX_OF_IBUG = (  # iBUG marks 17 to 67: brows, nose, eyes, outer and inner lips
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 1, 75, 97, 2,
    326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61, 39, 37,
    0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
# fmt: on
_IBUG_FIRST = 17
_IBUG_CHIN, _MESH_CHIN = 8, 152  # the other sixteen jaw marks slide along the outline as the head turns


def standard_points(count: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Which of a backend's ``count`` landmarks (468 or 68) to fit, and where they are on the average head.

    Returns:
        Indices [N] into the landmarks, and world positions [N, 3].
    """
    table = np.array(_MESH_POINTS)
    mesh_indices = table[:, 0].astype(np.int64)
    if count == 468:
        return mesh_indices, table[:, 1:]
    if count != 68:
        raise ShapeError(f"landmarks must be 468 or 68, got {count}")
    rows = {int(index): row for row, index in enumerate(mesh_indices)}
    chosen = [rows[index] for index in (_MESH_CHIN, *_MESH_INDEX_OF_IBUG)]
    ibug_indices = np.array([_IBUG_CHIN, *range(_IBUG_FIRST, 68)], dtype=np.int64)
    return ibug_indices, table[chosen, 1:]
