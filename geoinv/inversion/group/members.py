"""Which of several photos show the same person, by the distances of their faces' descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LIMIT = 0.6
"""Identity distance above which a photo is of someone else. Three photos each of ten generated people, from the front,
lie at most 0.46 apart, two people's 0.8 in the median; faces that look alike are not told apart by it."""

SIDE_LIMIT = 0.68
"""The same between photos that were taken 60 degrees or more apart. Of the same people 19 in 20 profiles lie nearer to
the front, and 28 % of other people's; at 0.6 half of the profiles were left out that a head needs for its sides."""

_ALIKE_DEG, _ASIDE_DEG = 30.0, 60.0  # the limit rises between these differences in yaw


@dataclass(frozen=True)
class Members:
    """The photos of one person among several.

    Args:
        kept: Indices of the person's photos, in order.
        left_out: Indices of photos of someone else.
        distances: Identity distance of each photo from the middle one of the kept.
    """

    kept: tuple[int, ...]
    left_out: tuple[int, ...]
    distances: tuple[float, ...]


def same_person(descriptors: Tensor, yaws_deg: Tensor) -> Members:
    """The largest set of photos near enough to one of them; of equally large ones, that of the earliest photo.

    Args:
        descriptors: [K, 128] of the aligned photos, see :func:`geoinv.faces.identity.identity_descriptor`.
        yaws_deg: [K] yaws of the photos, which decide how near is near enough.
    """
    distances = torch.cdist(descriptors.double(), descriptors.double())  # [K, K]
    apart = (yaws_deg[:, None] - yaws_deg).abs().double()
    rise = ((apart - _ALIKE_DEG) / (_ASIDE_DEG - _ALIKE_DEG)).clamp(0.0, 1.0)
    is_near = distances <= LIMIT + rise * (SIDE_LIMIT - LIMIT)
    is_near.fill_diagonal_(True)  # rounding must not part a photo from itself
    counts = is_near.sum(dim=1)
    # of the photos with the most neighbours, the first: what the caller names first is most likely meant
    middle = int((counts == counts.max()).nonzero()[0])
    kept = is_near[middle].nonzero()[:, 0].tolist()
    return Members(
        tuple(kept),
        tuple(index for index in range(len(descriptors)) if index not in kept),
        tuple(distances[middle].tolist()),
    )
