"""Directions learned from samples and from labels, on a generator whose heads tell their code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from geoinv.editing.learned import front_picture, learn_from_labels, learn_from_samples
from geoinv.editing.scores import AttributeScore
from geoinv.errors import PhotoError, UsageError
from tests.inversion.tiny_heads import tiny_generator


def redness(image: torch.Tensor, aligner: object) -> float:
    middle = image[:, :, 8:24, 8:24]
    return (middle[:, 0] - middle[:, 1]).mean().item()


def test_from_samples() -> None:
    generator = tiny_generator()
    learned = learn_from_samples(generator, AttributeScore(redness, "redder"), None, samples=80)
    assert learned.vector.shape == (generator.config.num_ws, generator.config.w_dim)
    assert torch.equal(learned.vector[0], learned.vector[-1])
    assert learned.score_gain > 0.0 and learned.identity_drift > 0.0
    assert learned.accuracy > 0.6 and learned.heads == 48


def test_heads_that_cannot_be_read_are_left_out() -> None:
    def sometimes(image: torch.Tensor, aligner: object) -> float | None:
        value = redness(image, aligner)
        return None if value < -1.0 else value

    generator = tiny_generator()
    assert learn_from_samples(generator, AttributeScore(sometimes, ""), None, samples=60).heads == 36
    with pytest.raises(UsageError, match="no face was found"):
        learn_from_samples(generator, AttributeScore(lambda image, aligner: None, ""), None, samples=3)


@dataclass
class Head:
    w_plus: torch.Tensor


class LabelledSession:
    """Inverts ``3.png`` to the third of some random codes."""

    def __init__(self) -> None:
        self.triplane_generator, self.aligner, self.seed = tiny_generator(), None, 0
        self.codes = self.triplane_generator.mapping(torch.randn(60, 8, generator=torch.Generator().manual_seed(3)))

    def invert(self, path: Path) -> Head:
        if path.stem == "blank":
            raise PhotoError("no face")
        return Head(self.codes[int(path.stem)][None])


def test_from_labels() -> None:
    session = LabelledSession()
    along = session.codes[:, 0, 0]
    labels = [(Path(f"{index}.png"), float(value > along.median())) for index, value in enumerate(along)]
    skipped: list[str] = []
    learned = learn_from_labels(
        session, [*labels, (Path("blank.png"), 1.0)], on_skip=lambda path, error: skipped.append(path.name)
    )
    assert skipped == ["blank.png"] and learned.heads == 60 and learned.score_gain is None
    high = session.codes[along > along.median(), 0].mean(dim=0) - session.codes[along <= along.median(), 0].mean(dim=0)
    assert torch.cosine_similarity(learned.vector[0], high, dim=0) > 0.7
    with pytest.raises(UsageError, match="none of the labelled pictures"):
        learn_from_labels(session, [(Path("blank.png"), 1.0)])


def test_front_picture() -> None:
    generator = tiny_generator()
    image = front_picture(generator, generator.w_avg)
    assert image.shape == (1, 3, 32, 32) and image.min() >= 0.0 and image.max() <= 1.0
