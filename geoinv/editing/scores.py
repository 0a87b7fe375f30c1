"""Scores of what a face shows, one number a picture: directions of any generator are found by them.

The expression and age networks and the landmarks that ship; each reads aligned crops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..align import Face, FaceAligner
from ..errors import UsageError
from ..faces.expression import EXPRESSIONS, apparent_age_and_gender, expression_probabilities
from .directions import plain_name

Measure = Callable[[Tensor, FaceAligner], float | None]
"""One picture [1, 3, H, H] in [0, 1] -> a number, None where it cannot be read."""


@dataclass(frozen=True)
class AttributeScore:
    """A measure.

    Args:
        measure: The number.
        description: Effect of strength +1 of its direction, for people.
    """

    measure: Measure
    description: str


def score_named(attribute: str) -> AttributeScore:
    """The measure of an attribute.

    Raises:
        UsageError: There is none; labels can take its place.
    """
    plain = plain_name(attribute)
    if plain not in SCORES:
        raise UsageError(
            f"nothing that ships measures {attribute!r}", f"give --labels, or one of {', '.join(sorted(SCORES))}"
        )
    return SCORES[plain]


def _expression(name: str) -> Measure:
    index = EXPRESSIONS.index(name)
    return lambda image, aligner: _logit(expression_probabilities(image)[0, index].item())


def _logit(probability: float) -> float:
    """Probabilities crowd at 0 and 1; their log-odds order faces all the way."""
    bounded = min(max(probability, 1e-6), 1.0 - 1e-6)
    return float(np.log(bounded / (1.0 - bounded)))


def _age(image: Tensor, aligner: FaceAligner) -> float:
    return apparent_age_and_gender(image)[0].item()


def _gender(image: Tensor, aligner: FaceAligner) -> float:
    return _logit(apparent_age_and_gender(image)[1].item())


def _between_landmarks(upper: tuple[int, ...], lower: tuple[int, ...], ends: tuple[int, int]) -> Measure:
    """Mean distance of landmark pairs over that of two others, none where no face is found."""

    def measure(image: Tensor, aligner: FaceAligner) -> float | None:
        pixels = (image[0].permute(1, 2, 0) * 255.0).round().clamp(0, 255).byte().cpu().numpy()
        faces: list[Face] = aligner.detect(np.ascontiguousarray(pixels))
        if not faces or len(faces[0].landmarks) != 468:
            return None
        points = faces[0].landmarks[:, :2]
        opening = np.linalg.norm(points[list(upper)] - points[list(lower)], axis=1).mean()
        return float(opening / max(np.linalg.norm(points[ends[0]] - points[ends[1]]), 1e-6))

    return measure


# Landmark numbers of MediaPipe's mesh: inner lips and mouth corners, lids and corners of both eyes.
SCORES: Mapping[str, AttributeScore] = {
    "smile": AttributeScore(_expression("happy"), "happier expression"),
    "surprised": AttributeScore(_expression("surprised"), "more surprised expression"),
    "angry": AttributeScore(_expression("angry"), "angrier expression"),
    "sad": AttributeScore(_expression("sad"), "sadder expression"),
    "age": AttributeScore(_age, "older"),
    "gender": AttributeScore(_gender, "more masculine"),
    "mouth-open": AttributeScore(_between_landmarks((13, 82, 312), (14, 87, 317), (61, 291)), "mouth open"),
    "eyes-open": AttributeScore(_between_landmarks((159, 386), (145, 374), (33, 263)), "eyes wide open"),
}
