"""Fitting the head model to a photo whose mouth has been looked at: jaws are shut in most smiles, lips close on lips.

Landmarks part lips by the jaw or by the lips, which look the same from before; the chin is seen too roughly to tell.
With the jaw the mouth of a smile shows the tongue where the photo has teeth.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera, CameraPose
from ..conventions import Orbit
from .arkit import ARKIT_UNITS
from .codes import HeadCodes
from .fit import FitConfig, HeadFit, fit_landmarks
from .lip_points import LOWER, UPPER
from .model import HeadModel
from .mouth_in_photo import MouthInPhoto, read_mouth

_JAW = "jawOpen"
_RIM_SCATTER = 0.25  # of the detector's, for the rims of lips: colours are surer than guesses
_SIDE = 512  # pixels of the view in which rims are looked for
_SUBPIXEL_BITS = 4
_ABOUT_LIPS = 0.035  # world units from the rims
_GOES_WITH_JAW = 0.05  # world units that lips fall when the jaw is all open, from which they are the lower one
_TIMES = 2  # the places beside the rims depend on the fit


def fit_face(
    model: HeadModel,
    picture: NDArray[np.uint8],
    landmarks: Tensor,
    camera: CameraPose,
    orbit: Orbit,
    person: HeadCodes | None = None,
) -> HeadFit:
    """Fit the head model to a face, through a camera that is known.

    Args:
        model: Head model.
        picture: [S, S, 3] RGB of the face.
        landmarks: [468, 2] MediaPipe's points in it, as parts of its side.
        camera: Its camera, batch size 1.
        orbit: Where cameras stand.
        person: Codes at rest of the person, where more than this picture tells them.
    """
    rest = person or model.mean_codes()
    fit = fit_landmarks(model, landmarks, codes=rest, camera=camera, orbit=orbit, is_camera_fixed=True)
    side = picture.shape[0]
    mouth = read_mouth(picture, landmarks.double().numpy() * side)
    return fit if mouth is None else with_mouth(model, fit, mouth, side, landmarks, orbit, rest)


def with_mouth(
    model: HeadModel,
    fit: HeadFit,
    mouth: MouthInPhoto,
    side: int,
    landmarks: Tensor,
    orbit: Orbit,
    rest: HeadCodes,
    *,
    is_identity_fixed: bool = False,
) -> HeadFit:
    """A fit to a face once more, with the mouth as the picture shows it; the camera stays.

    Args:
        model: Head model.
        fit: A fit to the landmarks.
        mouth: The mouth in the picture.
        side: Pixels along the picture's sides.
        landmarks: [468, 2] MediaPipe's points in it, as parts of its side.
        orbit: Where cameras stand.
        rest: Codes at rest, about which the prior lies.
        is_identity_fixed: Whether the identity of ``rest`` stays as it is.
    """
    camera = fit.camera
    jaw = _jaw(model, fit, mouth, camera, orbit, side)
    guess = replace(rest, expression=_only_jaw(model, jaw))
    scatter = torch.ones(len(landmarks))
    scatter[list(UPPER + LOWER)] = _RIM_SCATTER
    for _ in range(_TIMES):
        seen = _with_rims(model, fit.codes, mouth, landmarks, camera, orbit, side)
        fit = fit_landmarks(
            model,
            seen,
            codes=guess,
            camera=camera,
            orbit=orbit,
            config=FitConfig(held_units=(_JAW,)),
            is_camera_fixed=True,
            is_identity_fixed=is_identity_fixed,
            scatter=scatter,
        )
    return fit


def _only_jaw(model: HeadModel, weight: float) -> Tensor:
    code = model.mean_codes().expression.clone()
    code[0, ARKIT_UNITS.index(_JAW)] = weight
    return code


@torch.no_grad()
def _jaw(model: HeadModel, fit: HeadFit, mouth: MouthInPhoto, camera: CameraPose, orbit: Orbit, side: int) -> float:
    """Weight of ``jawOpen`` by the dark below the upper teeth, at most that of the landmarks' fit."""
    number = ARKIT_UNITS.index(_JAW)
    most = float(fit.codes.expression[0, number])
    if not mouth.shows_teeth:
        return 0.0 if mouth.is_closed else most
    teeth = model.parts["lower-teeth"].vertices
    shut = fit.codes.expression.clone()
    shut[0, number] = 0.0
    heights = []
    for code in (shut, shut + _only_jaw(model, 1.0)):
        vertices = model.vertices(replace(fit.codes, expression=code))[:, teeth]
        heights.append(float(camera.camera(orbit).project(vertices)[0][0, :, 1].mean()))
    return min(most, mouth.below_teeth / (side * max(heights[1] - heights[0], 1e-6)))


