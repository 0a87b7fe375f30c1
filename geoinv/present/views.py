"""Heads from many sides: sheets from side to side, turning heads, strengths of an edit side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..camera import Camera
from ..camera.orbits import WHOLE_HEAD_ZOOM, sweep, turntable
from ..heads import Head, each_view
from ..progress import OnCount
from .pictures import Picture
from .sheets import row, stack
from .video import write_video
from .view_pictures import Kind, shared_depth_range, view_pictures, view_sheet

if TYPE_CHECKING:
    from ..models.render_output import RenderOutput


def sweep_views(
    head: Head, count: int, on_view: OnCount | None = None, *, zoom: float = WHOLE_HEAD_ZOOM
) -> tuple[list[RenderOutput], list[str]]:
    """``count`` views from side to side, and their yaws as labels; a zoom of 1 shows what the photo's crop shows."""
    poses = sweep(count)
    views = []
    for view in each_view(head, poses.camera(head.orbit).zoomed(zoom)):
        views.append(view)
        _count(on_view, len(views))
    return views, [f"{yaw:+.0f} deg" for yaw in torch.rad2deg(poses.yaw_rad).tolist()]


def sweep_sheet(
    head: Head,
    count: int,
    kinds: Sequence[Kind] = ("color",),
    *,
    source: RenderOutput | None = None,
    on_view: OnCount | None = None,
    zoom: float = WHOLE_HEAD_ZOOM,
) -> Picture:
    """One sheet of ``count`` views from side to side, a row for each kind.

    Args:
        head: A single head.
        count: Number of views.
        kinds: Kinds of pictures.
        source: The head as its photo sees it, which the kind ``seen`` compares with.
        on_view: Called with the number of views done.
        zoom: Focal length over that of the photo's crop; the default shows the whole head.
    """
    views, labels = sweep_views(head, count, on_view, zoom=zoom)
    return view_sheet(views, kinds, labels=labels, source=source)


def pictures_through(
    head: Head, camera: Camera, kinds: Sequence[Kind] = ("color",), *, source: RenderOutput | None = None
) -> list[Picture]:
    """A picture for each view and kind, kinds of the first view first; depths are drawn alike in all views."""
    views = list(each_view(head, camera))
    limits = shared_depth_range(views) if "depth" in kinds else None
    return [picture for view in views for picture in view_pictures(view, kinds, depth_limits=limits, source=source)]


def turning(
    head: Head,
    frames: int,
    kinds: Sequence[Kind] = ("color",),
    *,
    source: RenderOutput | None = None,
    zoom: float = WHOLE_HEAD_ZOOM,
) -> Iterator[list[Picture]]:
    """The frames of a head that turns to both sides, one after another: a picture for each kind."""
    cameras, limits = turntable(frames).camera(head.orbit).zoomed(zoom), None
    if "depth" in kinds:  # of four views round the loop, which see every depth that the frames will
        limits = shared_depth_range(list(each_view(head, cameras[:: max(frames // 4, 1)])))
    for view in each_view(head, cameras):
        yield view_pictures(view, kinds, depth_limits=limits, source=source)


def write_turntable(
    head: Head, path: Path, *, frames: int = 48, on_frame: OnCount | None = None, zoom: float = WHOLE_HEAD_ZOOM
) -> None:
    """Write a video of the turning head; frames are written as they are rendered.

    Args:
        head: A single head.
        path: Ends in .mp4 or .gif.
        frames: Number of frames in the loop.
        on_frame: Called with the number of frames done.
        zoom: Focal length over that of the photo's crop; the default shows the whole head.

    Raises:
        UsageError: Another suffix.
        MissingDependencyError: No ffmpeg for .mp4.
    """
    write_video(path, (pictures[0] for pictures in turning(head, frames, zoom=zoom)), on_frame=on_frame)


def head_rows(
    heads: Iterable[tuple[str, Head]], count: int, on_view: OnCount | None = None, *, zoom: float = WHOLE_HEAD_ZOOM
) -> Picture:
    """A row of ``count`` views from side to side for each head, its name under each picture."""
    rows = []
    for name, head in heads:
        views, angles = sweep_views(head, count, on_view, zoom=zoom)
        pictures = [view_pictures(view)[0] for view in views]
        rows.append(row(pictures, labels=[f"{name}, {angle}" for angle in angles]))
    return stack(rows)


def front_row(heads: Iterable[tuple[str, Head]], on_view: OnCount | None = None, *, zoom: float = 1.0) -> Picture:
    """Heads from the front side by side, each with its name beneath; by default in the frame of the photo's crop."""
    pictures, labels = [], []
    for name, head in heads:
        (view,) = each_view(head, sweep(1).camera(head.orbit).zoomed(zoom))
        pictures.append(view_pictures(view)[0])
        labels.append(name)
        _count(on_view, len(pictures))
    return row(pictures, labels=labels)


def _count(on_view: OnCount | None, count: int) -> None:
    if on_view is not None:
        on_view(count)
