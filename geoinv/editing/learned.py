"""Directions of any generator: its own samples scored by the measures that ship, or labelled pictures inverted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose
from ..errors import PhotoError, UsageError
from ..faces.identity import identity_distance
from ..heads import PlainHead
from ..models.latent_space import measure_latent_space, random_codes
from ..progress import OnCount
from .hyperplane import fit_hyperplane
from .scores import AttributeScore

if TYPE_CHECKING:
    from ..align import FaceAligner
    from ..models.generator import TriPlaneGenerator
    from ..session import Session

_SIDE = 96  # rays: the face, 0.71 of it, is then as large as the networks' input once super-resolution doubled it
_DRIFT_HEADS = 8
_DRIFT_SEED = 1_000_003  # heads that no fit saw


@dataclass(frozen=True)
class LearnedDirection:
    """A direction and what it does to heads that it was not fitted to.

    Args:
        vector: [num_ws, w_dim], the same for all layers.
        accuracy: Share of heads kept out of the fit on the right side; 0.5 is chance.
        heads: In the fit.
        identity_drift: Mean identity distance that strength 1 makes; 0.6 is usually another person.
        score_gain: Mean change of the score at strength 1; None for labels.
    """

    vector: Tensor
    accuracy: float
    heads: int
    identity_drift: float
    score_gain: float | None


@torch.no_grad()
def learn_from_samples(
    generator: TriPlaneGenerator,
    score: AttributeScore,
    aligner: FaceAligner,
    *,
    samples: int,
    seed: int = 0,
    on_head: OnCount | None = None,
) -> LearnedDirection:
    """Score random heads seen from the front and part high from low.

    Raises:
        UsageError: Too few heads could be scored.
    """
    codes = random_codes(generator, samples, seed=seed)
    scores: list[float] = []
    for index, code in enumerate(codes):
        value = score.measure(front_picture(generator, code), aligner)
        scores.append(math.nan if value is None else value)
        if on_head is not None:
            on_head(index + 1)
    values = torch.tensor(scores)
    is_known = values.isfinite()
    if not is_known.any():
        raise UsageError("no face was found on any of the generator's heads", "is it a generator of faces?")
    return _learn(generator, codes[is_known.to(codes.device)], values[is_known], score, aligner, seed)


def learn_from_labels(
    session: Session,
    labels: Sequence[tuple[Path, float]],
    *,
    on_photo: OnCount | None = None,
    on_skip: Callable[[Path, PhotoError], None] | None = None,
) -> LearnedDirection:
    """Invert labelled pictures by the encoder and part the codes by their labels.

    Raises:
        CheckpointError: The generator has no encoder.
        UsageError: Too few pictures could be used.
    """
    codes, scores = [], []
    for index, (path, value) in enumerate(labels):
        try:
            codes.append(session.invert(path).w_plus.mean(dim=1))
            scores.append(value)
        except PhotoError as error:
            if on_skip is not None:
                on_skip(path, error)
        if on_photo is not None:
            on_photo(index + 1)
    if not codes:
        raise UsageError("none of the labelled pictures could be used", "each needs a face that can be found")
    return _learn(
        session.triplane_generator, torch.cat(codes), torch.tensor(scores), None, session.aligner, session.seed
    )


def _learn(
    generator: TriPlaneGenerator,
    codes: Tensor,
    scores: Tensor,
    score: AttributeScore | None,
    aligner: FaceAligner,
    seed: int,
) -> LearnedDirection:
    plane = fit_hyperplane(codes, scores, measure_latent_space(generator, seed=seed))
    drift, gain = _effect(generator, plane.direction, score, aligner)
    vector = plane.direction[None].repeat(generator.config.num_ws, 1)
    return LearnedDirection(vector, plane.accuracy, plane.heads, drift, gain)


@torch.no_grad()
def _effect(
    generator: TriPlaneGenerator, direction: Tensor, score: AttributeScore | None, aligner: FaceAligner
) -> tuple[float, float | None]:
    """Mean identity distance and mean change of score at strength 1, on heads of their own."""
    drifts, gains = [], []
    for code in random_codes(generator, _DRIFT_HEADS, seed=_DRIFT_SEED):
        before, after = (front_picture(generator, w) for w in (code, code + direction.to(code)))
        drifts.append(identity_distance(before, after).item())
        if score is not None:
            values = [score.measure(picture, aligner) for picture in (before, after)]
            if values[0] is not None and values[1] is not None:
                gains.append(values[1] - values[0])
    return sum(drifts) / len(drifts), sum(gains) / len(gains) if gains else None


def front_picture(generator: TriPlaneGenerator, w: Tensor) -> Tensor:
    """[1, 3, H, H] in [0, 1] on the CPU over mid-grey: the head of a code [w_dim], from the front."""
    head = PlainHead(generator, w[None, None].expand(1, generator.config.num_ws, -1))
    side = min(_SIDE, generator.config.neural_resolution)
    view = head.view(generator.camera(CameraPose.from_angles(0.0)), resolution=side)
    return view.cpu().over_grey()
