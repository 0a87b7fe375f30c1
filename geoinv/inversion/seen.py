"""What a photo showed of its head, and what the model guessed: one figure and one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..conventions import Orbit
from ..render.orbits import poses_at
from ..render.sheets import row
from .pictures import Picture, SourceView, depth_alpha, resized, seen_of_view, view_pictures

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
        picture: The photo and the views side by side; what it did not show is tinted violet, shares stand beneath.
    """

    share: float
    picture: Picture


def seen_cameras(orbit: Orbit) -> Tensor:
    """[3, 4, 4] the cameras of ``YAWS_DEG``."""
    return poses_at([math.radians(yaw) for yaw in YAWS_DEG]).cam2world(orbit)


def seen_head(photo: Picture, views: Sequence[RenderOutput], cam2world: Tensor, source: SourceView) -> SeenHead:
    """What was seen of a head.

    Args:
        photo: The aligned photo.
        views: Through the cameras of :func:`seen_cameras`, one each.
        cam2world: Those cameras [3, 4, 4].
        source: The head as the photo sees it.
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
    return SeenHead(round(float(counts.sum() / solid.sum().clamp(min=1.0)), 4), sheet)
