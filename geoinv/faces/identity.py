"""Whether two pictures show the same person: distance between 128-number descriptors of dlib's ResNet.

One person's photos lie about 0.2 to 0.5 apart, different people about 0.8; 0.6 is the usual threshold.

Source: dlib_face_recognition_resnet_model_v1 of https://github.com/davisking/dlib-models (CC0), as in face-api (MIT).
"""

from __future__ import annotations

from torch import Tensor

from .networks import Weights, face_crops, load_face_weights, resnet_descriptor


def identity_descriptor(
    images: Tensor,  # [B, 3, H, W] in [0, 1], aligned crops
    weights: Weights | None = None,
) -> Tensor:
    """Descriptors [B, 128]; first and second order differentiable in ``images``."""
    return resnet_descriptor(face_crops(images, 150), weights if weights is not None else load_face_weights("identity"))


def identity_distance(
    images: Tensor,  # [B, 3, H, W] in [0, 1], aligned crops
    others: Tensor,  # [B, 3, H', W'] in [0, 1], aligned crops
    weights: Weights | None = None,
) -> Tensor:
    """Euclidean distance of descriptors, [B]; smaller is more alike."""
    distance: Tensor = (identity_descriptor(images, weights) - identity_descriptor(others, weights)).norm(dim=1)
    return distance
