"""One head on the head mesh for several photos of a person.

There the shape code says apart who it is and what the face does. So photos share the identity, which is the mean of
what each of them gives alone, and each keeps its own expression and camera, fitted again to that identity.

The light is shared as well. E0's guesses of one light differ from photo to photo by as much as lights do, and details
of a photo under another light than the head's are off by the difference: views of a held-out head at 30 degrees, from
photos at 0 and +-30, were 21.2 dB with each photo's own and are 26.0 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from ...heads import AnchoredHead
from ...models.on_mesh import OnMesh
from ..landmark_fit import fitted_to_landmarks
from ..reconstruct import reconstruct
from .person_fit import PersonFit, mean_code, takes_part

if TYPE_CHECKING:
    from torch import nn

    from ...models.anchored_generator import AnchoredGenerator


def fit_on_mesh(
    pictures: Tensor,
    generator: AnchoredGenerator,
    encoder: nn.Module,
    *,
    inside: Tensor | None = None,
    landmarks: Sequence[Tensor | None] | None = None,
) -> PersonFit:
    """The person in photos; arguments are those of :func:`geoinv.inversion.reconstruct.reconstruct`."""
    made = reconstruct(pictures, encoder, generator, inside=inside, landmarks=landmarks)
    assert isinstance(made.head, AnchoredHead)
    codes, yaw = made.head.codes, made.pose.yaw_rad
    identity = codes.identity[takes_part(yaw)].mean(dim=0, keepdim=True)
    light = made.head.light.mean(dim=0, keepdim=True).expand_as(made.head.light)
    shared = OnMesh(replace(codes, identity=identity.expand_as(codes.identity)), light)
    pose = made.pose
    if landmarks is not None:
        shared, pose = fitted_to_landmarks(
            shared,
            pose,
            landmarks,
            generator.config.orbit,
            is_camera_fixed=False,
            is_identity_fixed=True,
            pictures=pictures,
        )
    w_plus = mean_code(made.head.w_plus, yaw).expand(len(pictures), -1, -1)
    return PersonFit(w_plus, pose.as_vector(), on_mesh=shared)
