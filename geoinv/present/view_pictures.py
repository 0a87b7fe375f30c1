"""Pictures of inversions: a view in colour, depth and normals, and the sheet that sets them beside the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..camera.surface import points_from_depth
from ..camera.visibility import SEEN, visibility
from ..images.tensors import at_side
from ..models.source_view import solid_depth
from .pictures import color_picture, depth_picture, depth_range, normal_picture, tinted_where
from .sheets import grid, row, stack

if TYPE_CHECKING:
    from ..inversion.saved import Inversion
    from ..models.render_output import RenderOutput

Picture = NDArray[np.uint8]
Kind = Literal["color", "depth", "normals", "seen"]
"""``seen``: the colour, with what the photo did not show tinted."""


def view_pictures(
    view: RenderOutput,
    kinds: Sequence[Kind] = ("color",),
    *,
    depth_limits: tuple[float, float] | None = None,
    source: RenderOutput | None = None,
) -> list[Picture]:
    """One view as pictures of the kinds asked for, all of the colour's size.

    Args:
        view: A single view, batch size 1.
        kinds: Kinds of pictures.
        depth_limits: Depths drawn brightest and darkest; by default those of the view.
        source: The head as its photo sees it, which ``seen`` compares with.
    """
    view = view.cpu()
    side = view.color.shape[-1]
    alpha = depth_alpha(view)
    pictures = []
    for kind in kinds:
        if kind == "color":
            picture = color_picture(view)
        elif kind == "depth":
            picture = depth_picture(view.depth[0], alpha[0], limits=depth_limits)
        elif kind == "seen":
            assert source is not None
            unseen = ~seen_of_view(view, source) & (alpha > 0.5)
            picture = tinted_where(color_picture(view), at_side(unseen.float(), side)[0, 0].numpy())
        else:
            picture = normal_picture(view.normals[0], alpha[0])
        pictures.append(resized(picture, side))
    return pictures


def seen_of_view(view: RenderOutput, source: RenderOutput) -> Tensor:
    """Bool [1, 1, h, h] at the size of the depth: solid, and seen in the photo or in one of several, not guessed.

    Args:
        view: A single view, batch size 1.
        source: The head as its photos see it, a view each.
    """
    view, source = view.cpu(), source.cpu()
    points = points_from_depth(view.depth, view.camera.cam2world, focal=view.camera.focal)
    points = points.flatten(2).transpose(1, 2).expand(len(source.camera), -1, -1)
    weight = visibility(points, solid_depth(source), source.camera, mm_per_unit=source.mm_per_unit).amax(dim=0)
    return (weight.reshape(view.depth.shape) > SEEN) & (depth_alpha(view) > 0.5)


def depth_alpha(view: RenderOutput) -> Tensor:
    """[B, 1, h, w] opacity at the size of the depth, which super-resolution leaves smaller than the colour."""
    return at_side(view.alpha.detach().float().cpu(), view.depth.shape[-1])


def shared_depth_range(views: Sequence[RenderOutput]) -> tuple[float, float]:
    """The nearest and farthest depth of several views, so that one colour means one depth in all of them."""
    ranges = [depth_range(view.depth.detach().float().cpu(), depth_alpha(view)) for view in views]
    return min(near for near, _ in ranges), max(far for _, far in ranges)


def inversion_sheet(inversion: Inversion, reconstruction: RenderOutput) -> Picture:
    """Photo, reconstruction, depth and normals side by side."""
    return _photo_row(inversion.photo, reconstruction, ("photo", "reconstruction"))


def group_sheet(photos: Mapping[str, Picture], reconstructions: Sequence[RenderOutput]) -> Picture:
    """Photos of one person in a row each: photo, the head in its view, depth and normals.

    Args:
        photos: The aligned photos by their names.
        reconstructions: The head in each photo's view.
    """
    limits = shared_depth_range(reconstructions)
    return stack(
        [
            _photo_row(photo, view, (name, "the head in its view"), limits)
            for (name, photo), view in zip(photos.items(), reconstructions, strict=True)
        ]
    )


def _photo_row(
    photo: Picture, view: RenderOutput, names: tuple[str, str], depth_limits: tuple[float, float] | None = None
) -> Picture:
    """A photo, the head in its view, depth and normals; ``names`` stand under the first two."""
    pictures = view_pictures(view, ("color", "depth", "normals"), depth_limits=depth_limits)
    return row([resized(photo, pictures[0].shape[0]), *pictures], labels=[*names, "depth", "normals"])


def view_sheet(
    views: Sequence[RenderOutput],
    kinds: Sequence[Kind],
    *,
    labels: Sequence[str] | None = None,
    source: RenderOutput | None = None,
) -> Picture:
    """Views side by side, a row for each kind; labels stand under the last row."""
    limits = shared_depth_range(views) if "depth" in kinds else None
    columns = [view_pictures(view, kinds, depth_limits=limits, source=source) for view in views]
    rows = [[column[kind] for column in columns] for kind in range(len(kinds))]
    return labelled_rows(rows, labels)


def labelled_rows(rows: Sequence[Sequence[Picture]], labels: Sequence[str] | None) -> Picture:
    """Rows of equally sized pictures, with a label under each column of the last."""
    sheets = [grid(pictures, columns=len(pictures)) for pictures in rows[:-1]]
    return stack([*sheets, row(rows[-1], labels=labels)])


def resized(picture: Picture, side: int) -> Picture:
    """[H, H, 3] at another side."""
    if picture.shape[0] == side:
        return picture
    interpolation = cv2.INTER_AREA if picture.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=interpolation), dtype=np.uint8)
