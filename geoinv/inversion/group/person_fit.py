"""What a fit to several photos of one person gives, and how photos count in one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...models.on_mesh import OnMesh

PROFILE_RAD = math.radians(60.0)
"""Yaw of a camera, by E0, beyond which a photo takes no part in the fit and gives its details alone. E0 calls profiles
61 to 78 degrees, so ears and noses come to lie elsewhere than the front has them: with two profiles each of three
generated people the fitted head, seen at 25 degrees, was 0.01 to 0.03 farther from the person than that of the front
alone."""
_FRONTAL = 4
"""Power of the cosine of a photo's yaw with which its code counts in the mean: E0 is surest from the front."""


@dataclass(frozen=True)
class PersonFit:
    """A person in K photos.

    Args:
        w_plus: [K, num_ws, w_dim] the person in each photo: what is shared, with the photo's own expression and light.
        cameras: [K, 6] as in :class:`geoinv.CameraPose`.
        on_mesh: Shape and light in each photo, of heads on the head mesh.
        steps: Steps that were done.
        is_interrupted: Whether Ctrl-C ended the steps.
    """

    w_plus: Tensor
    cameras: Tensor
    on_mesh: OnMesh | None = field(default=None, kw_only=True)
    steps: int = field(default=0, kw_only=True)
    is_interrupted: bool = field(default=False, kw_only=True)

    def mesh_in(self, photo: int) -> OnMesh | None:
        """Shape and light in one photo; None where heads are on no mesh."""
        return None if self.on_mesh is None else self.on_mesh[photo : photo + 1]


def takes_part(yaw_rad: Tensor) -> Tensor:
    """[K] bool, which photos take part in a fit: all but profiles, or all where there is nothing else."""
    is_fitted = yaw_rad.abs() <= PROFILE_RAD
    return is_fitted if is_fitted.any() else ~is_fitted


def mean_code(codes: Tensor, yaw_rad: Tensor) -> Tensor:
    """[1, num_ws, w_dim] the mean of the encoder's codes [K, num_ws, w_dim], in which frontal photos count most."""
    weights = yaw_rad.cos().clamp(min=0.05) ** _FRONTAL
    return torch.einsum("k,knc->nc", weights / weights.sum(), codes)[None]
