"""The files that the app makes of a head: one table, by name. They are what the commands make, under fixed names."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ... import notices
from ...errors import UsageError
from ...files import atomic_path
from ...images import write_image
from .jobs import Job, remove_folder
from .studio import Edits, Studio, edits_name

if TYPE_CHECKING:
    import trimesh

    from ...heads import Head
    from ...images import Photo
    from ...inversion import Inversion
    from ...session import Session

_VIEWS = 5
_FRAMES = 48
_EDIT_VIEWS = 3
_KEPT_EDITS = 16  # folders of edited results of one head


@dataclass(frozen=True)
class Making:
    """What a result is made from.

    Args:
        session: Models.
        inversion: The head, as edited.
        head: The same, ready to be seen.
        original: The head as the photo shows it.
        tell: Called with the fraction that is done; it lets others be shown meanwhile.
        photo: Reads the photo that was inverted; None where it is not there any more.
        mesh: Makes the mesh of the head; the last one is kept, as files of several formats are made from it.
    """

    session: Session
    inversion: Inversion
    head: Head
    original: Inversion
    tell: Callable[[float], None]
    photo: Callable[[], Photo | None]
    mesh: Callable[[], trimesh.Trimesh]


@dataclass(frozen=True)
class Result:
    """A file that can be made of a head.

    Args:
        make: Writes it to a path, whole or not at all.
        about: What it is, for people.
        group: Kind of file, under which the page lists it.
        needs_edits: Whether it exists for edited heads alone.
    """

    make: Callable[[Making, Path], None]
    about: str
    group: str
    needs_edits: bool = False


def _inversion(making: Making, path: Path) -> None:
    making.inversion.save(path)


def _aligned(making: Making, path: Path) -> None:
    write_image(path, making.inversion.photo)


def _sheet(making: Making, path: Path) -> None:
    write_image(path, making.session.inversion_sheet(making.inversion))


def _seen(making: Making, path: Path) -> None:
    write_image(path, making.session.seen(making.inversion).picture)


def _report(making: Making, path: Path) -> None:
    inversion = making.inversion
    yaw_deg, pitch_deg, roll_deg = (round(angle, 3) for angle in inversion.angles_deg)
    record = {
        "method": inversion.method,
        **inversion.metrics,
        "yaw_deg": yaw_deg,
        "pitch_deg": pitch_deg,
        "roll_deg": roll_deg,
        "edits": inversion.edits,
        "model": inversion.generator,
        "model_sha256": inversion.generator_sha256,
        "geoinv_version": inversion.version,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _views(making: Making, path: Path) -> None:
    from ...present.views import sweep_sheet

    sheet = sweep_sheet(
        making.head, _VIEWS, ("color", "depth", "normals"), on_view=lambda done: making.tell(done / _VIEWS)
    )
    write_image(path, sheet)


def _turntable(making: Making, path: Path) -> None:
    from ...present.views import write_turntable

    write_turntable(making.head, path, frames=_FRAMES, on_frame=lambda done: making.tell(done / _FRAMES))


def _before_and_after(making: Making, path: Path) -> None:
    from ...present.views import head_rows

    count = itertools.count(1)  # through both rows
    heads = [("before", making.session.head(making.original)), ("after", making.head)]
    write_image(path, head_rows(heads, _EDIT_VIEWS, lambda _: making.tell(next(count) / (2 * _EDIT_VIEWS))))


def _mesh(making: Making, path: Path) -> None:
    from ...mesh import write_mesh

    write_mesh(path, making.mesh())


def _avatar(making: Making, path: Path) -> None:
    from ...avatar import write_avatar

    avatar = making.session.avatar(making.inversion, photo=making.photo(), on_progress=making.tell)
    write_avatar(path, avatar)


def _avatar_page(making: Making, path: Path) -> None:
    from .. import write_head_page

    avatar = path.with_name("avatar.glb")
    if not avatar.is_file():
        _avatar(making, avatar)
    write_head_page(path, avatar.read_bytes(), "Head")


RESULTS = {
    "avatar.glb": Result(_avatar, "rigged avatar in metres, with 52 expressions: game engines, Blender", "3D model"),
    "avatar.html": Result(_avatar_page, "the avatar as a page that opens offline in any browser", "3D model"),
    "head.glb": Result(_mesh, "closed mesh in metres, with colours: browsers, Blender", "3D model"),
    "head.ply": Result(_mesh, "closed mesh in millimetres, with colours: MeshLab", "3D model"),
    "head.obj": Result(_mesh, "closed mesh in millimetres, with colours: most programs", "3D model"),
    "head.stl": Result(_mesh, "closed mesh in millimetres, without colours: printers", "3D model"),
    "turntable.mp4": Result(_turntable, "video of the turning head", "Pictures and video"),
    "turntable.gif": Result(_turntable, "the same as an animated picture", "Pictures and video"),
    "views.png": Result(_views, "five sides, with depth and normals", "Pictures and video"),
    "edit.png": Result(_before_and_after, "before and after, from three sides", "Pictures and video", needs_edits=True),
    "inversion.png": Result(_sheet, "photo, head, depth and normals side by side", "Pictures and video"),
    "seen.png": Result(_seen, "what the photo showed; what is guessed is tinted", "Pictures and video"),
    "aligned.png": Result(_aligned, "the photo as the head was made from it", "Pictures and video"),
    "head.geoinv": Result(_inversion, "the head itself, for geoinv's commands", "For geoinv"),
    "report.json": Result(_report, "measurements and settings", "For geoinv"),
}
"""The results by name; a new one is a line here and its function."""


def result_path(job: Job, name: str, edits: Edits) -> Path:
    """The place of a result.

    Raises:
        UsageError: There is no such result, or not of a head that is not edited.
    """
    result = RESULTS.get(name)
    if result is None:
        raise UsageError(f"no such result: {re.sub('[^ -~]', '?', name)[:80]}", f"there are: {', '.join(RESULTS)}")
    if result.needs_edits and not edits:
        raise UsageError(f"{name} shows edits, and there are none", "give one, such as edit=smile:1")
    return job.folder / edits_name(edits) / name


def make_result(studio: Studio, job: Job, name: str, edits: Edits) -> Path:
    """Write a result of a head where it is not there yet; returns its path.

    Raises:
        Stopped: The app is being ended, or the job was removed.
        MissingDependencyError: A package or program that this result needs is not there.
    """
    path = result_path(job, name, edits)
    if path.is_file():
        return path

    def tell(done: float) -> None:
        job.making[name] = done
        studio.pause(job)

    job.making[name] = 0.0
    try:
        with notices.collect(show=lambda message: None), torch.no_grad():
            inversion, head = studio.head(job, edits)
            making = Making(
                studio.session,
                inversion,
                head,
                studio.head(job)[0],
                tell,
                photo=lambda: studio.photo(job),
                mesh=lambda: studio.mesh(job, edits, tell),
            )
            RESULTS[name].make(making, path)
            if edits:
                _remove_old_edits(job, path.parent)
    finally:
        job.making.pop(name, None)
    return path


def _remove_old_edits(job: Job, newest: Path) -> None:
    folders = sorted(job.folder.glob("edit-*"), key=lambda folder: folder.stat().st_mtime)
    for folder in [folder for folder in folders if folder != newest][: max(len(folders) - _KEPT_EDITS, 0)]:
        remove_folder(folder)
