"""Fitting the head model to the landmarks of a photo: identity, expression and camera by damped Gauss-Newton.

What is minimised is the negative logarithm of a posterior: robust squared distances between the model's landmarks and
those of the photo, each in units of how well the detector places it at this yaw, plus the Gaussian prior of codes and
camera. Geman and McClure's weights leave out points that are plainly wrong; expression weights stay at 0 or above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..camera.pose import CameraPose
from ..conventions import FACE_ORBIT, Orbit
from ..errors import ShapeError, UsageError
from .arkit import ARKIT_UNITS
from .codes import HeadCodes
from .model import HeadModel
from .prior import camera_precision, expression_precision
from .projection import points_basis, project_points

_POINTS = 468
_UNITS = len(ARKIT_UNITS)


@dataclass(frozen=True)
class FitConfig:
    """Weights of points and prior in a fit.

    Args:
        deviation_scale: Factor on the detector's standard deviations. Errors of neighbouring points go together, so
            each counts as less than one; and a photo is not a render.
        outlier: Distance from which a point counts little, in standard deviations.
        steps: Most steps that are taken.
        camera_steps: First steps, in which the camera alone moves.
        held_units: ARKit's units that keep the weights of the guess.
        guess_spread: Standard deviation of the errors of a guess of codes, as a part of that of codes over heads.
        guess_camera_spread: The same of a guess of the camera.
    """

    deviation_scale: float = 2.0
    outlier: float = 4.0
    steps: int = 25
    camera_steps: int = 4
    held_units: tuple[str, ...] = ()
    guess_spread: float = 1.0
    guess_camera_spread: float = 1.0


@dataclass(frozen=True)
class HeadFit:
    """A head model fitted to a photo.

    Args:
        codes: Codes of the head, batch size 1; the gaze is the guess's, as landmarks do not show it.
        camera: Its camera, batch size 1.
        landmarks: [468, 2] the head's landmarks as the detector would see them, (x, y) as parts of the crop's side.
        trust: [468] in [0, 1]: how much each point counted; near 0 where it is plainly wrong.
        error: Median distance of landmarks from the photo's, as a part of the distance between the eyes.
    """

    codes: HeadCodes
    camera: CameraPose
    landmarks: Tensor
    trust: Tensor
    error: float

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON: camera in degrees and world units, codes, error in per cent of the eyes' distance."""
        yaw, pitch, roll, *shift = self.camera.as_vector()[0].tolist()
        expression = zip(ARKIT_UNITS, self.codes.expression[0].tolist(), strict=True)
        return {
            "yaw_deg": round(math.degrees(yaw), 3),
            "pitch_deg": round(math.degrees(pitch), 3),
            "roll_deg": round(math.degrees(roll), 3),
            "shift": [round(value, 5) for value in shift],
            "identity": [round(value, 4) for value in self.codes.identity[0].tolist()],
            "expression": {name: round(weight, 4) for name, weight in expression if weight > 0.0},
            "landmark_error_percent": round(100.0 * self.error, 3),
        }


