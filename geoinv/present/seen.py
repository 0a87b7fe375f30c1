"""Metrics and a picture of what a photo showed of its head, what was guessed, and what the local branch added."""

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


def side_names() -> list[str]:
    """What the views are called beneath their pictures."""
    return [f"{yaw:+d} deg" if yaw else "front" for yaw in YAWS_DEG]


@dataclass(frozen=True, eq=False)
class SeenHead:
    """Metrics and picture of what a photo showed of its head.

    Args:
        seen_fraction: Fraction of the head's pixels, in the views of ``YAWS_DEG`` together, whose surface the photo
            showed: it lies in the photo's frame, with a visibility above one half (:mod:`geoinv.camera.visibility`).
        details_change: Mean change of colours in [0, 1] by details, over the head's pixels in those views; None
            without details.
        picture: The photo and the views side by side; what it did not show is tinted violet, percentages stand beneath.
            With details a second row: the head by its code alone, and the change of the views by details.
    """

    seen_fraction: float
    details_change: float | None
    picture: Picture

    @property
    def record(self) -> dict[str, float]:
        """The metrics by their names in reports."""
        record = {"seen_share": self.seen_fraction}
        return record if self.details_change is None else {**record, "details_change": self.details_change}


def seen_cameras(orbit: Orbit) -> Camera:
    """The cameras of ``YAWS_DEG``."""
    return poses_at([math.radians(yaw) for yaw in YAWS_DEG]).camera(orbit)


def seen_head(
    photo: Picture, own: ViewPair, views: Sequence[ViewPair], inside: NDArray[np.bool_] | None = None
) -> SeenHead:
    """Metrics and picture of what was seen of a head.

    Args:
        photo: The aligned photo, uint8 [H, H, 3].
        own: The head as its photo sees it.
        views: Views through the cameras of :func:`seen_cameras`, one each.
        inside: [H, H] bool, True where the aligned photo shows the photo and not padding; None where all of it does.
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
    labels = [f"{side}, {percent:.0f} % seen" for side, percent in zip(side_names(), percents, strict=True)]
    pictures = [view_pictures(view, ["seen"], source=source)[0] for view in shown]
    sheet = row([resized(photo, pictures[0].shape[0]), *pictures], labels=["photo; violet: not seen", *labels])
    seen_fraction = round(float(counts.sum() / solid.sum().clamp(min=1.0)), 4)
    if own.plain is own.shown:
        return SeenHead(seen_fraction, None, sheet)
    change, details = _details_row(own, views)
    return SeenHead(seen_fraction, change, stack([sheet, details]))


def _details_row(own: ViewPair, views: Sequence[ViewPair]) -> tuple[float, Picture]:
    """Mean change of colours by details over the head, and a row of pictures that shows where."""
    total, solid, maps = 0.0, 0.0, []
    for plain, shown in ((pair.plain.cpu(), pair.shown.cpu()) for pair in views):
        weight = shown.alpha[0]
        change = (shown.color - plain.color)[0].abs().mean(dim=0, keepdim=True)
        total, solid = total + float((change * weight).sum()), solid + float(weight.sum())
        maps.append(change_picture(shown.color[0], plain.color[0], weight))
    labels = ["without details", *(["change by details"] * len(maps))]
    return round(total / max(solid, 1.0), 4), row([color_picture(own.plain), *maps], labels=labels)
