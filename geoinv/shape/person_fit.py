"""Fitting the head model to the landmarks of several photos of one person: one identity, and for each photo its own
expression and camera.

It is bundle adjustment: photos from several sides measure depth, which one photo only suggests. What is minimised is as
in :mod:`.fit`; the points are those that the encoder sees and, with less weight, the detector's: in frontal renders the
encoder's are 1.1 pixels of 256 off in the median, the detector's 2.3. The photos' own numbers are eliminated from each
Gauss-Newton step, so time grows in proportion to the number of photos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera.pose import CameraPose
from ..conventions import FACE_ORBIT, Orbit
from ..errors import ShapeError
from .arkit import ARKIT_UNITS
from .codes import HeadCodes
from .model import HeadModel
from .prior import expression_precision
from .projection import points_basis, project_points

_UNITS = len(ARKIT_UNITS)
_OWN = _UNITS + 6
_STEPS = 10

_SEEN_SCALE = 0.5
"""Factor on the spread of the encoder's heat, whose centre is surer than its width."""
_DETECTED_SCALE = 16.0
"""Factor on the detector's standard deviations: its errors go together over hundreds of points."""
_OUTLIER = 4.0
"""Standard deviations from which on a point counts little."""

_FIRST, _FIRST_DEVIATION, _DEVIATION = 4, 0.5, 0.9
"""The encoder's errors of identity, of a head's standard deviations: of the first, large components, and of the others.
Over the photos of a person they are nearly the same (correlation 0.98 over 48 heads), so a mean of guesses is no surer
than one of them."""
_EXPRESSION_SPREAD = 0.25
_CAMERA_DEVIATIONS = (*(math.radians(angle) for angle in (4.0, 4.0, 1.8)), 0.006, 0.006, 0.06)
"""Yaw, pitch, roll, shift; about three times the encoder's errors, as the points that it guesses cameras by are seen by
the fit as well."""


@dataclass(frozen=True, eq=False)
class PhotoPoints:
    """Landmarks of one photo, (x, y) as parts of its side.

    Args:
        seen: [68, 2] iBUG's points as the encoder sees them: projections of the model's.
        covariance: [68, 2, 2] of their errors.
        detected: [468, 2] MediaPipe's points, with the detector's habits; None where there are none.
    """

    seen: Tensor
    covariance: Tensor
    detected: Tensor | None = None

    def __post_init__(self) -> None:
        shapes = (self.seen, (68, 2)), (self.covariance, (68, 2, 2)), (self.detected, (468, 2))
        for points, shape in shapes:
            if points is not None and points.shape != shape:
                raise ShapeError(f"landmarks of a person's photo must be {list(shape)}, got {list(points.shape)}")


def fit_person(
    model: HeadModel,
    photos: Sequence[PhotoPoints],
    codes: HeadCodes,
    cameras: CameraPose,
    orbit: Orbit = FACE_ORBIT,
    *,
    is_identity_fixed: bool = False,
) -> tuple[HeadCodes, CameraPose]:
    """Fit one person to K photos, in a tenth of a second for three.

    Args:
        model: Head model.
        photos: Landmarks of K photos.
        codes: Guess of the codes, batch size K, about which the prior lies; for the identity about their mean.
        cameras: Guess of the cameras, batch size K.
        orbit: Where cameras stand and what their lens is.
        is_identity_fixed: Whether the guess of the identity stays as it is.

    Returns:
        Codes, batch size K, all with one identity, and cameras; gazes are the guess's.

    Raises:
        ShapeError: Another number of guesses than photos.
    """
    if not len(photos) == len(codes.identity) == len(cameras.yaw_rad):
        raise ShapeError(f"{len(photos)} photos need as many guesses of codes and cameras")
    problem = _Problem(model, photos, codes, cameras, orbit, is_identity_fixed=is_identity_fixed)
    identity, own = problem.solve()
    found = HeadCodes(identity.float().expand(len(photos), -1), own[:, :_UNITS].float(), codes.gaze)
    return found, CameraPose.from_vector(own[:, _UNITS:].float())


@dataclass(frozen=True)
class _Linearised:
    """Cost at a place, its gradient and the Gauss-Newton Hessian, in blocks.

    Args:
        cost: Negative log posterior, up to a constant.
        shared: Gradient [I] and Hessian [I, I] of the identity.
        own: Gradients [K, 58] and Hessians [K, 58, 58] of the photos' own numbers.
        mixed: [K, 58, I] Hessian between the two.
    """

    cost: float
    shared: tuple[Tensor, Tensor]
    own: tuple[Tensor, Tensor]
    mixed: Tensor


