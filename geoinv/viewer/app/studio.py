"""What the worker does with the session: photos to heads, heads to pictures. All of it runs in the worker's thread."""

from __future__ import annotations

import hashlib
import io
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image

from ... import notices
from ...camera.orbits import WHOLE_HEAD_ZOOM, poses_at
from ...errors import PhotoError
from ...heads import DetailedHead, Head, draft_of
from ...images import Photo, photo_from_bytes
from ...inversion import Inversion
from ...inversion.methods import default_method
from ...progress import OnFraction
from .jobs import Job, State
from .worker import Stopped

if TYPE_CHECKING:
    import trimesh

    from ...models.render_output import RenderOutput
    from ...session import Session

Suffix = Literal["webp", "png", "jpg"]
Edits = tuple[tuple[str, float], ...]
"""Strengths of attributes by name, in alphabetical order, zeros left out."""

_KEPT_HEADS = 8  # a few people with a head each, before and after; each holds some 6 MB of planes
_SAVE_OPTIONS: dict[Suffix, dict[str, int | str]] = {
    "webp": {"format": "WEBP", "quality": 86, "method": 0},
    "png": {"format": "PNG", "compress_level": 1},
    "jpg": {"format": "JPEG", "quality": 92},
}


@dataclass(frozen=True)
class Look:
    """How a head is looked at.

    Args:
        yaw_deg: Positive turns the face to image left.
        pitch_deg: Positive looks from above.
        zoom: 1 shows the whole head, 2 half of it.
        is_draft: Whether the picture may be small, because the next one follows at once.
        edits: What is changed.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    zoom: float = 1.0
    is_draft: bool = False
    edits: Edits = ()


@dataclass(frozen=True)
class Shown:
    """A picture of a head.

    Args:
        data: The bytes of the picture's file.
        notes: What was done otherwise than asked for, a line each.
    """

    data: bytes
    notes: tuple[str, ...]


def edits_name(edits: Edits) -> str:
    """A folder's name for results of edits; empty where there are none."""
    return "edit-" + hashlib.sha256(repr(edits).encode()).hexdigest()[:16] if edits else ""


