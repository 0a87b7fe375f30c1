"""What a photo showed of its head, what the model guessed, and what the local branch added: figures and one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera.orbits import poses_at
from ..conventions import Orbit
from .pictures import change_picture, color_picture
from .sheets import row, stack
from .view_pictures import Picture, SourceView, depth_alpha, resized, seen_of_view, view_pictures

if TYPE_CHECKING:
    from ..models.generator import RenderOutput

YAWS_DEG = (-45, 0, 45)
"""The views that are looked at: level, upright cameras, the middle one before the face."""


@dataclass(frozen=True, eq=False)
class SeenHead:
    """How much of a head its photo showed.

    Args:
        share: Of the head's pixels in the views of ``YAWS_DEG`` together, those whose surface the photo showed: it lies
            in the photo's frame and nothing of the head stands before it there.
        details_change: How far details change colours, in [0, 1], the mean over the head's pixels in those views; None
            without details.
        picture: The photo and the views side by side; what it did not show is tinted violet, shares stand beneath. With
            details a second row: the head by its code alone, and how far details change the views.
    """

    share: float
    details_change: float | None
    picture: Picture


def seen_cameras(orbit: Orbit) -> Tensor:
    """[3, 4, 4] the cameras of ``YAWS_DEG``."""
    return poses_at([math.radians(yaw) for yaw in YAWS_DEG]).cam2world(orbit)


def seen_head(
    photo: Picture,
    views: Sequence[RenderOutput],
    cam2world: Tensor,
    source: SourceView,
    *,
    without: Sequence[RenderOutput] | None = None,
) -> SeenHead:
    """What was seen of a head.

    Args:
        photo: The aligned photo.
        views: Through the cameras of :func:`seen_cameras`, one each.
        cam2world: Those cameras [3, 4, 4].
        source: The head as the photo sees it.
        without: The head without details, where it has them: in the photo's view, then in ``views``.
    """
    seen = [seen_of_view(view, cam2world[index : index + 1], source) for index, view in enumerate(views)]
    counts = torch.tensor([float(mask.sum()) for mask in seen])
    solid = torch.tensor([float((depth_alpha(view) > 0.5).sum()) for view in views])
    shares = (counts / solid.clamp(min=1.0)).tolist()
    sides = [f"{yaw:+d} deg" if yaw else "front" for yaw in YAWS_DEG]
    labels = [f"{side}, {100.0 * share:.0f} % seen" for side, share in zip(sides, shares, strict=True)]
    pictures = [
        view_pictures(view, cam2world[index : index + 1], ["seen"], source=source)[0]
        for index, view in enumerate(views)
    ]
    sheet = row([resized(photo, pictures[0].shape[0]), *pictures], labels=["photo; violet: not seen", *labels])
    share = round(float(counts.sum() / solid.sum().clamp(min=1.0)), 4)
    if without is None:
        return SeenHead(share, None, sheet)
    change, details = _details_row(views, without)
    return SeenHead(share, change, stack([sheet, details]))


def _details_row(views: Sequence[RenderOutput], without: Sequence[RenderOutput]) -> tuple[float, Picture]:
    """How far details change colours over the head, and the row of pictures that shows where."""
    photo_view, *plain = without
    weights = [view.alpha[0].float().cpu() for view in views]
    changes = [
        (view.color - other.color)[0].abs().mean(dim=0, keepdim=True).float().cpu()
        for view, other in zip(views, plain, strict=True)
    ]
    total = sum(float((change * weight).sum()) for change, weight in zip(changes, weights, strict=True))
    solid = sum(float(weight.sum()) for weight in weights)
    maps = [
        change_picture(view.color[0], other.color[0], view.alpha[0]) for view, other in zip(views, plain, strict=True)
    ]
    labels = ["without details", *(["change by details"] * len(maps))]
    return round(total / max(solid, 1.0), 4), row([color_picture(photo_view), *maps], labels=labels)
