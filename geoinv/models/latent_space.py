"""Spread of a generator's codes w: their mean and principal axes, in whose units inversion takes its steps.

Codes of random z fill some directions of w widely and others hardly at all. Measured along the principal axes in
standard deviations, one learning rate suits all of them, and the mean square of the coordinates is a Mahalanobis
distance: how unusual a code is. Whitening as in Zhu et al., "Improved StyleGAN Embedding: Where are the Good Latents?",
2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose, intrinsics, to_label

if TYPE_CHECKING:
    from .families import AnyGenerator
    from .plane_generator import PlaneGenerator

_SAMPLES = 4096
_FLOOR = 1e-2  # of the mean variance: directions that random codes leave empty stay reachable, but dear


@dataclass(frozen=True)
class LatentSpace:
    """The Gaussian that random codes follow most nearly.

    Args:
        mean: [w_dim], the generator's ``w_avg``.
        axes: [w_dim, w_dim] a principal axis in each row, as long as the standard deviation along it.
    """

    mean: Tensor
    axes: Tensor

    @property
    def deviations(self) -> Tensor:
        """[w_dim] the standard deviation of each entry of w."""
        return self.axes.square().sum(dim=0).sqrt()

    def offset(self, coordinates: Tensor) -> Tensor:
        """Coordinates [..., w_dim] in standard deviations -> change of w [..., w_dim]."""
        return coordinates @ self.axes

    def coordinates(self, w: Tensor) -> Tensor:
        """Coordinates of w [..., w_dim]: standard deviations from the mean along each axis."""
        lengths = self.axes.square().sum(dim=1)  # [w_dim]; the axes are orthogonal
        return (w - self.mean) @ self.axes.T / lengths


@torch.no_grad()
def measure_latent_space(generator: PlaneGenerator, *, seed: int = 0) -> LatentSpace:
    """Mean and axes of the codes of random z, seen from the front where the mapping wants a camera."""
    w = random_codes(generator, _SAMPLES, seed=seed).double()
    centred = w - w.mean(dim=0)
    variances, vectors = torch.linalg.eigh(centred.T @ centred / len(w))
    deviations = (variances.clamp_min(0.0) + _FLOOR * variances.mean()).sqrt()
    axes = (vectors * deviations).T.float()
    return LatentSpace(generator.w_avg.detach().float(), axes.contiguous())


@torch.no_grad()
def random_codes(generator: PlaneGenerator, count: int, *, seed: int) -> Tensor:
    """w [count, w_dim] of random z; the same for a seed on any device."""
    return random_w_plus(generator, count, seed=seed)[:, 0]


@torch.no_grad()
def random_w_plus(generator: AnyGenerator | PlaneGenerator, count: int, *, seed: int) -> Tensor:
    """w_plus [count, num_ws, w_dim] of random z; the same for a seed on any device."""
    random = torch.Generator().manual_seed(seed)
    device = generator.w_avg.device
    z = torch.randn(count, generator.config.z_dim, generator=random).to(device)
    return generator.mapping(z, frontal_label(generator, count))


def frontal_label(generator: AnyGenerator | PlaneGenerator, count: int) -> Tensor | None:
    """[count, 25] the frontal camera for mappings that are conditioned on one, else None."""
    if not generator.config.label_dim:
        return None
    orbit = generator.config.orbit
    label = to_label(CameraPose.from_angles(0.0).cam2world(orbit), intrinsics(orbit.focal))
    return label.to(generator.w_avg.device).expand(count, -1)
