"""A direction from scored codes: the normal of the hyperplane in w that parts high scores from low ones.

InterFaceGAN (Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020) fits a linear
support vector machine to the extremes of half a million samples. From a few hundred a penalised logistic regression is
steadier; it is fitted in whitened codes, so that moving along the normal stays among codes that the generator knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError
from ..models.latent_space import LatentSpace

MIN_HEADS = 20
_EXTREMES = 0.3  # of the heads at either end; the middle tells little of the side it is on
_PENALTY = 0.02  # on the squared length of the normal
_KEPT_OUT = 5  # every fifth head measures how well unseen heads are parted


@dataclass(frozen=True)
class Hyperplane:
    """A fitted direction.

    Args:
        direction: [w_dim] from the mean of the low to that of the high scores, along the normal.
        accuracy: Fraction of the heads kept out of the fit that lie on the right side; 0.5 is chance.
        heads: Heads in the fit and the check together.
    """

    direction: Tensor
    accuracy: float
    heads: int


def fit_hyperplane(
    codes: Tensor,  # [N, w_dim]
    scores: Tensor,  # [N]
    space: LatentSpace,
) -> Hyperplane:
    """Fit to the extremes of the scores, or to two groups where there are only two scores.

    Raises:
        UsageError: Too few heads, or scores that are all the same.
    """
    is_low, is_high = _extremes(scores)
    chosen = is_low | is_high
    count = int(chosen.sum())
    if min(int(is_low.sum()), int(is_high.sum())) < MIN_HEADS // 2:
        raise UsageError(
            f"{int(is_low.sum())} heads without and {int(is_high.sum())} with the attribute are too few",
            f"give at least {MIN_HEADS // 2} of each",
        )
    coordinates = space.coordinates(codes[chosen].float().to(space.axes)).cpu()
    signs = torch.where(is_high[chosen], 1.0, -1.0).cpu()
    is_check = torch.arange(count) % _KEPT_OUT == 0
    trial, bias = _logistic(coordinates[~is_check], signs[~is_check])
    accuracy = ((coordinates[is_check] @ trial + bias) * signs[is_check] > 0.0).float().mean().item()
    normal, _ = _logistic(coordinates, signs)
    unit = functional.normalize(normal, dim=0)
    along = coordinates @ unit
    gap = along[signs > 0].mean() - along[signs < 0].mean()
    return Hyperplane(space.offset((gap * unit).to(space.axes)).cpu(), accuracy, count)


def _extremes(scores: Tensor) -> tuple[Tensor, Tensor]:
    values = scores.unique()
    if len(values) < 2:
        raise UsageError("all heads have the same score", "give labels of both kinds, or more samples")
    if len(values) == 2:
        return scores == values[0], scores == values[1]
    low, high = scores.quantile(_EXTREMES), scores.quantile(1.0 - _EXTREMES)
    return scores <= low, scores >= high


def _logistic(coordinates: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """Normal [w_dim] and bias of a penalised logistic regression; both classes weigh the same."""
    normal = torch.zeros(coordinates.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    weights = torch.where(signs > 0, 0.5 / (signs > 0).sum(), 0.5 / (signs < 0).sum())
    optimizer = torch.optim.LBFGS([normal, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        margins = signs * (coordinates @ normal + bias)
        loss = (weights * functional.softplus(-margins)).sum() + _PENALTY * normal.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return normal.detach(), bias.detach()
