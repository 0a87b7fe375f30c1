"""``geoinv invert CLIP``: a video to an avatar that does what the face in it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import notices
from ..errors import UsageError
from . import console
from .invert_plan import InvertPlan
from .options import face_index, refuse_together
from .photo_files import PhotoFile
from .photo_worker import provenance
from .result_names import result_stems
from .targets import check_outputs, write_json

CLIP_SUFFIXES = frozenset((".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp", ".wmv", ".flv"))
"""Suffixes of files that are taken for videos."""


@dataclass(frozen=True)
class ClipFiles:
    """Files that the command writes for one clip.

    Args:
        avatar: The avatar with the performance.
        curves: Its curves in Live Link Face's columns.
        beside: Clip and avatar side by side.
        report: What was measured and by which settings.
        inversion: The head of the frame that the avatar was made of.
    """

    avatar: Path
    curves: Path
    beside: Path
    report: Path
    inversion: Path

    @classmethod
    def in_folder(cls, folder: Path, stem: str) -> ClipFiles:
        """The files of a clip."""
        endings = ("_avatar.glb", "_curves.csv", "_beside.mp4", "_report.json", ".geoinv")
        return cls(*(folder / f"{stem}{ending}" for ending in endings))

    @property
    def outputs(self) -> list[Path]:
        """All of them, in the order in which they are written."""
        return [self.curves, self.beside, self.avatar, self.report, self.inversion]


def clip_among(paths: list[Path]) -> Path | None:
    """Return the video that is named; None where none is.

    Raises:
        UsageError: There is more than that.
    """
    clips = [path for path in paths if path.suffix.lower() in CLIP_SUFFIXES and not os.path.isdir(path)]
    if not clips:
        return None
    if len(paths) > 1:
        raise UsageError(f"{clips[0]} is a video, and there is more to invert", "give each video by itself")
    return clips[0]


def invert_clip(path: Path, plan: InvertPlan, command: console.Command, refused: Mapping[str, bool]) -> None:
    """Do one clip and print the result.

    Args:
        path: The video.
        plan: What is made of the frame that shows the face best.
        command: The command at work.
        refused: Whether each of the options that mean nothing for a video was given.

    Raises:
        PhotoError: The clip cannot be read, or shows no face.
    """
    from ..video import open_clip

    refuse_together("a video", refused, "it is for photos")
    photo = PhotoFile(path, path.stem, result_stems([(path, path.stem)], plan.face)[0])
    files = ClipFiles.in_folder(plan.out, photo.stem)
    check_outputs(files.outputs, overwrite=plan.overwrite)
    clip = open_clip(path)
    session = plan.prepare()

    from ..video import capture, performing_avatar, write_beside, write_live_link, write_performance

    expected = 0 if clip.seconds is None else round(clip.seconds * clip.fps)
    with console.progress(f"following {path.name}", expected) as update:
        captured = capture(clip, face=face_index(plan.face), on_frame=update)
    performance = captured.performance
    made, avatar = performing_avatar(session, captured, path.name, plan.method, plan.refinement)
    write_live_link(files.curves, performance)
    with console.progress(f"writing {files.beside.name}", len(performance)) as update:
        write_beside(files.beside, clip, captured, avatar, on_frame=update)
    write_performance(files.avatar, avatar, performance)
    settings = {"method": made.inversion.method, "face": plan.face, "seed": plan.seed}
    record = {
        **captured.record,
        "triangles": avatar.triangle_count,
        "model": made.inversion.generator,
        "warnings": notices.given(),
    }
    write_json(files.report, {**record, **provenance(photo, settings)})
    made.inversion.save(files.inversion)  # last: an inversion that is there tells that the rest is
    lost = "" if performance.seen.all() else f", {len(performance) - int(performance.seen.sum())} without the face"
    summary = f"{path.name}: {len(performance)} frames at {performance.fps:.4g} a second{lost}"
    values = {"inversion": files.inversion, "avatar": files.avatar, **record}
    command.result(summary, values, files.outputs[::-1], device=session.device)
