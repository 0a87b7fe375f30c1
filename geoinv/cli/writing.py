"""Renders to files: sheets, single pictures and videos, shared by the commands that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..camera.orbits import sweep, turntable
from ..errors import UsageError
from ..heads import each_view
from ..images import write_image
from ..present.sheets import row
from ..present.video import write_video
from ..present.view_pictures import shared_depth_range, view_pictures, view_sheet
from . import console

if TYPE_CHECKING:
    from ..inversion import Inversion
    from ..models.render_output import RenderOutput
    from ..present.view_pictures import Kind
    from ..session import Session


def angle_names(yaws: Sequence[float] | None, pitches: Sequence[float] | None) -> list[str]:
    """``yaw+30_pitch+0`` for each view; a list of one goes with all of the other.

    Raises:
        UsageError: Lists that do not go together, or the same view twice.
    """
    yaws, pitches = list(yaws or [0.0]), list(pitches or [0.0])
    count = max(len(yaws), len(pitches))
    if len(yaws) not in (1, count) or len(pitches) not in (1, count):
        raise UsageError(
            f"{len(yaws)} yaws do not go with {len(pitches)} pitches", "give as many of each, or one of either"
        )
    yaws, pitches = yaws * (count // len(yaws)), pitches * (count // len(pitches))
    names = [f"yaw{yaw:+g}_pitch{pitch:+g}" for yaw, pitch in zip(yaws, pitches, strict=True)]
    if len(set(names)) < len(names):
        raise UsageError("the same view is asked for twice", "give each pair of angles once")
    return names


def sweep_views(session: Session, inversion: Inversion, views: int) -> tuple[list[RenderOutput], list[str]]:
    """Views from side to side, and their yaws as labels."""
    poses = sweep(views)
    rendered = []
    with console.progress("rendering", views) as update:
        for view in each_view(session.head(inversion), poses.camera(session.orbit)):
            rendered.append(view)
            update(len(rendered))
    return rendered, [f"{yaw:+.0f} deg" for yaw in torch.rad2deg(poses.yaw_rad).tolist()]


def write_sheet(session: Session, inversion: Inversion, path: Path, views: int, kinds: Sequence[Kind]) -> None:
    """Views from side to side, a row for each kind."""
    rendered, labels = sweep_views(session, inversion, views)
    source = _source(session, inversion, kinds)
    write_image(path, view_sheet(rendered, kinds, labels=labels, source=source))


def _source(session: Session, inversion: Inversion, kinds: Sequence[Kind]) -> RenderOutput | None:
    """The head as the photo sees it, where a kind of picture needs it."""
    from ..images.tensors import mask_tensor
    from ..models.source_view import cut_off

    return cut_off(session.render(inversion), mask_tensor(inversion.inside)) if "seen" in kinds else None


def write_pictures(
    session: Session,
    inversion: Inversion,
    paths: Sequence[Path],
    yaws: Sequence[float] | None,
    pitches: Sequence[float] | None,
    kinds: Sequence[Kind],
) -> None:
    """One picture for each view and kind, in the order of ``paths``."""
    rendered = list(each_view(session.head(inversion), session.cameras(inversion, yaws, pitches)))
    limits, source = shared_depth_range(rendered), _source(session, inversion, kinds)
    pictures = [
        picture for view in rendered for picture in view_pictures(view, kinds, depth_limits=limits, source=source)
    ]
    for path, picture in zip(paths, pictures, strict=True):
        write_image(path, picture)


def write_videos(
    session: Session, inversion: Inversion, paths: Sequence[Path], kinds: Sequence[Kind], *, frames: int
) -> None:
    """A turning head for each path; paths run through the kinds, then through the formats."""
    cameras, head = turntable(frames).camera(session.orbit), session.head(inversion)
    limits, source = None, _source(session, inversion, kinds)
    if "depth" in kinds:  # of four views round the loop, which see every depth that the frames will
        limits = shared_depth_range(list(each_view(head, cameras[:: max(frames // 4, 1)])))
    pictures: list[list[np.ndarray]] = []
    with console.progress("rendering video", frames) as update:
        for view in each_view(head, cameras):
            pictures.append(list(view_pictures(view, kinds, depth_limits=limits, source=source)))
            update(len(pictures))
    for number, path in enumerate(paths):
        write_video(path, (picture[number % len(kinds)] for picture in pictures))


def write_turntable(session: Session, inversion: Inversion, path: Path, *, frames: int) -> None:
    """One video of the turning head; frames are written as they are rendered."""
    views = each_view(session.head(inversion), turntable(frames).camera(session.orbit))
    with console.progress(f"rendering {path.name}", frames) as update:
        write_video(path, (view_pictures(view)[0] for view in views), on_frame=update)


def strength_strip(session: Session, head: Inversion, strengths: Mapping[str, float], count: int) -> np.ndarray:
    """One picture from the front for each of ``count`` factors of the strengths, from -1 to 1."""
    pictures, labels = [], []
    with console.progress("rendering", count) as update:
        for factor in np.linspace(-1.0, 1.0, count).tolist():
            edited = session.edit(head, {name: factor * strength for name, strength in strengths.items()})
            pictures.append(view_pictures(session.render(edited, yaw_deg=0.0))[0])
            applied = {name: edited.edits[name] - head.edits.get(name, 0.0) for name in strengths}  # may be bounded
            labels.append(" ".join(f"{name} {strength:+.2g}" for name, strength in applied.items()))
            update(len(pictures))
    return row(pictures, labels=labels)


def edit_sheet(session: Session, heads: Sequence[tuple[str, Inversion]], views: int) -> np.ndarray:
    """A row of views for each head, its name under each picture."""
    from ..present.sheets import stack

    rows = []
    for name, head in heads:
        rendered, angles = sweep_views(session, head, views)
        pictures = [view_pictures(view)[0] for view in rendered]
        rows.append(row(pictures, labels=[f"{name}, {angle}" for angle in angles]))
    return stack(rows)
