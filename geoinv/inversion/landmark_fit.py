"""Between the encoder's look at a photo and its details: shape and camera are fitted to the photo's landmarks.

The encoder has seen faces in all their variety but measures none of them; the detector of landmarks does, but knows
neither hair nor depth. So the fit begins at the encoder's guess, and its errors are the prior. Neither sees whether
lips touch: most heads that the encoder knows part them in a smile, and so does the detector. The photo's colours tell;
of mouths that they find open, the encoder knows more than a fit.
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
from ..images.tensors import photo_bytes
from ..models.on_mesh import OnMesh
from ..shape import ARKIT_UNITS, FitConfig, HeadCodes, HeadFit, HeadModel, fit_landmarks, load_head_model
from ..shape.mouth_fit import with_mouth
from ..shape.mouth_in_photo import read_mouth

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..conventions import Orbit

FROM_ENCODER = FitConfig(guess_spread=0.15, guess_camera_spread=0.02)
"""How a fit begins at an encoder's guess, whose errors are smaller than the spread of heads.

E0 knows shapes and cameras of synthetic heads better than a detector tells them, and lies beside the landmarks of
photos. On 32 held-out heads and 16 portraits: the guess itself is 2.49 mm off in shape and 1.8 degrees in the camera,
and 1.8 % of the eyes' distance from the portraits' landmarks; this fit 2.57 mm, 2.2 degrees and 1.07 %; one with 0.3
and 0.05 2.82 mm, 2.9 degrees and 0.83 %.
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
    is_identity_fixed: bool = False,
    pictures: Tensor | None = None,
    config: FitConfig = FROM_ENCODER,
) -> tuple[OnMesh, CameraPose]:
    """Shapes and cameras of photos, from those that the encoder guessed.

    Args:
        guess: Shape and light of B heads; the light stays.
        pose: Their B cameras.
        landmarks: [468, 2] landmarks of each photo, or None, which leaves the guess as it is.
        orbit: Where cameras stand.
        is_camera_fixed: Whether the cameras are known and stay.
        is_identity_fixed: Whether the shapes at rest are known and stay.
        pictures: [B, 3, H, H] the photos in [0, 1], whose colours tell whether lips touch; None to do without.
        config: How points and guess are weighed.
    """
    model, device = load_head_model(), guess.light.device
    vectors, cameras = guess.codes.as_vector().cpu().float(), pose.as_vector().cpu().float()
    codes, poses = [], []
    for index, (seen, vector, camera) in enumerate(zip(landmarks, vectors, cameras, strict=True)):
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
            is_identity_fixed=is_identity_fixed,
        )
        if pictures is not None:
            fit = _with_own_mouth(model, fit, pictures[index], seen, orbit)
        codes.append(fit.codes.as_vector()[0])
        poses.append(fit.camera.as_vector()[0])
    fitted = HeadCodes.from_vector(torch.stack(codes).to(device))
    return replace(guess, codes=fitted), CameraPose.from_vector(torch.stack(poses).to(device))


_OF_THE_MOUTH = torch.tensor([name.startswith(("mouth", "jaw")) for name in ARKIT_UNITS])


def _with_own_mouth(model: HeadModel, fit: HeadFit, picture: Tensor, landmarks: Tensor, orbit: Orbit) -> HeadFit:
    """A fit whose lips touch where those of the picture [3, H, H] do; the rest of the face, and the person, stay."""
    pixels = photo_bytes(picture[None])
    side = pixels.shape[0]
    mouth = read_mouth(pixels, landmarks.double().numpy() * side)
    if mouth is None or not mouth.is_closed:
        return fit
    rest = replace(fit.codes, expression=torch.zeros_like(fit.codes.expression))
    closed = with_mouth(model, fit, mouth, side, landmarks, orbit, rest, is_identity_fixed=True)
    expression = torch.where(_OF_THE_MOUTH, closed.codes.expression, fit.codes.expression)
    return replace(fit, codes=replace(fit.codes, expression=expression))
