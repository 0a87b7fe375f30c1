"""Light on a head as spherical harmonics of order 2, and the formula by which it colours a surface."""

from .spherical_harmonics import directional_light, sh_basis, shade, shaded_color

__all__ = ["directional_light", "sh_basis", "shade", "shaded_color"]
