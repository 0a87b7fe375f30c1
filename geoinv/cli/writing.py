"""Renders to files: sheets, single pictures and videos, shared by the commands that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..images import write_image
from ..present.video import write_video
from ..present.views import head_rows, pictures_through, sweep_sheet, turning
from . import console

if TYPE_CHECKING:
    from ..heads import Head
    from ..inversion import Inversion
    from ..inversion.kept_photos import OtherPhoto
    from ..models.render_output import RenderOutput
    from ..present.pictures import Picture
    from ..present.view_pictures import Kind
    from ..session import Session
    from .options import Frame, Size


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


def sized_head(session: Session, inversion: Inversion, size: Size | None, photo: Path | None) -> Head:
    """The head of an inversion in views of the size that is asked for, see :meth:`geoinv.session.Session.enlarged`."""
    return session.enlarged(inversion, None if size is None else size.side, photo=photo)


def write_sheet(
    session: Session, inversion: Inversion, head: Head, path: Path, views: int, kinds: Sequence[Kind], *, frame: Frame
) -> None:
    """Views from side to side, a row for each kind."""
    with console.progress("rendering", views) as update:
        source = _source(session, inversion, kinds)
        sheet = sweep_sheet(head, views, kinds, source=source, on_view=update, zoom=frame.zoom)
        write_image(path, sheet)


def _source(session: Session, inversion: Inversion, kinds: Sequence[Kind]) -> RenderOutput | None:
    """The head as its photos see it, a view each, where a kind of picture needs it."""
    import torch

    from ..camera import CameraPose
    from ..images.tensors import mask_tensor
    from ..models.source_view import cut_off

    if "seen" not in kinds:
        return None
    photos: list[Inversion | OtherPhoto] = [inversion, *inversion.others]
    views = session.render(
        inversion, camera=CameraPose.from_vector(torch.stack([photo.camera for photo in photos])).camera(session.orbit)
    )
    return cut_off(views, torch.cat([mask_tensor(photo.inside) for photo in photos]))


def write_pictures(
    session: Session,
    inversion: Inversion,
    head: Head,
    paths: Sequence[Path],
    yaws: Sequence[float] | None,
    pitches: Sequence[float] | None,
    kinds: Sequence[Kind],
    *,
    frame: Frame,
) -> None:
    """One picture for each view and kind, in the order of ``paths``."""
    camera = session.cameras(inversion, yaws, pitches).zoomed(frame.zoom)
    source = _source(session, inversion, kinds)
    pictures = pictures_through(head, camera, kinds, source=source)
    for path, picture in zip(paths, pictures, strict=True):
        write_image(path, picture)


def write_videos(
    session: Session,
    inversion: Inversion,
    head: Head,
    paths: Sequence[Path],
    kinds: Sequence[Kind],
    *,
    frames: int,
    frame: Frame,
) -> None:
    """A turning head for each path; paths run through the kinds, then through the formats."""
    rendered: list[list[Picture]] = []
    with console.progress("rendering video", frames) as update:
        source = _source(session, inversion, kinds)
        for pictures in turning(head, frames, kinds, source=source, zoom=frame.zoom):
            rendered.append(pictures)
            update(len(rendered))
    for number, path in enumerate(paths):
        write_video(path, (pictures[number % len(kinds)] for pictures in rendered))


def write_turning(session: Session, inversion: Inversion, path: Path, *, frames: int, frame: Frame) -> None:
    """One video of the turning head; frames are written as they are rendered."""
    with console.progress(f"rendering {path.name}", frames) as update:
        session.turntable(inversion, path, frames=frames, on_frame=update, zoom=frame.zoom)


def strength_strip(
    session: Session, head: Inversion, strengths: Mapping[str, float], count: int, *, frame: Frame
) -> Picture:
    """One picture from the front for each of ``count`` factors of the strengths, from -1 to 1."""
    with console.progress("rendering", count) as update:
        return session.strength_strip(head, strengths, count, on_view=update, zoom=frame.zoom)


def edit_sheet(heads: Sequence[tuple[str, Head]], views: int, *, frame: Frame) -> Picture:
    """A row of views for each head, its name under each picture."""
    with console.progress("rendering", views) as update:
        return head_rows(heads, views, update, zoom=frame.zoom)