class _Problem:
    """One fit of an identity [I] and of own numbers [K, 58], expression and camera of each photo; float64."""

    def __init__(
        self,
        model: HeadModel,
        photos: Sequence[PhotoPoints],
        codes: HeadCodes,
        cameras: CameraPose,
        orbit: Orbit,
        *,
        is_identity_fixed: bool,
    ) -> None:
        self.model, self.photos, self.orbit = model, photos, orbit
        self.is_identity_fixed = is_identity_fixed
        self.identity = codes.identity.double().mean(dim=0)
        self.own = torch.cat([codes.expression, cameras.as_vector()], dim=1).double()
        deviations = torch.full_like(self.identity, _DEVIATION)
        deviations[:_FIRST] = _FIRST_DEVIATION
        self.identity_precision = torch.diag(deviations**-2)
        self.own_precision = torch.block_diag(
            expression_precision() / _EXPRESSION_SPREAD**2,
            torch.diag(torch.tensor(_CAMERA_DEVIATIONS, dtype=torch.float64) ** -2),
        )
        least = 1e-4**2 * torch.eye(2, dtype=torch.float64)  # a heat of one cell is not of one point
        self.whitening = [
            torch.linalg.inv(torch.linalg.cholesky(photo.covariance.double() + least)) / _SEEN_SCALE for photo in photos
        ]  # [68, 2, 2] each

    def solve(self) -> tuple[Tensor, Tensor]:
        """The identity and own numbers of least cost."""
        identity, own, damping = self.identity.clone(), self.own.clone(), 1e-3
        own[:, :_UNITS].clamp_(min=0.0)
        here = self.linearised(identity, own)
        for _ in range(_STEPS):
            there = None
            while damping < 1e6:
                moved = self._step(identity, own, here, damping)
                there = self.linearised(*moved)
                if there.cost < here.cost:
                    break
                damping *= 10.0
            if there is None or there.cost >= here.cost:
                break
            gain, damping = here.cost - there.cost, max(damping / 10.0, 1e-6)
            (identity, own), here = moved, there
            if gain < 1e-4 * here.cost:
                break
        return identity, own

    def linearised(self, identity: Tensor, own: Tensor) -> _Linearised:
        """Everything that a step from here needs."""
        away, own_away = identity - self.identity, own - self.own
        hessian, gradient = self.identity_precision.clone(), self.identity_precision @ away
        own_gradient, own_hessian = own_away @ self.own_precision, self.own_precision.repeat(len(own), 1, 1)
        mixed = torch.zeros(len(own), _OWN, len(identity), dtype=torch.float64)
        cost = 0.5 * (away @ gradient + (own_away * own_gradient).sum())
        size = len(identity)
        for photo, numbers in enumerate(own):
            for misfit, jacobian in self._misfits(photo, identity, numbers):
                square = misfit.square().sum(-1)
                # far from the answer all points are far off: what is plainly wrong shows by and by
                outlier = max(_OUTLIER, 3.0 * float(square.median().sqrt()))
                cost = cost + 0.5 * (square / (1.0 + square / outlier**2)).sum()
                weight = 1.0 / (1.0 + square / outlier**2)[:, None]  # the root of Geman and McClure's
                rows, error = (jacobian * weight[..., None]).flatten(0, 1), (misfit * weight).flatten()
                product, down = rows.T @ rows, rows.T @ error
                gradient, hessian = gradient + down[:size], hessian + product[:size, :size]
                own_gradient[photo] += down[size:]
                own_hessian[photo] += product[size:, size:]
                mixed[photo] += product[size:, :size]
        return _Linearised(float(cost), (gradient, hessian), (own_gradient, own_hessian), mixed)

    def _misfits(self, photo: int, identity: Tensor, own: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Misfits of points [P, 2] in standard deviations and derivatives [P, 2, I + 58], by kind of point."""
        points, codes, camera = self.photos[photo], torch.cat([identity, own[:_UNITS]]), own[_UNITS:]
        places, jacobian = project_points(*points_basis(self.model, "landmarks68"), codes, camera, self.orbit)
        whitening = self.whitening[photo]
        misfits = [(torch.einsum("pij,pj->pi", whitening, places - points.seen.double()), whitening @ jacobian)]
        if points.detected is not None:
            offset, by_yaw, deviation = self.model.detector_habits.at(float(camera[0]))
            places, jacobian = project_points(*points_basis(self.model, "landmarks468"), codes, camera, self.orbit)
            jacobian[:, :, -6] += by_yaw
            scale = 1.0 / (_DETECTED_SCALE * deviation.double())[:, None]
            misfits.append(((places + offset - points.detected.double()) * scale, jacobian * scale[..., None]))
        return misfits

    def _step(self, identity: Tensor, own: Tensor, here: _Linearised, damping: float) -> tuple[Tensor, Tensor]:
        """Both after a damped step; expression weights at 0 that want to fall stay, and none becomes negative."""
        own_gradient, own_hessian = here.own
        free = torch.ones_like(own)
        free[:, :_UNITS] = ((own[:, :_UNITS] > 0.0) | (own_gradient[:, :_UNITS] < 0.0)).double()
        inner = own_hessian * free[:, :, None] * free[:, None, :]
        inner = inner + torch.diag_embed(damping * inner.diagonal(dim1=1, dim2=2) + (1.0 - free))
        factor = torch.linalg.cholesky(inner)
        down = torch.cholesky_solve((own_gradient * free)[..., None], factor)  # [K, 58, 1]
        step = torch.zeros_like(identity)
        if not self.is_identity_fixed:
            mixed = here.mixed * free[:, :, None]
            across = torch.cholesky_solve(mixed, factor)  # [K, 58, I]
            gradient, hessian = here.shared
            reduced = hessian + damping * torch.diag(hessian.diagonal()) - (mixed.mT @ across).sum(0)
            wanted = gradient - (mixed.mT @ down).sum(0)[:, 0]
            step = -torch.cholesky_solve(wanted[:, None], torch.linalg.cholesky(reduced))[:, 0]
            down = down + across @ step[:, None]
        moved = own - down[..., 0]
        moved[:, :_UNITS].clamp_(min=0.0)
        return identity + step, moved
