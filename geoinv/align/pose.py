"""From landmarks to the crop: the head's yaw and pitch, and the similarity that puts it before EG3D's camera.

EG3D's own preprocessing (Deep3DFaceRecon's) fits a scaled-orthographic camera to five standard 3D points, then crops
at one fixed scale about the projected origin. This is the same idea with perspective and more points: find the yaw
and pitch of an EG3D camera (it looks at the pivot from radius 2.7, upright) and the similarity from photo to crop for
which the standard points, projected by that camera, lie on the photo's landmarks. Given yaw and pitch the similarity
is a closed-form least-squares fit, so only two numbers are searched.

So the pivot always lands in the middle of the crop and the scale does not shrink as the head turns, which a fit of
frontal 2D points would get wrong. What remains for an encoder to find is what one face differs from the average.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..conventions import FOCAL, PIVOT, RADIUS
from .crop import apply_affine, invert_affine
from .face import FloatArray
from .standard_points import standard_points

_MAX_STEPS = 20
_STEP_LIMIT = 0.3  # radians a step
_DIFFERENCE = 1e-5  # radians, for the derivatives


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Position of a head in a photo.

    Args:
        yaw_rad: Camera yaw, positive for a face turned to image left.
        pitch_rad: Camera pitch, positive for a camera above the face.
        roll_rad: Positive for a head tilted counter-clockwise in the photo.
        to_crop: [2, 3] from photo pixels to the unit square of the crop.
        residual: Root mean square distance of the landmarks from the fit, as a part of the crop's side.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    to_crop: FloatArray
    residual: float


def project_standard(points: FloatArray, yaw_rad: float, pitch_rad: float) -> FloatArray:
    """World points [N, 3] seen by the upright EG3D camera at (yaw, pitch): [N, 2] in the unit square.

    The same camera as ``geoinv.camera.CameraPose`` without roll and shift, in numpy.
    """
    sin_yaw, cos_yaw, sin_pitch, cos_pitch = np.sin(yaw_rad), np.cos(yaw_rad), np.sin(pitch_rad), np.cos(pitch_rad)
    direction = np.array([sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch])
    right = np.array([cos_yaw, 0.0, -sin_yaw])
    down = np.cross(-direction, right)
    offset = points - np.array(PIVOT)
    depth = RADIUS - offset @ direction
    projected: FloatArray = np.stack([offset @ right, offset @ down], axis=1) / depth[:, None] * FOCAL + 0.5
    return projected


def pose_of(landmarks: FloatArray) -> HeadPose:
    """The pose of a face by a backend's landmarks [468 or 68, 2+] in photo pixels.

    Raises:
        ShapeError: Another number of landmarks.
    """
    indices, standard = standard_points(len(landmarks))
    return fit_pose(landmarks[indices, :2], standard)


def fit_pose(landmarks: FloatArray, standard: FloatArray) -> HeadPose:
    """Fit camera angles and the photo-to-crop similarity by damped Gauss-Newton.

    Args:
        landmarks: [N, 2] photo pixels.
        standard: [N, 3] where those landmarks are on the average head, world units.
    """
    centre, spread = landmarks.mean(axis=0), float(landmarks.std())
    target = (landmarks - centre) / max(spread, 1e-9)

    def residuals(angles: FloatArray) -> FloatArray:
        projected = project_standard(standard, angles[0], angles[1])
        return np.asarray(apply_affine(_similarity(projected, target), projected) - target).ravel()

    angles = _minimise(residuals, np.zeros(2))
    from_crop = _similarity(project_standard(standard, angles[0], angles[1]), target)
    from_crop = from_crop * spread + np.array([[0.0, 0.0, centre[0]], [0.0, 0.0, centre[1]]])
    to_crop = invert_affine(from_crop)
    misfit = apply_affine(to_crop, landmarks) - project_standard(standard, angles[0], angles[1])
    return HeadPose(
        yaw_rad=float(angles[0]),
        pitch_rad=float(angles[1]),
        roll_rad=float(np.arctan2(to_crop[1, 0], to_crop[0, 0])),
        to_crop=to_crop,
        residual=float(np.sqrt((misfit**2).sum(axis=1).mean())),
    )


def _similarity(source: FloatArray, target: FloatArray) -> FloatArray:
    """[2, 3] least-squares rotation, scale and shift that takes ``source`` to ``target``, both [N, 2]."""
    a = source[:, 0] + 1j * source[:, 1]
    b = target[:, 0] + 1j * target[:, 1]
    a_mean, b_mean = a.mean(), b.mean()
    turn = np.vdot(a - a_mean, b - b_mean) / np.vdot(a - a_mean, a - a_mean).real
    shift = b_mean - turn * a_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _minimise(residuals: Callable[[FloatArray], FloatArray], angles: FloatArray) -> FloatArray:
    """Levenberg-Marquardt with numerical derivatives."""
    damping = 1e-3
    current = residuals(angles)
    for _ in range(_MAX_STEPS):
        columns = [(residuals(angles + delta) - current) / _DIFFERENCE for delta in np.eye(2) * _DIFFERENCE]
        jacobian = np.stack(columns, axis=1)
        normal = jacobian.T @ jacobian
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), jacobian.T @ current)
        step = np.clip(step, -_STEP_LIMIT, _STEP_LIMIT)
        candidate = residuals(angles + step)
        if candidate @ candidate < current @ current:
            angles, current, damping = angles + step, candidate, damping / 5
        else:
            damping *= 10
        if np.abs(step).max() < 1e-6:
            break
    return angles
