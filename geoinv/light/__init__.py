"""Light on a head as spherical harmonics of order 2, and the formula by which it colours a surface."""

from .environment import environment_light, read_panorama
from .named_lights import LIGHTS, light_named
from .spherical_harmonics import directional_light, in_one_color, light_difference, sh_basis, shade, shaded_color

__all__ = [
    "LIGHTS",
    "directional_light",
    "environment_light",
    "in_one_color",
    "light_difference",
    "light_named",
    "read_panorama",
    "sh_basis",
    "shade",
    "shaded_color",
]
