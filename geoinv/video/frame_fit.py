"""One frame: where landmarks are, what the face does and how the head lies in the frame, its identity being known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..align.crop import apply_affine, invert_affine, scale_of
from ..align.crops import roll_of
from ..align.face import FloatArray, ImageArray
from ..align.pose import pose_of
from ..camera import CameraPose
from ..conventions import FACE_ORBIT
from ..shape import ARKIT_UNITS, FitConfig, HeadCodes, HeadFit, HeadModel, fit_landmarks
from .patch_points import PatchPoints

UNSEEN = tuple(name for name in ARKIT_UNITS if name.startswith("eyeLook") or name == "tongueOut")
"""Units that landmarks do not tell: irises and tongue have none."""

_ALONE = FitConfig(held_units=UNSEEN)
_FOLLOWING = FitConfig(held_units=UNSEEN, camera_steps=0, steps=6)
_ROUNDS = 3  # of fits about the mean identity: after three it moves by less than a tenth of a standard deviation


@dataclass(frozen=True, eq=False)
class SeenFace:
    """What is seen of a face in one frame.

    Args:
        landmarks: [468, 2] in parts of the side of an upright crop.
        irises: [2, 2] middles of the left and the right iris, likewise.
        to_crop: [2, 3] from pixels of the frame to that crop.
    """

    landmarks: Tensor
    irises: FloatArray
    to_crop: FloatArray

    @classmethod
    def of(cls, frame: ImageArray, landmarks: FloatArray, points: PatchPoints) -> SeenFace:
        """The face with landmarks [468, 3] in pixels of the frame [H, W, 3]."""
        pose = pose_of(landmarks)
        read, irises = points.read(frame, landmarks, pose.to_crop, pose.yaw_rad, pose.pitch_rad)
        right, left = apply_affine(pose.to_crop, irises)
        return cls(torch.from_numpy(apply_affine(pose.to_crop, read)), np.stack([left, right]), pose.to_crop)

    def pose_in_frame(self, camera: CameraPose) -> FloatArray:
        """[6] a row of :attr:`~geoinv.video.performance.Performance.pose` for the camera of the crop, batch size 1."""
        yaw, pitch, roll, x, y, z = camera.as_vector()[0].double().tolist()
        magnified = FACE_ORBIT.focal / (FACE_ORBIT.radius - z)  # parts of the crop's side in a world unit
        middle = np.array([[0.5 - magnified * x, 0.5 - magnified * y]])
        place = apply_affine(invert_affine(self.to_crop), middle)[0]
        size = math.log(magnified / scale_of(self.to_crop))
        return np.array([yaw, pitch, roll + roll_of(self.to_crop), place[0], place[1], size])


def identity_of(model: HeadModel, faces: list[SeenFace]) -> tuple[HeadCodes, list[HeadFit]]:
    """One identity for all frames, and the frames' fits with it.

    Each is fitted by itself, then again about the mean of all identities: what is the same in all frames comes to be
    the person, what differs is expression.

    Args:
        model: Head model.
        faces: Faces in frames of one person, at least one.
    """
    codes, fits = model.mean_codes(), [fit_landmarks(model, face.landmarks, config=_ALONE) for face in faces]
    for _ in range(_ROUNDS):
        mean = torch.stack([fit.codes.identity for fit in fits]).mean(dim=0)
        codes = replace(codes, identity=mean)
        fits = [
            fit_landmarks(model, face.landmarks, codes=codes, start=fit, config=_FOLLOWING)
            for face, fit in zip(faces, fits, strict=True)
        ]
    return codes, fits


class FrameFitter:
    """Expression and camera of frame after frame of a person whose identity is known.

    Args:
        model: Head model.
        person: Codes at rest with the person's identity, batch size 1.
    """

    def __init__(self, model: HeadModel, person: HeadCodes) -> None:
        self._model, self._person = model, person
        self._last: HeadFit | None = None

    def fit(self, face: SeenFace) -> HeadFit:
        """The fit of the next frame."""
        self._last = fit_landmarks(
            self._model,
            face.landmarks,
            codes=self._person,
            start=self._last,
            config=_ALONE if self._last is None else _FOLLOWING,
            is_identity_fixed=True,
        )
        return self._last


def placed(pose: NDArray[np.floating]) -> tuple[CameraPose, NDArray[np.float64]]:
    """Camera and [2, 3] from parts of the crop's side to pixels of the frame, by which a mesh is drawn into it.

    Args:
        pose: [6] a row of :attr:`~geoinv.video.performance.Performance.pose`.
    """
    yaw, pitch, roll, x, y, size = (float(value) for value in pose)
    side = math.exp(size) * FACE_ORBIT.radius / FACE_ORBIT.focal
    return CameraPose.from_angles(yaw, pitch, roll), np.array(
        [[side, 0.0, x - 0.5 * side], [0.0, side, y - 0.5 * side]]
    )