def fit_landmarks(
    model: HeadModel,
    landmarks: Tensor,
    *,
    codes: HeadCodes | None = None,
    camera: CameraPose | None = None,
    orbit: Orbit = FACE_ORBIT,
    config: FitConfig | None = None,
    start: HeadFit | None = None,
    is_camera_fixed: bool = False,
    is_identity_fixed: bool = False,
    scatter: Tensor | None = None,
) -> HeadFit:
    """Fit the model to the landmarks of one photo, in tens of milliseconds on one core; of a video's frame in a few.

    Args:
        model: Head model.
        landmarks: [468, 2] MediaPipe's points in the aligned crop, (x, y) as parts of its side.
        codes: Guess of the codes, batch size 1, about which the prior lies; None takes the mean head at rest.
        camera: Guess of the camera, batch size 1; None takes the frontal one.
        orbit: Where cameras stand and what their lens is.
        config: How points are weighed.
        start: Fit of the frame before, from which the steps go; the prior is about the guesses all the same.
        is_camera_fixed: Whether ``camera`` is known and stays as it is.
        is_identity_fixed: Whether the identity of ``codes`` is known and stays as it is.
        scatter: [468] factors on the standard deviations of points that something else than the detector has placed.

    Raises:
        ShapeError: Not [468, 2], or guesses of another batch size.
        UsageError: Landmarks that are not finite.
    """
    if landmarks.shape != (_POINTS, 2):
        raise ShapeError(f"landmarks must be [{_POINTS}, 2], got {list(landmarks.shape)}")
    if not landmarks.isfinite().all():
        raise UsageError("landmarks must be finite", "align the photo again")
    guess = codes or model.mean_codes()
    pose = camera or CameraPose.from_angles(0.0)
    if guess.identity.shape[0] != 1 or pose.yaw_rad.shape != (1,):
        raise ShapeError("a guess of codes and camera must have batch size 1")
    factors = torch.ones(_POINTS) if scatter is None else scatter
    problem = _Problem(
        model,
        landmarks.double(),
        guess,
        pose,
        orbit,
        config or FitConfig(),
        factors.double(),
        is_camera_fixed=is_camera_fixed,
        is_identity_fixed=is_identity_fixed,
    )
    return problem.result(problem.solve(start))


