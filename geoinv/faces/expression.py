"""Estimates of what a face shows: seven expressions, apparent age and gender.

Source: face_expression_model and age_gender_model of @vladmandic/face-api 1.7.15 (MIT, code and weights).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .networks import Weights, dense_features, face_crops, load_face_weights, xception_features

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def expression_probabilities(
    images: Tensor,  # [B, 3, H, W] in [0, 1], aligned crops
    weights: Weights | None = None,
) -> Tensor:
    """[B, 7] probabilities in the order of ``EXPRESSIONS``."""
    weights = weights if weights is not None else load_face_weights("expression")
    features = dense_features(face_crops(images, 112), weights)
    return torch.softmax(features @ weights["fc/weights"] + weights["fc/bias"], dim=1)


def happiness(images: Tensor, weights: Weights | None = None) -> Tensor:
    """P(happy), [B], in [0, 1]. As a smile score use its change: the level itself depends on the face."""
    return expression_probabilities(images, weights)[:, EXPRESSIONS.index("happy")]


def apparent_age_and_gender(
    images: Tensor,  # [B, 3, H, W] in [0, 1], aligned crops
    weights: Weights | None = None,
) -> tuple[Tensor, Tensor]:
    """Apparent age in years [B] and P(male) [B]: how a picture reads to this network, not who a person is."""
    weights = weights if weights is not None else load_face_weights("age_gender")
    features = xception_features(face_crops(images, 112), weights)
    age = (features @ weights["fc/age/weights"] + weights["fc/age/bias"])[:, 0]
    gender = torch.softmax(features @ weights["fc/gender/weights"] + weights["fc/gender/bias"], dim=1)
    return age, gender[:, 0]
