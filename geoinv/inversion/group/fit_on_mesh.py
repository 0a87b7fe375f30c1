"""One head on the head mesh for several photos of a person.

There the shape code says apart who it is and what the face does. So photos share the identity, and each has its own
expression and camera; all are fitted at once to the landmarks of all photos (:mod:`geoinv.shape.person_fit`).
A mean of what each photo gives alone gains nothing: E0's errors of identity are nearly the same in all views of a head,
and most of the error of a shape in a photo is the camera's, which several views of one shape tell better.

The light is shared as well. E0's guesses of one light differ from photo to photo by as much as lights do, and details
of a photo under another light than the head's are off by the difference: views of a held-out head at 30 degrees, from
photos at 0 and +-30, were 21.2 dB with each photo's own and are 26.0 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ...camera import CameraPose
from ...conventions import Orbit
from ...heads import AnchoredHead
from ...models.face_landmarks import heat_covariance
from ...models.on_mesh import OnMesh
from ...shape import HeadCodes, PhotoPoints, fit_person, load_head_model
from ..landmark_fit import fitted_to_landmarks
from ..reconstruct import reconstruct
from .person_fit import PersonFit, mean_code, takes_part

if TYPE_CHECKING:
    from torch import nn

    from ...models.anchored_generator import AnchoredGenerator
    from ...models.encoder import EncoderOutput


def fit_on_mesh(
    pictures: Tensor,
    generator: AnchoredGenerator,
    encoder: nn.Module,
    *,
    inside: Tensor | None = None,
    landmarks: Sequence[Tensor | None] | None = None,
) -> PersonFit:
    """The person in photos; arguments are those of :func:`geoinv.inversion.reconstruct.reconstruct`."""
    made = reconstruct(pictures, encoder, generator, inside=inside)
    assert isinstance(made.head, AnchoredHead) and made.estimate is not None
    orbit, yaw = generator.config.orbit, made.pose.yaw_rad
    codes, pose = _of_one_person(made.head.codes, made.pose, _points(made.estimate, landmarks), orbit)
    light = made.head.light.mean(dim=0, keepdim=True).expand_as(made.head.light)
    shared = OnMesh(codes, light)
    if landmarks is not None:
        shared, _ = fitted_to_landmarks(
            shared, pose, landmarks, orbit, is_camera_fixed=True, is_identity_fixed=True, pictures=pictures
        )
    w_plus = mean_code(made.head.w_plus, yaw).expand(len(pictures), -1, -1)
    return PersonFit(w_plus, pose.as_vector(), on_mesh=shared)


def _points(estimate: EncoderOutput, landmarks: Sequence[Tensor | None] | None) -> list[PhotoPoints]:
    """What is known of where the landmarks of each photo are."""
    seen, covariance = estimate.landmarks[:, :68].cpu(), heat_covariance(estimate.heat)[:, :68].cpu()
    detected = [None] * len(seen) if landmarks is None else landmarks
    return [PhotoPoints(*points) for points in zip(seen, covariance, detected, strict=True)]


def _of_one_person(
    codes: HeadCodes, pose: CameraPose, points: Sequence[PhotoPoints], orbit: Orbit
) -> tuple[HeadCodes, CameraPose]:
    """Codes and cameras of K photos with one identity, from the encoder's; it is told by the photos that take part."""
    model, device, is_fitted = load_head_model(), pose.yaw_rad.device, takes_part(pose.yaw_rad).cpu()
    vectors, cameras = codes.as_vector().cpu().float(), pose.as_vector().cpu().float()
    for chosen, is_identity_fixed in ((is_fitted, False), (~is_fitted, True)):
        if not chosen.any():
            continue
        found, fitted = fit_person(
            model,
            [points[index] for index in chosen.nonzero()[:, 0].tolist()],
            HeadCodes.from_vector(vectors[chosen]),
            CameraPose.from_vector(cameras[chosen]),
            orbit,
            is_identity_fixed=is_identity_fixed,
        )
        vectors[chosen], cameras[chosen] = found.as_vector(), fitted.as_vector()
        vectors[:, : model.identity_size] = found.identity[:1]
    return HeadCodes.from_vector(vectors.to(device)), CameraPose.from_vector(cameras.to(device))
