"""The standard points that a photo is fitted to: landmarks of the average head, in world units.

World: y up, the face looks to +z, the pivot at (0, 0, 0.2), 1 unit = 370 mm; the middle of the eyeballs is at
(0, 0.08, 0.20), which is where geoinv's synthetic heads and EG3D's training photos have it.

Derivation (ours, from CC0 data). 160 synthetic heads made of MakeHuman's base mesh with random race, sex, age, face
shape and expression, each scaled and placed as in ``geoinv.synth``, were drawn by EG3D cameras at known yaw and
pitch; MediaPipe's mesh was found in 581 of these pictures within 37 degrees of yaw, and each landmark's world position
was triangulated from all of them together by reweighted least squares, then made symmetric. So the numbers hold the
landmark network's own idea of a point, and no file of EG3D or Deep3DFaceRecon is needed.

Checks: the undeformed mean head (all races, both sexes, young) has its eyeball centres at (+-0.0764, 0.08, 0.20) and
its nose tip at (0, -0.015, 0.310); the points below have the lids at (+-0.078, 0.073, 0.232), an eyeball's radius in
front of the centres, and the nose tip at (0, -0.026, 0.318). EG3D shows 300 / 700 = 0.4286 of the crop for 100 mm at
the pivot, this world 0.27 * 4.2647 / 2.7 = 0.4265.

On 175 pictures of 45 other heads, what is particular to each face leaves these mean errors: within 34 degrees of yaw
2.4 degrees in yaw, 3.7 in pitch, 1.5 in roll, 4.1 per cent in scale and 3 to 4 pixels of 512 in place; from 34 to 52
degrees 3.9, 3.6, 2.2, 5.7 per cent and 5 pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .face import FloatArray

# fmt: off
_MESH_POINTS = (  # (index in MediaPipe's mesh, x, y, z)
    (0, 0.0000, -0.0741, 0.2858), (1, 0.0000, -0.0258, 0.3176), (2, 0.0000, -0.0400, 0.2872),
    (5, 0.0000, 0.0093, 0.3119), (9, 0.0000, 0.1149, 0.2735), (10, 0.0000, 0.1911, 0.2623),
    (13, 0.0000, -0.0887, 0.2730), (14, 0.0000, -0.0966, 0.2726), (17, 0.0000, -0.1193, 0.2728),
    (33, -0.1117, 0.0741, 0.2209), (34, -0.1723, 0.0660, 0.1523), (35, -0.1421, 0.0657, 0.1972),
    (37, -0.0189, -0.0716, 0.2824), (39, -0.0379, -0.0758, 0.2721), (50, -0.1188, -0.0058, 0.2266),
    (54, -0.1496, 0.1569, 0.1862), (58, -0.1592, -0.0794, 0.1108), (61, -0.0626, -0.0919, 0.2429),
    (63, -0.1247, 0.1190, 0.2309), (66, -0.0695, 0.1224, 0.2625), (67, -0.0862, 0.1862, 0.2394),
    (71, -0.1538, 0.1188, 0.1872), (75, -0.0328, -0.0304, 0.2780), (78, -0.0549, -0.0904, 0.2415),
    (82, -0.0142, -0.0882, 0.2688), (84, -0.0190, -0.1180, 0.2688), (87, -0.0153, -0.0962, 0.2689),
    (93, -0.1757, -0.0002, 0.1026), (97, -0.0190, -0.0397, 0.2828), (101, -0.0835, 0.0114, 0.2416),
    (103, -0.1240, 0.1754, 0.2133), (105, -0.1003, 0.1247, 0.2484), (107, -0.0349, 0.1181, 0.2707),
    (108, -0.0403, 0.1547, 0.2658), (109, -0.0464, 0.1908, 0.2551), (116, -0.1581, 0.0348, 0.1857),
    (117, -0.1297, 0.0328, 0.2148), (127, -0.1791, 0.0698, 0.1140), (132, -0.1709, -0.0386, 0.1034),
    (133, -0.0425, 0.0693, 0.2374), (136, -0.1229, -0.1364, 0.1531), (137, -0.1730, 0.0002, 0.1475),
    (138, -0.1425, -0.0974, 0.1607), (144, -0.0895, 0.0654, 0.2329), (147, -0.1534, -0.0290, 0.1837),
    (150, -0.0991, -0.1573, 0.1761), (151, 0.0000, 0.1535, 0.2705), (152, 0.0000, -0.1958, 0.2316),
    (153, -0.0637, 0.0651, 0.2353), (158, -0.0681, 0.0830, 0.2337), (160, -0.0947, 0.0818, 0.2312),
    (162, -0.1758, 0.1052, 0.1356), (168, 0.0000, 0.0789, 0.2690), (170, -0.0814, -0.1558, 0.2074),
    (172, -0.1422, -0.1123, 0.1295), (176, -0.0571, -0.1841, 0.2131), (181, -0.0355, -0.1126, 0.2621),
    (187, -0.1314, -0.0385, 0.2090), (197, 0.0000, 0.0427, 0.2902), (204, -0.0676, -0.1275, 0.2294),
    (206, -0.0773, -0.0445, 0.2487), (208, -0.0302, -0.1662, 0.2459), (214, -0.1144, -0.0937, 0.2061),
    (215, -0.1597, -0.0672, 0.1463), (217, -0.0334, 0.0235, 0.2683), (234, -0.1774, 0.0353, 0.1044),
    (263, 0.1117, 0.0741, 0.2209), (264, 0.1723, 0.0660, 0.1523), (265, 0.1421, 0.0657, 0.1972),
    (267, 0.0189, -0.0716, 0.2824), (269, 0.0379, -0.0758, 0.2721), (280, 0.1188, -0.0058, 0.2266),
    (284, 0.1496, 0.1569, 0.1862), (288, 0.1592, -0.0794, 0.1108), (291, 0.0626, -0.0919, 0.2429),
    (293, 0.1247, 0.1190, 0.2309), (296, 0.0695, 0.1224, 0.2625), (297, 0.0862, 0.1862, 0.2394),
    (301, 0.1538, 0.1188, 0.1872), (305, 0.0328, -0.0304, 0.2780), (308, 0.0549, -0.0904, 0.2415),
    (312, 0.0142, -0.0882, 0.2688), (314, 0.0190, -0.1180, 0.2688), (317, 0.0153, -0.0962, 0.2689),
    (323, 0.1757, -0.0002, 0.1026), (326, 0.0190, -0.0397, 0.2828), (330, 0.0835, 0.0114, 0.2416),
    (332, 0.1240, 0.1754, 0.2133), (334, 0.1003, 0.1247, 0.2484), (336, 0.0349, 0.1181, 0.2707),
    (337, 0.0403, 0.1547, 0.2658), (338, 0.0464, 0.1908, 0.2551), (345, 0.1581, 0.0348, 0.1857),
    (346, 0.1297, 0.0328, 0.2148), (356, 0.1791, 0.0698, 0.1140), (361, 0.1709, -0.0386, 0.1034),
    (362, 0.0425, 0.0693, 0.2374), (365, 0.1229, -0.1364, 0.1531), (366, 0.1730, 0.0002, 0.1475),
    (367, 0.1425, -0.0974, 0.1607), (373, 0.0895, 0.0654, 0.2329), (376, 0.1534, -0.0290, 0.1837),
    (379, 0.0991, -0.1573, 0.1761), (380, 0.0637, 0.0651, 0.2353), (385, 0.0681, 0.0830, 0.2337),
    (387, 0.0947, 0.0818, 0.2312), (389, 0.1758, 0.1052, 0.1356), (395, 0.0814, -0.1558, 0.2074),
    (397, 0.1422, -0.1123, 0.1295), (400, 0.0571, -0.1841, 0.2131), (405, 0.0355, -0.1126, 0.2621),
    (411, 0.1314, -0.0385, 0.2090), (424, 0.0676, -0.1275, 0.2294), (426, 0.0773, -0.0445, 0.2487),
    (428, 0.0302, -0.1662, 0.2459), (434, 0.1144, -0.0937, 0.2061), (435, 0.1597, -0.0672, 0.1463),
    (437, 0.0334, 0.0235, 0.2683), (454, 0.1774, 0.0353, 0.1044),
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
