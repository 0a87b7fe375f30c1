"""From a clip to a performance: one identity for the clip; expression, gaze and pose for each frame.

The clip is read twice. First a few frames, evenly spread, give the identity and the frame that shows the face best.
Then every frame is fitted with that identity. One frame is in memory at a time; what grows is the performance itself,
1 kB for each frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..align.face import FloatArray, ImageArray
from ..align.mediapipe import MediaPipeBackend
from ..errors import PhotoError
from ..progress import OnCount
from ..shape import ARKIT_UNITS, HeadCodes, HeadFit, HeadModel, load_head_model
from .frame_fit import FrameFitter, SeenFace, identity_of
from .gaze import gaze_of
from .patch_points import PatchPoints, load_patch_points
from .performance import Performance
from .reading import MIN_FRAMES, Clip
from .settle import UNSEEN_ROW, performance_of
from .tracker import FaceTracker

_SAMPLES = 12
"""Frames that the identity comes from."""


@dataclass(frozen=True, eq=False)
class Captured:
    """What a clip shows.

    Args:
        performance: What the face does.
        person: Codes at rest with the person's identity, batch size 1.
        best: [H, W, 3] the frame that shows the face best: from the front, near rest, large.
        best_place: [2] middle of the face in it, in pixels.
        error: Median over the frames of :attr:`geoinv.shape.HeadFit.error`.
    """

    performance: Performance
    person: HeadCodes
    best: ImageArray
    best_place: FloatArray
    error: float

    @property
    def record(self) -> dict[str, Any]:
        """Values for JSON."""
        made = self.performance
        means = dict(zip(ARKIT_UNITS, made.expression.mean(axis=0).astype(float).round(4).tolist(), strict=True))
        return {
            "frames": len(made),
            "fps": round(made.fps, 4),
            "seconds_of_clip": round(len(made) / made.fps, 3),
            "frames_without_face": int((~made.seen).sum()),
            "landmark_error_percent": round(100.0 * self.error, 3),
            "mean_weights": {name: weight for name, weight in means.items() if weight > 0.0},
        }


def capture(
    clip: Clip, *, face: int | None = None, backend: MediaPipeBackend | None = None, on_frame: OnCount | None = None
) -> Captured:
    """The performance of one face in a clip.

    Args:
        clip: The clip.
        face: Index of the face, by size in the first frame that has it; the largest if None.
        backend: The face detector, where one is loaded.
        on_frame: Called with the number of frames done.

    Raises:
        PhotoError: Frames cannot be read, are too few, or show no face.
    """
    backend, points, model = backend or MediaPipeBackend(), load_patch_points(), load_head_model()
    trusting = points.trusted_by(model)
    index = face or 0
    person, best = _first_look(trusting, _samples(clip, backend, points, index))
    tracker, fitter = FaceTracker(backend, index), FrameFitter(trusting, person)
    rows, errors = [], []
    for count, frame in enumerate(clip.frames(), start=1):
        landmarks = tracker.find(frame)
        if landmarks is None:
            rows.append(UNSEEN_ROW)
        else:
            seen = SeenFace.of(frame, landmarks, points)
            fit = fitter.fit(seen)
            gaze = gaze_of(model, fit, seen.irises)
            rows.append(np.concatenate([fit.codes.expression[0].numpy(), gaze.ravel(), seen.pose_in_frame(fit.camera)]))
            errors.append(fit.error)
        if on_frame is not None:
            on_frame(count)
    if len(rows) < MIN_FRAMES:
        raise PhotoError(f"{clip.path} holds a single frame", "save it as a photo, such as .png, and invert that")
    if not errors:
        raise _no_face(clip, len(rows), index)
    made = performance_of(np.stack(rows), clip.fps, model)
    return Captured(made, person, best.frame, best.middle, float(np.median(errors)))


@dataclass(frozen=True, eq=False)
class _Sample:
    """A frame that the identity comes from: its pixels, the face, and the face's middle and size in pixels."""

    frame: ImageArray
    face: SeenFace
    middle: FloatArray
    size: float


def _first_look(model: HeadModel, found: Iterable[_Sample]) -> tuple[HeadCodes, _Sample]:
    """Codes at rest of the person in the samples, and the sample that shows the face best; the others are let go."""
    samples = list(found)
    person, fits = identity_of(model, [sample.face for sample in samples])
    return person, max(zip(samples, fits, strict=True), key=lambda pair: _plainness(*pair))[0]


def _samples(clip: Clip, backend: MediaPipeBackend, points: PatchPoints, index: int) -> Iterator[_Sample]:
    fps = clip.fps if clip.seconds is None else min(_SAMPLES / max(clip.seconds, 1e-3), clip.fps)
    count, has_any = 0, False
    for frame in islice(clip.frames(fps), _SAMPLES):
        count += 1
        found = backend.detect(frame)
        if len(found) > index:
            landmarks = found[index].landmarks
            has_any = True
            yield _Sample(
                frame, SeenFace.of(frame, landmarks, points), landmarks[:, :2].mean(axis=0), found[index].size
            )
    if not has_any:
        raise _no_face(clip, count, index)


def _no_face(clip: Clip, frames: int, index: int) -> PhotoError:
    what = "face" if index == 0 else f"face {index + 1}"
    looked = "1 frame was" if frames == 1 else f"{frames} frames were"
    return PhotoError(
        f"no {what} is found in {clip.path}, of which {looked} looked at",
        "give a clip of one clear face, seen from the front to three-quarter view",
    )


def _plainness(sample: _Sample, fit: HeadFit) -> float:
    """How well a frame shows the person: from the front, near rest, sharp by size."""
    yaw, pitch = float(fit.camera.yaw_rad), float(fit.camera.pitch_rad)
    return float(np.log(sample.size)) - 3.0 * (yaw * yaw + pitch * pitch) - float(fit.codes.expression.sum())
