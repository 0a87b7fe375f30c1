"""Rays through three feature planes: sampling, point decoder and compositing in one operation (EG3D, section 3)."""

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
