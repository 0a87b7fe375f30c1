"""Rays through three feature planes: sampling, point decoder and compositing in one operation (EG3D, section 3).

Two operations: ``march_rays`` for given samples, with gradients; ``render_rays`` for two passes that place them, and
that skips what nobody would see. The files, in the order in which one reads them:

- ``reference.py``, ``volume.py``: the specification in torch; ``checks.py``: shapes, and whether the kernels serve.
- ``march.py``, ``rendering.py``: the two operations, native or by the reference; ``two_passes.py``, ``limits.py``: two
  passes through anything, and what they may skip.
- ``../ray_samples.h``: arithmetic of one sample and one interval, for CPU and CUDA; ``../products.h``: matrix products;
  ``render_rays.h``: where a sample reads planes; ``tasks.h``: what kernels are given.
- ``samples.h``: a block of samples; ``film.h``, ``march.h``, ``prepare.h``, ``two_pass.h``: the kernels over
  blocks; ``waves.h``: two passes through anything, fused.
  ``kernels_generic.cpp``, ``kernels_avx2.cpp``, ``kernels_avx512.cpp`` compile them, each for one instruction set.
- ``march_cpu.cpp``, ``two_pass_cpu.cpp``: tensors in and out, and threads; ``tensors.h``, ``tensors.cpp``: layouts, and
  the choice of the instruction set; ``render_rays_cpu.h``, ``bindings.cpp``: what torch gets to see.
- ``render_rays_grid.h``, ``render_rays.cu``, ``cuda.py``: the same on a GPU, a thread a ray.
"""

from __future__ import annotations

from .checks import OPERATION as OPERATION
from .march import march_rays
from .reference import DecoderWeights, RayOutput, RaySampling, march_rays_reference, render_rays_reference
from .rendering import SKIP_TOLERANCE, render_rays

__all__ = [
    "SKIP_TOLERANCE",
    "DecoderWeights",
    "RayOutput",
    "RaySampling",
    "march_rays",
    "march_rays_reference",
    "render_rays",
    "render_rays_reference",
]
