"""Between the encoder's look at a photo and its details: shape and camera are fitted to the photo's landmarks.

The encoder has seen faces in all their variety but measures none of them; the detector of landmarks does, but knows
neither hair nor depth. So the fit begins at the encoder's guess, and its errors are the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..models.on_mesh import OnMesh
from ..shape import FitConfig, HeadCodes, fit_landmarks, load_head_model

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..conventions import Orbit

FROM_ENCODER = FitConfig(guess_spread=0.3, guess_camera_spread=0.05)
"""How a fit begins at an encoder's guess, whose errors are smaller than the spread of heads.

On 24 held-out heads, landmarks found on their pictures, guesses with made-up errors (0.8 of the spread of codes, 2.9
degrees, 7 mm in depth): faces were 2.9 mm off in shape and 4.9 mm in depth before the fit, 1.9 and 3.3 mm after it, and
2.7 and 15.9 mm with the prior of heads at large, which trades distance for size. Half as much error in shape: 1.45 and
4.4 mm before, 1.47 and 3.7 mm after.
"""


def landmarks_of(face: AlignedFace) -> Tensor | None:
    """[468, 2] landmarks of an aligned photo, (x, y) as parts of its side; None from detectors with fewer points."""
    return landmarks_in(face.landmarks, face.image.shape[0])


def landmarks_in(landmarks: NDArray[np.floating], side: int) -> Tensor | None:
    """[468, 2] landmarks [468, 2+] in pixels as parts of a picture's side; None from detectors with fewer points."""
    if len(landmarks) != 468:
        return None
    return torch.from_numpy(landmarks[:, :2] / side).float()


def fitted_to_landmarks(
    guess: OnMesh,
    pose: CameraPose,
    landmarks: Sequence[Tensor | None],
    orbit: Orbit,
    *,
    is_camera_fixed: bool,
    config: FitConfig = FROM_ENCODER,
) -> tuple[OnMesh, CameraPose]:
    """Shapes and cameras of photos, from those that the encoder guessed.

    Args:
        guess: Shape and light of B heads; the light stays.
        pose: Their B cameras.
        landmarks: [468, 2] landmarks of each photo, or None, which leaves the guess as it is.
        orbit: Where cameras stand.
        is_camera_fixed: Whether the cameras are known and stay.
        config: How points and guess are weighed.
    """
    model, device = load_head_model(), guess.light.device
    vectors, cameras = guess.codes.as_vector().cpu().float(), pose.as_vector().cpu().float()
    codes, poses = [], []
    for seen, vector, camera in zip(landmarks, vectors, cameras, strict=True):
        if seen is None:
            codes.append(vector)
            poses.append(camera)
            continue
        fit = fit_landmarks(
            model,
            seen,
            codes=HeadCodes.from_vector(vector[None]),
            camera=CameraPose.from_vector(camera[None]),
            orbit=orbit,
            config=config,
            is_camera_fixed=is_camera_fixed,
        )
        codes.append(fit.codes.as_vector()[0])
        poses.append(fit.camera.as_vector()[0])
    fitted = HeadCodes.from_vector(torch.stack(codes).to(device))
    return replace(guess, codes=fitted), CameraPose.from_vector(torch.stack(poses).to(device))
