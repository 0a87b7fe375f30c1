"""Rays through canonical planes that an anchor volume ties to a head mesh.

``reference.py`` is the specification of a point; ``points.py`` looks points up, native where it can; ``rays.py``
composites them; ``anchored_rays_cpu.cpp`` holds the kernels.
"""

from __future__ import annotations

from .points import OPERATION as OPERATION
from .points import decode_points, is_native, read_anchor, sample_canonical
from .rays import march_anchored, render_anchored
from .reference import (
    FEATURES,
    PLANES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    read_anchor_reference,
    sample_canonical_reference,
)

__all__ = [
    "FEATURES",
    "PLANES",
    "AnchorVolumes",
    "AnchoredHeads",
    "CanonicalSpace",
    "decode_points",
    "is_native",
    "march_anchored",
    "read_anchor",
    "read_anchor_reference",
    "render_anchored",
    "sample_canonical",
    "sample_canonical_reference",
]