class _Problem:
    """One fit: ``x`` holds identity, expression and camera, [I + 52 + 6] float64; a fixed identity is left out."""

    def __init__(
        self,
        model: HeadModel,
        landmarks: Tensor,
        codes: HeadCodes,
        camera: CameraPose,
        orbit: Orbit,
        config: FitConfig,
        scatter: Tensor,
        *,
        is_camera_fixed: bool,
        is_identity_fixed: bool,
    ) -> None:
        self.model, self.seen, self.orbit, self.config = model, landmarks, orbit, config
        self.scatter = scatter * config.deviation_scale
        self.codes = codes
        self.is_camera_fixed, self.is_identity_fixed = is_camera_fixed, is_identity_fixed
        self.camera_steps = 0 if is_camera_fixed else config.camera_steps
        self.mean, self.basis = points_basis(model, "landmarks468")  # [P, 3], [P, 3, I + 52]
        self.identity_size = 0 if is_identity_fixed else model.identity_size
        if is_identity_fixed:  # part of the mean, so that the equations are a sixth in size
            of_person = self.basis[..., : model.identity_size] @ codes.identity[0].double()
            self.mean, self.basis = self.mean + of_person, self.basis[..., model.identity_size :].contiguous()
        self.x0 = self._vector(codes, camera)
        self.precision = torch.eye(len(self.x0), dtype=torch.float64)
        self.precision[self.identity_size : -6, self.identity_size : -6] = expression_precision()
        self.precision[-6:, -6:] = camera_precision()
        self.held = [self.identity_size + ARKIT_UNITS.index(name) for name in config.held_units]
        self.precision[:-6, :-6] /= config.guess_spread**2
        self.precision[-6:, -6:] /= config.guess_camera_spread**2

    def _vector(self, codes: HeadCodes, camera: CameraPose) -> Tensor:
        identity = codes.identity[0, : self.identity_size]
        return torch.cat([identity, codes.expression[0], camera.as_vector()[0]]).double()

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks [P, 2] as the detector would see them in the picture, and their derivatives [P, 2, X]."""
        picture, jacobian = project_points(self.mean, self.basis, x[:-6], x[-6:], self.orbit)
        offset, by_yaw, _ = self.model.detector_habits.at(float(x[-6]))
        jacobian[:, :, -6] += by_yaw
        return picture + offset, jacobian

    def deviation(self, x: Tensor) -> Tensor:
        """[P] standard deviations of the photo's landmarks at the yaw of ``x``."""
        return self.model.detector_habits.at(float(x[-6]))[2].double() * self.scatter

    def cost(self, x: Tensor, picture: Tensor, deviation: Tensor, outlier: float) -> float:
        """Negative log posterior, up to a constant."""
        square = ((picture - self.seen) / deviation[:, None]).square().sum(-1)
        away = x - self.x0
        return float(0.5 * (square / (1.0 + square / outlier**2)).sum() + 0.5 * away @ self.precision @ away)

    def solve(self, start: HeadFit | None = None) -> Tensor:
        """The ``x`` of least cost; steps go from the guess, or from another fit."""
        x, damping = (self.x0.clone() if start is None else self._vector(start.codes, start.camera)), 1e-3
        x[self.identity_size : -6].clamp_(min=0.0)
        picture, jacobian = self.project(x)
        for step in range(self.config.steps):
            deviation = self.deviation(x)
            misfit = (picture - self.seen) / deviation[:, None]
            distance = misfit.square().sum(-1).sqrt()
            # far from the answer all points are far off: what is plainly wrong shows by and by
            outlier = max(self.config.outlier, 3.0 * float(distance.median()))
            weight = (1.0 + (distance / outlier) ** 2) ** -2
            rows = (jacobian / deviation[:, None, None] * weight.sqrt()[:, None, None]).flatten(0, 1)  # [2 P, X]
            gradient = rows.T @ (misfit * weight.sqrt()[:, None]).flatten() + self.precision @ (x - self.x0)
            hessian = rows.T @ rows + self.precision
            free = self._free(x, gradient, camera_alone=step < self.camera_steps)
            cost = self.cost(x, picture, deviation, outlier)
            is_better = False
            while not is_better and damping < 1e6:
                candidate = self._step(x, gradient, hessian, free, damping)
                new_picture, new_jacobian = self.project(candidate)
                is_better = self.cost(candidate, new_picture, deviation, outlier) < cost
                damping = max(damping / 10.0, 1e-6) if is_better else damping * 10.0
            if not is_better:
                break
            moved = float((new_picture - picture).abs().max())
            x, picture, jacobian = candidate, new_picture, new_jacobian
            if moved < 1e-5 and step >= self.camera_steps:  # 0.005 of 512 pixels
                break
        return x

    def _free(self, x: Tensor, gradient: Tensor, *, camera_alone: bool) -> Tensor:
        """[X] numbers that a step may change: not an expression weight at 0 that wants to fall."""
        free = torch.ones_like(x, dtype=torch.bool)
        units = slice(self.identity_size, -6)
        free[units] = (x[units] > 0.0) | (gradient[units] < 0.0)
        if camera_alone:
            free[:-6] = False
        if self.is_camera_fixed:
            free[-6:] = False
        free[self.held] = False
        return free

    def _step(self, x: Tensor, gradient: Tensor, hessian: Tensor, free: Tensor, damping: float) -> Tensor:
        """``x`` after a damped Newton step in its free numbers."""
        inner = hessian[free][:, free]
        inner = inner + damping * torch.diag(inner.diagonal())
        step = torch.zeros_like(x)
        step[free] = -torch.cholesky_solve(gradient[free, None], torch.linalg.cholesky(inner))[:, 0]
        moved = x + step
        moved[self.identity_size : -6].clamp_(min=0.0)
        return moved

    def result(self, x: Tensor) -> HeadFit:
        """The fit of ``x``."""
        picture, _ = self.project(x)
        gap = (picture - self.seen).square().sum(-1).sqrt()
        trust = (1.0 + (gap / (self.config.outlier * self.deviation(x))) ** 2) ** -2
        identity = self.codes.identity if self.is_identity_fixed else x[None, : self.identity_size].float()
        codes = HeadCodes(identity, x[None, self.identity_size : -6].float(), self.codes.gaze)
        error = float(gap.median()) / eye_distance(self.seen)
        return HeadFit(codes, CameraPose.from_vector(x[None, -6:].float()), picture.float(), trust.float(), error)


def eye_distance(landmarks: Tensor) -> float:
    """Distance between the middles of the eyes, by the corners of MediaPipe's points [468, 2]."""
    right, left = (landmarks[list(corners)].mean(0) for corners in ((33, 133), (263, 362)))
    return float((left - right).norm())