class Studio:
    """The session at work for the app.

    Args:
        session: Models, loaded.
        breathe: Called after each step of long work; see :meth:`.worker.Worker.breathe`.
    """

    def __init__(self, session: Session, breathe: Callable[[], None]) -> None:
        self.session = session
        self.breathe = breathe
        self._heads: OrderedDict[tuple[str, Edits], tuple[Inversion, Head]] = OrderedDict()
        self._mesh: tuple[tuple[str, Edits], trimesh.Trimesh] | None = None

    def warm_up(self) -> None:
        """Load every model and compile every kernel, so that the first photo does not wait for it.

        The head is one of nobody: the generator's mean.
        """
        from ...heads import plain_head

        session = self.session
        with torch.no_grad():
            head = plain_head(session.generator, session.generator.w_avg.expand(1, session.generator.config.num_ws, -1))
            picture_of(head.view(poses_at([0.0]).camera(head.orbit)), "webp")
        for load in (lambda: default_method(session), lambda: session.aligner, lambda: session.reach):
            self.breathe()
            _ = load()

    def invert(self, job: Job) -> None:
        """The head of a job's photo, which becomes a file beside it.

        Raises:
            PhotoError: The photo cannot be used.
            Stopped: The app is being ended, or the job was removed.
        """
        job.state = State.working
        try:
            with notices.collect(show=lambda message: None):
                self._invert(job)
        except MemoryError as error:
            raise PhotoError("this machine has too little memory for the photo", "scale it down first") from error

    def _invert(self, job: Job) -> None:
        self._enter(job, "reading the photo", 0.05)
        photo = read(job.photo)
        self._enter(job, "finding the face", 0.15)
        face = self.session.align(photo)
        self._enter(job, "making the head", 0.4)
        made = self.session.inverted(face, source="photo")
        self._enter(job, "saving", 0.9)
        made.inversion.save(job.head)
        job.warnings = (*face.warnings, *notices.given())
        job.metrics = {name: round(value, 4) for name, value in made.inversion.metrics.items()}
        self._keep((job.name, ()), (made.inversion, made.head))
        job.state, job.stage, job.progress = State.done, "", 1.0

    def _enter(self, job: Job, stage: str, progress: float) -> None:
        job.stage, job.progress = stage, progress
        self.pause(job)

    def pause(self, job: Job) -> None:
        """Let others be shown between two steps of work for a job.

        Raises:
            Stopped: The app is being ended, or the job was removed meanwhile.
        """
        self.breathe()
        if job.is_removed:
            raise Stopped

    def view(self, job: Job, look: Look, suffix: Suffix) -> Shown:
        """A picture of a head."""
        with notices.collect(show=lambda message: None), torch.no_grad():
            _, head = self.head(job, look.edits)
            camera = poses_at([math.radians(look.yaw_deg)], math.radians(look.pitch_deg)).camera(head.orbit)
            shown = draft_of(head) if look.is_draft else head
            view = shown.view(camera.zoomed(WHOLE_HEAD_ZOOM * look.zoom))
            return Shown(picture_of(view, suffix), tuple(notices.given()))

    def head(self, job: Job, edits: Edits = ()) -> tuple[Inversion, Head]:
        """A job's head as edited; the last ones are kept."""
        key = (job.name, edits)
        if key not in self._heads:
            self._keep(key, self._made(job, edits))
        self._heads.move_to_end(key)
        return self._heads[key]

    def _made(self, job: Job, edits: Edits) -> tuple[Inversion, Head]:
        if not edits:
            inversion = Inversion.load(job.head)
            return inversion, self.session.head(inversion)
        before, original = self.head(job)
        inversion = self.session.edit(before, dict(edits))
        head = self.session.head(inversion)
        if isinstance(head, DetailedHead) and isinstance(original, DetailedHead):
            head.share_features(original)  # a third of the time of a picture while a slider moves
        return inversion, head

    def photo(self, job: Job) -> Photo | None:
        """A job's photo at its full resolution; None where it is not there."""
        return read(job.photo) if job.photo.is_file() else None

    def mesh(self, job: Job, edits: Edits, on_progress: OnFraction) -> trimesh.Trimesh:
        """A job's head as a mesh in millimetres; the last one is kept."""
        from ...mesh import extract_mesh

        if self._mesh is None or self._mesh[0] != (job.name, edits):
            self._mesh = (job.name, edits), extract_mesh(self.head(job, edits)[1], on_progress=on_progress)
        return self._mesh[1]

    def _keep(self, key: tuple[str, Edits], made: tuple[Inversion, Head]) -> None:
        self._heads[key] = made
        while len(self._heads) > _KEPT_HEADS:
            self._heads.popitem(last=False)

    def forget(self, job: Job) -> None:
        """Let go of a job's heads."""
        for key in [key for key in self._heads if key[0] == job.name]:
            del self._heads[key]
        if self._mesh is not None and self._mesh[0][0] == job.name:
            self._mesh = None


def read(path: Path) -> Photo:
    """A photo, under no name of a file in errors.

    Raises:
        PhotoError: It cannot be used.
    """
    return photo_from_bytes(path.read_bytes(), "the photo")


def canonical_edits(session: Session, strengths: Mapping[str, float]) -> Edits:
    """Edits by the names of the model's directions.

    Raises:
        UsageError: An attribute that the model has no direction for, or a strength that is not finite.
    """
    from ...editing.apply import checked_strength

    named: dict[str, float] = {}
    for attribute, strength in strengths.items():
        name = session.directions.name_of(attribute)
        checked_strength(name, strength)
        if strength != 0.0:
            named[name] = round(float(strength), 4)
    return tuple(sorted(named.items()))


def picture_of(view: RenderOutput, suffix: Suffix) -> bytes:
    """The bytes of a picture of a single view; transparent beside the head, in .jpg white."""
    view = view.cpu()
    alpha = view.alpha[0].permute(1, 2, 0).numpy()  # [H, W, 1]
    if suffix == "jpg":
        values = view.over(1.0)[0].permute(1, 2, 0).numpy()
    else:  # files hold colours that are not multiplied by alpha
        values = np.concatenate([view.color[0].permute(1, 2, 0).numpy() / np.maximum(alpha, 1e-3), alpha], axis=2)
    picture = Image.fromarray(np.round(255.0 * np.clip(values, 0.0, 1.0)).astype(np.uint8))
    stream = io.BytesIO()
    picture.save(stream, **_SAVE_OPTIONS[suffix])  # type: ignore[arg-type]
    return stream.getvalue()
