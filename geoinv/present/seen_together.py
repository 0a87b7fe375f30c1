"""Which of a person's photos each view of the head comes from, as metrics and as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from ..camera.visibility import SEEN
from .pictures import Picture, color_picture
from .seen import YAWS_DEG, side_names
from .sheets import grid, row, stack
from .view_pictures import depth_alpha, resized

if TYPE_CHECKING:
    from ..heads import GroupedHead, ViewPair
    from ..models.render_output import RenderOutput

_UNSEEN = (238, 130, 238)
_INK = 0.55  # of a photo's colour over the view
_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class SeenTogether:
    """Metrics and picture of what several photos showed of their head.

    Args:
        views: By the view's yaw in degrees and the photo's name, the fraction of the head's pixels that come from this
            photo: it shows the surface there, and no other photo counts for more. ``guessed`` is the rest.
        seen_fraction: Fraction of the head's pixels, in all these views, that any photo showed.
        picture: The photos, framed in colours, and the views, tinted in the colour of the photo that they come from and
            in violet where no photo showed them; under these the views as they are.
    """

    views: Mapping[str, Mapping[str, float]]
    seen_fraction: float
    picture: Picture

    @property
    def record(self) -> dict[str, object]:
        """The metrics by their names in reports."""
        return {"seen_share": self.seen_fraction, "seen_by_photo": {yaw: dict(by) for yaw, by in self.views.items()}}


def seen_together(photos: Mapping[str, Picture], head: GroupedHead, views: Sequence[ViewPair]) -> SeenTogether:
    """Metrics and picture of what several photos showed of their head.

    Args:
        photos: The aligned photos, uint8 [H, H, 3] each, by their names, in the order of the head's parts.
        head: The head.
        views: Views through the cameras of :func:`geoinv.present.seen.seen_cameras`, one each.
    """
    names, colours = list(photos), photo_colours(len(photos))
    fractions: dict[str, dict[str, float]] = {}
    plain = [color_picture(pair.shown) for pair in views]
    tinted, seen, solid = [], 0.0, 0.0
    for yaw, pair, picture in zip(YAWS_DEG, views, plain, strict=True):
        origin = origin_of(head, pair.plain)
        total = max(float((origin != NOWHERE).sum()), 1.0)
        counts = [float((origin == index).sum()) for index in range(len(names))]
        by = {name: round(count / total, 4) for name, count in zip(names, counts, strict=True)}
        fractions[f"{yaw:+d}" if yaw else "0"] = {**by, "guessed": round(1.0 - sum(counts) / total, 4)}
        seen, solid = seen + sum(counts), solid + total
        tinted.append(_tinted(picture, origin, colours))
    labels = [
        f"{side}, {100.0 * (1.0 - by['guessed']):.0f} % seen"
        for side, by in zip(side_names(), fractions.values(), strict=True)
    ]
    small = [resized(photo, plain[0].shape[0]) for photo in photos.values()]
    framed = [_framed(photo, colour) for photo, colour in zip(small, colours, strict=True)]
    sheet = stack([grid(framed, columns=_COLUMNS, labels=names), row(tinted, labels=labels), row(plain)])
    return SeenTogether(fractions, round(seen / max(solid, 1.0), 4), sheet)


NOWHERE, GUESSED = -2, -1


def origin_of(head: GroupedHead, plain: RenderOutput) -> Tensor:
    """[h, h] int64 the index of the photo that each ray of one view comes from, ``GUESSED`` where no photo shows the
    surface, ``NOWHERE`` beside the head."""
    shares, visibility = head.shares_of(plain)
    largest = shares[:, 0].argmax(dim=0)  # [N]
    is_seen = visibility[:, 0].gather(0, largest[None])[0] > SEEN
    side = plain.depth.shape[-1]
    origin = torch.where(is_seen, largest, GUESSED).reshape(side, side).cpu()
    return torch.where(depth_alpha(plain)[0, 0] > 0.5, origin, NOWHERE)


def photo_colours(count: int) -> list[tuple[int, int, int]]:
    """RGB of as many photos, from orange over green to blue: none is the violet of what was not seen."""
    hues = np.linspace(10.0, 115.0, count)  # of OpenCV's 180
    hsv = np.array([[[hue, 200, 230] for hue in hues]]).round().astype(np.uint8)
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]


def _tinted(picture: Picture, origin: Tensor, colours: Sequence[tuple[int, int, int]]) -> Picture:
    table = np.array([_UNSEEN, *colours], np.float32)
    side = picture.shape[0]
    large = cv2.resize(origin.numpy().astype(np.int16), (side, side), interpolation=cv2.INTER_NEAREST)
    colour = table[np.clip(large + 1, 0, len(colours))]
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True)
    mixed = (1.0 - _INK) * grey + _INK * colour
    return np.where((large == NOWHERE)[..., None], picture, np.rint(mixed)).astype(np.uint8)


def _framed(photo: Picture, colour: tuple[int, int, int]) -> Picture:
    framed = photo.copy()
    width = max(photo.shape[0] // 40, 2)
    for edge in (np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:]):
        framed[edge] = colour
    return framed