@torch.no_grad()
def _with_rims(
    model: HeadModel,
    codes: HeadCodes,
    mouth: MouthInPhoto,
    landmarks: Tensor,
    camera: CameraPose,
    orbit: Orbit,
    side: int,
) -> Tensor:
    """Landmarks [468, 2] whose points on the rims of the lips are where the photo shows them.

    The detector puts its points a little beside the rims: as far as on the mesh as it is fitted by now.
    """
    through = camera.camera(orbit)
    vertices = model.vertices(codes)
    habits = model.detector_habits.at(float(camera.yaw_rad[0]))[0]
    placed = (through.project(model.landmarks468.on(vertices))[0][0] + habits).double().numpy()
    found = landmarks.double().numpy().copy()
    for points, rim, of_mesh in zip(
        (UPPER, LOWER), (mouth.upper, mouth.lower), _rims(model, vertices, through), strict=True
    ):
        which = list(points)
        columns = np.clip(placed[which, 0] * _SIDE, 0, _SIDE - 1).astype(np.int64)
        beside = placed[which, 1] - of_mesh[columns]
        found[which] = rim / side
        found[which, 1] += np.where(np.isfinite(beside), beside, 0.0)
    return torch.from_numpy(found).to(landmarks)


def _rims(model: HeadModel, vertices: Tensor, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Height in the view of the upper lip's lowest and of the lower lip's highest place, by columns [S] of the view."""
    places = camera.project(vertices)[0][0].double().numpy()
    rows = np.arange(_SIDE)[:, None]
    upper, lower = (_drawn(places[triangles] * _SIDE) for triangles in _lips(model))
    last, first = np.where(upper, rows + 1.0, -np.inf).max(axis=0), np.where(lower, rows, np.inf).min(axis=0)
    return last / _SIDE, first / _SIDE


def _drawn(triangles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[S, S] which pixels triangles [F, 3, 2] cover."""
    picture = np.zeros((_SIDE, _SIDE), np.uint8)
    corners = np.rint((triangles.clip(-_SIDE, 2 * _SIDE) - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for triangle in corners:
        cv2.fillConvexPoly(picture, triangle, 1, cv2.LINE_8, _SUBPIXEL_BITS)
    return picture > 0


@lru_cache(maxsize=2)
def _lips(model: HeadModel) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Triangles [F, 3] of the upper and of the lower lip, by what goes with the jaw."""
    points = model.landmarks468.on(model.mean)[list(UPPER + LOWER)]
    skin = model.parts["skin"]
    is_near = (torch.cdist(model.mean[skin.vertices], points).amin(dim=1) < _ABOUT_LIPS).numpy()
    triangles = model.triangles[skin.triangles].numpy()
    triangles = triangles[is_near[triangles].all(axis=1)]
    falls = -model.expression_basis[ARKIT_UNITS.index(_JAW), skin.vertices, 1].numpy()[triangles]
    return triangles[falls.max(axis=1) < _GOES_WITH_JAW], triangles[falls.min(axis=1) > _GOES_WITH_JAW]
