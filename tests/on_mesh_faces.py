"""Faces whose landmarks are those of a head on the head mesh, as the detector would see them."""

from __future__ import annotations

import numpy as np
import torch

from geoinv.align import AlignedFace
from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.shape import HeadCodes, load_head_model


def seen_landmarks(codes: HeadCodes, pose: CameraPose) -> torch.Tensor:
    """[468, 2] where the detector sees the landmarks of a head."""
    model = load_head_model()
    points = model.landmarks468.on(model.vertices(codes))
    places = pose.camera(FACE_ORBIT).project(points)[0][0]
    return places + model.detector_habits.at(float(pose.yaw_rad))[0].float()


def face_of(codes: HeadCodes, pose: CameraPose) -> AlignedFace:
    """An aligned photo of grey noise, in which landmarks are those of a head."""
    points = np.zeros((468, 3))
    points[:, :2] = seen_landmarks(codes, pose).numpy() * 512.0
    return AlignedFace(
        image=np.random.default_rng(0).integers(0, 255, (512, 512, 3)).astype(np.uint8),
        landmarks5=np.zeros((5, 2)),
        landmarks=points,
        matrix=np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        source_size=(512, 512),
        roll_deg=0.0,
        yaw_deg=0.0,
        pitch_deg=0.0,
        face_index=0,
        face_count=1,
        warnings=(),
    )
