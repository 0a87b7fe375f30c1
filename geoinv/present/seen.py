"""What a photo showed of its head, what the model guessed, and what the local branch added: metrics and one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import Camera
from ..camera.orbits import poses_at
from ..conventions import Orbit
from ..images.tensors import mask_tensor
from ..models.source_view import cut_off
from .pictures import Picture, change_picture, color_picture, tinted_where
from .sheets import row, stack
from .view_pictures import depth_alpha, resized, seen_of_view, view_pictures

if TYPE_CHECKING:
    from ..heads import ViewPair

YAWS_DEG = (-45, 0, 45)
"""The views that are looked at: level, upright cameras, the middle one before the face."""


@dataclass(frozen=True, eq=False)
class SeenHead:
    """How much of a head its photo showed.

    Args:
        share: Of the head's pixels in the views of ``YAWS_DEG`` together, those whose surface the photo showed: it lies
            in the photo's frame and the photo sees it more surely than not (:func:`geoinv.camera.visibility`).
        details_change: How far details change colours, in [0, 1], the mean over the head's pixels in those views; None
            without details.
        picture: The photo and the views side by side; what it did not show is tinted violet, percentages stand beneath.
            With details a second row: the head by its code alone, and how far details change the views.
    """

    share: float
    details_change: float | None
    picture: Picture

    @property
    def record(self) -> dict[str, float]:
        """The numbers, by their names in reports."""
        record = {"seen_share": self.share}
        return record if self.details_change is None else {**record, "details_change": self.details_change}


def seen_cameras(orbit: Orbit) -> Camera:
    """The cameras of ``YAWS_DEG``."""
    return poses_at([math.radians(yaw) for yaw in YAWS_DEG]).camera(orbit)


def seen_head(
    photo: Picture, own: ViewPair, views: Sequence[ViewPair], inside: NDArray[np.bool_] | None = None
) -> SeenHead:
    """What was seen of a head.

    Args:
        photo: The aligned photo, uint8 [H, H, 3].
        own: The head as its photo sees it.
        views: Through the cameras of :func:`seen_cameras`, one each.
        inside: [H, H] which pixels of the aligned photo show the photo, not padding; None where all do.
    """
    shown = [view.shown.cpu() for view in views]
    source = own.shown.cpu()
    if inside is not None:
        source = cut_off(source, mask_tensor(inside))
        photo = tinted_where(photo, (~inside).astype(np.float32))
    seen = [seen_of_view(view, source) for view in shown]
    counts = torch.tensor([float(mask.sum()) for mask in seen])
    solid = torch.tensor([float((depth_alpha(view) > 0.5).sum()) for view in shown])
    percents = (100.0 * counts / solid.clamp(min=1.0)).tolist()
    sides = [f"{yaw:+d} deg" if yaw else "front" for yaw in YAWS_DEG]
    labels = [f"{side}, {percent:.0f} % seen" for side, percent in zip(sides, percents, strict=True)]
    pictures = [view_pictures(view, ["seen"], source=source)[0] for view in shown]
    sheet = row([resized(photo, pictures[0].shape[0]), *pictures], labels=["photo; violet: not seen", *labels])
    share = round(float(counts.sum() / solid.sum().clamp(min=1.0)), 4)
    if own.plain is own.shown:
        return SeenHead(share, None, sheet)
    change, details = _details_row(own, views)
    return SeenHead(share, change, stack([sheet, details]))


def _details_row(own: ViewPair, views: Sequence[ViewPair]) -> tuple[float, Picture]:
    """How far details change colours over the head, and the row of pictures that shows where."""
    total, solid, maps = 0.0, 0.0, []
    for plain, shown in ((pair.plain.cpu(), pair.shown.cpu()) for pair in views):
        weight = shown.alpha[0]
        change = (shown.color - plain.color)[0].abs().mean(dim=0, keepdim=True)
        total, solid = total + float((change * weight).sum()), solid + float(weight.sum())
        maps.append(change_picture(shown.color[0], plain.color[0], weight))
    labels = ["without details", *(["change by details"] * len(maps))]
    return round(total / max(solid, 1.0), 4), row([color_picture(own.plain), *maps], labels=labels)
