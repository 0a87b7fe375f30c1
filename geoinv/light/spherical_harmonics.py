"""Spherical harmonics of order 2: the light that a matt surface sends back, by the direction in which it faces.

    shade(n) = max(0, sum_k light[k] Y_k(n))           linear RGB that a white surface with normal n sends back
    color    = (albedo ^ 2.2 * shade(n)) ^ (1 / 2.2)   = albedo * shade(n) ^ (1 / 2.2), where nothing clips

Y_k are the orthonormal real harmonics in the order 1; y, z, x; xy, yz, 3 z z - 1, xz, x x - y y, in world axes. Colours
of pictures (``albedo``, ``color``) are display values in [0, 1] with a plain exponent of 2.2. The product is the same
for premultiplied colours, and for sums along a ray whose points share a normal: so light may be applied once a ray.

Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001: nine numbers a
channel hold the light on matt surfaces to about 1 % of an environment, and to some per cent of a lamp.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import ShapeError

GAMMA = 2.2
"""Exponent from display values to linear ones."""
_DARKEST = 1e-3  # mean light that still has a colour

_LAMBERT = (math.pi, 2.0 * math.pi / 3.0, math.pi / 4.0)
"""What each order of radiance becomes in the light that a surface receives (equation 8), times pi."""

_DIRECTIONS = 200  # in which lights are compared


def sh_basis(normals: Tensor) -> Tensor:
    """The nine harmonics [..., 9] at unit vectors [..., 3].

    Raises:
        ShapeError: The last axis has another size.
    """
    if normals.shape[-1] != 3:
        raise ShapeError(f"normals must be [..., 3], got {list(normals.shape)}")
    x, y, z = normals.movedim(-1, 0).contiguous().unbind()  # side by side: four times as fast
    planes = torch.stack(
        [
            torch.full_like(x, 0.28209479),
            0.48860251 * y,
            0.48860251 * z,
            0.48860251 * x,
            1.09254843 * x * y,
            1.09254843 * y * z,
            0.31539157 * (3.0 * z * z - 1.0),
            1.09254843 * x * z,
            0.54627422 * (x * x - y * y),
        ]
    )
    return planes.movedim(0, -1)


def shade(light: Tensor, normals: Tensor) -> Tensor:
    """Linear RGB [B, N, 3] that white surfaces send back; differentiable in both.

    Args:
        light: [B, 9, 3] coefficients.
        normals: [B, N, 3] unit vectors in world axes.
    """
    if light.shape[-2:] != (9, 3):
        raise ShapeError(f"light must be [B, 9, 3], got {list(light.shape)}")
    return (sh_basis(normals) @ light).clamp_min(0.0)


def shaded_color(albedo: Tensor, light: Tensor, normals: Tensor) -> Tensor:
    """Display colours [B, N, 3] of matt surfaces under a light; may exceed 1, where a picture clips.

    Args:
        albedo: [B, N, 3] display values in [0, 1], premultiplied or not.
        light: [B, 9, 3] coefficients.
        normals: [B, N, 3] unit vectors in world axes.
    """
    # the slope of x ** (1 / 2.2) has no bound at 0
    return albedo * shade(light, normals).clamp_min(1e-4) ** (1.0 / GAMMA)


def light_difference(light: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference, a scalar, of what two lights [B, 9, 3] do to white surfaces of all directions."""
    index = torch.arange(_DIRECTIONS, device=light.device) + 0.5
    height, turn = 1.0 - 2.0 * index / _DIRECTIONS, index * 2.399963  # the golden angle
    around = (1.0 - height.square()).sqrt()
    basis = sh_basis(torch.stack([around * turn.cos(), around * turn.sin(), height], dim=-1))  # [D, 9]
    return (basis @ (light - other)).square().mean()


def directional_light(direction: Tensor, color: Tensor) -> Tensor:
    """Coefficients [B, 9, 3] of a lamp far away: the best that order 2 makes of ``color * max(0, n . direction)``.

    Args:
        direction: [B, 3] unit vectors to the lamp.
        color: [B, 3] linear RGB that a white surface sends back which faces the lamp.
    """
    order = torch.tensor([_LAMBERT[0], *[_LAMBERT[1]] * 3, *[_LAMBERT[2]] * 5], dtype=direction.dtype)
    return (order.to(direction.device) * sh_basis(direction))[..., None] * color[..., None, :]


def in_one_color(light: Tensor) -> Tensor:
    """Light [B, 9, 3] that has from everywhere the colour of its mean over all directions, and the brightness it had,
    which is the mean of red, green and blue."""
    brightness = light.mean(dim=-1, keepdim=True)  # [B, 9, 1]
    return brightness * (light[:, :1] / brightness[:, :1].clamp(min=_DARKEST))
