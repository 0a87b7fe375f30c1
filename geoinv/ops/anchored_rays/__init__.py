"""Rays through canonical planes that an anchor volume ties to a head mesh.

The files, in the order in which one reads them:

- ``reference.py``: the specification of a point; ``points.py``: points, native where they can be; ``rays.py``: rays,
  point by point.
- ``march.py``, ``rendering.py``, ``film.py``: rays with given samples, two passes, and points under films, fused.
- ``anchored_rays.h``: arithmetic of a sample, for CPU and CUDA; ``tasks.h``: what kernels are given; ``samples.h``: a
  block of samples; ``march.h``, ``film_change.h``, ``two_pass.h``: the kernels over blocks, the last by
  ``../render_rays/waves.h``; ``kernels.cpp``: all of them, compiled for this processor.
- ``tensors.h``, ``tensors.cpp``: layouts; ``march_cpu.cpp``, ``film_change_cpu.cpp``, ``two_pass_cpu.cpp``: tensors in
  and out, and threads; ``anchored_rays_cpu.cpp``, ``fill_grid_cpu.cpp``: points, and the making of volumes.
"""

from __future__ import annotations

from .film import change_by_film
from .march import march_anchored
from .points import OPERATION as OPERATION
from .points import decode_points, is_native, read_anchor, sample_canonical
from .reference import (
    FEATURES,
    PLANES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    finer_cells,
    is_empty,
    read_anchor_reference,
    sample_canonical_reference,
)
from .rendering import SKIP_TOLERANCE, cell_densities, render_anchored

__all__ = [
    "FEATURES",
    "PLANES",
    "SKIP_TOLERANCE",
    "AnchorVolumes",
    "AnchoredHeads",
    "CanonicalSpace",
    "cell_densities",
    "change_by_film",
    "decode_points",
    "finer_cells",
    "is_empty",
    "is_native",
    "march_anchored",
    "read_anchor",
    "read_anchor_reference",
    "render_anchored",
    "sample_canonical",
    "sample_canonical_reference",
]
