"""Points of lids, brows, lips and nose, read off patches about them, and where the irises are.

MediaPipe's mesh sees the whole face in 192 pixels: brows and lids of its points hardly move when the face's do. So
each eye with its brow, the mouth and the nose are looked at by a small regressor of their own: histograms of
gradients, their main components, and a network of one hidden layer. It is trained on synthetic heads
(:mod:`geoinv.training.patch_points`), whose points are known exactly, so it has no habits of a detector.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..align.face import FloatArray, ImageArray
from ..errors import CheckpointError, ShapeError
from ..folders import weights_dir
from ..shape import DetectorHabits, HeadModel
from .patches import FEATURES, LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, PatchKind, from_patch, histograms

_SHIFTS = ((-1.0, -1.5), (1.0, -0.5), (-1.0, 0.5), (1.0, 1.5))
"""Pixels by which a patch is shifted for the looks at it whose mean is taken: edges of cells tremble less."""

_OTHERS = 3.0
"""Factor on the deviations of all other points. They err together, with what the face does: where they are trusted as
in photos, the head nods as the brows go up or down."""

_NOSE_DOUBT = 2.0
"""The same for the nose, which does not bend: its points err as one."""

FILE_NAME = "face/patch-points.safetensors"
"""Place of the weights in the folder of weights."""


@dataclass(frozen=True, eq=False)
class Regressor:
    """Places in a patch from its histograms.

    Args:
        mean: [F] mean histograms.
        components: [F, K] main components, scaled to unit variance.
        hidden: [K + 3, H] weights of the hidden layer: components, yaw, pitch and 1.
        output: [H + 1, 2 P] weights of the result, the last row for 1.
        deviation: [P] standard deviation of each place along an axis, as a part of the patch's side.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    hidden: NDArray[np.float32]
    output: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def __post_init__(self) -> None:
        features, components = self.components.shape if self.components.ndim == 2 else (-1, -1)
        hidden, places = self.hidden.shape[-1], len(self.deviation)
        expected = ((features,), (features, components), (components + 3, hidden), (hidden + 1, 2 * places), (places,))
        shapes = tuple(getattr(self, field.name).shape for field in fields(self))
        if shapes != expected or features != FEATURES:
            raise ShapeError(f"arrays of a regressor do not fit one another: {shapes}")

    def __call__(self, features: NDArray[np.float32], yaw_rad: float, pitch_rad: float) -> FloatArray:
        """[P, 2] places in parts of the patch's side from its middle."""
        inner = np.concatenate([(features - self.mean) @ self.components, [yaw_rad, pitch_rad, 1.0]])
        active = np.concatenate([np.maximum(inner @ self.hidden, 0.0), [1.0]])
        return np.asarray((active @ self.output).reshape(-1, 2), np.float64)


@dataclass(frozen=True, eq=False)
class PatchPoints:
    """The regressors of eyes, mouth and nose.

    Args:
        eye: That of the right eye, and of the left one's mirror image; its last place is the iris.
        mouth: That of the mouth.
        nose: That of the nose.
    """

    eye: Regressor
    mouth: Regressor
    nose: Regressor

    @property
    def _of_patches(self) -> tuple[tuple[PatchKind, Regressor], ...]:
        return ((RIGHT_EYE, self.eye), (LEFT_EYE, self.eye), (MOUTH, self.mouth), (NOSE, self.nose))

    def read(
        self, picture: ImageArray, landmarks: FloatArray, to_crop: FloatArray, yaw_rad: float, pitch_rad: float
    ) -> tuple[FloatArray, FloatArray]:
        """Points of a face, with those of lids, brows, lips and nose read off their patches.

        Args:
            picture: [H, W, 3].
            landmarks: [468, 2+] MediaPipe's points in pixels.
            to_crop: [2, 3] from pixels to parts of the upright crop's side.
            yaw_rad: Estimated camera yaw.
            pitch_rad: Estimated camera pitch.

        Returns:
            Points [468, 2] and middles [2, 2] of the right and the left iris, in pixels.
        """
        points = landmarks[:, :2].copy()
        irises: list[FloatArray] = []
        for kind, regressor in self._of_patches:
            to_patch = kind.to_patch(landmarks, to_crop)
            yaw = -yaw_rad if kind.is_mirrored else yaw_rad
            places = np.mean(
                [self._at(shift, picture, to_patch, regressor, yaw, pitch_rad) for shift in _SHIFTS], axis=0
            )
            points[list(kind.points)] = places[: len(kind.points)]
            irises.extend(places[len(kind.points) :])
        return points, np.stack(irises)

    @staticmethod
    def _at(
        shift: tuple[float, float],
        picture: ImageArray,
        to_patch: FloatArray,
        regressor: Regressor,
        yaw_rad: float,
        pitch_rad: float,
    ) -> FloatArray:
        """Places in pixels of the picture, by the patch as much beside its own place."""
        beside = to_patch.copy()
        beside[:, 2] += shift
        return from_patch(beside, regressor(histograms(picture, beside), yaw_rad, pitch_rad))

    def trusted_by(self, model: HeadModel) -> HeadModel:
        """The model for fits to these points: they are where the mesh has them, as surely as the training found."""
        habits = model.detector_habits
        offset, deviation = habits.offset.clone(), _OTHERS * habits.deviation
        for kind, regressor in self._of_patches:
            rows = list(kind.points)
            offset[:, rows] = 0.0
            deviation[:, rows] = torch.from_numpy(regressor.deviation[: len(rows)] * kind.side)
            if kind is NOSE:
                deviation[:, rows] *= _NOSE_DOUBT
        made = copy.copy(model)
        made.detector_habits = DetectorHabits(habits.yaw_rad, offset, deviation)
        return made


def load_patch_points(path: Path | None = None) -> PatchPoints:
    """The shipped regressors, or those of a file.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = path or weights_dir() / FILE_NAME
    try:
        arrays = {name: np.asarray(array, np.float32) for name, array in load_file(path).items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("there are numbers that are not finite")
        parts = [
            Regressor(**{f.name: arrays[f"{part.name}.{f.name}"] for f in fields(Regressor)})
            for part in fields(PatchPoints)
        ]
    except (OSError, KeyError, IndexError, ValueError, TypeError, ShapeError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot read the points of lids, brows and lips {path}: {error}", "reinstall geoinv, or set GEOINV_WEIGHTS"
        ) from error
    return PatchPoints(*parts)
