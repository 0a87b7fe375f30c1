"""The measures that directions are found by, on photos whose order is plain to see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from geoinv.align import FaceAligner
from geoinv.editing.scores import SCORES, score_named
from geoinv.errors import UsageError
from geoinv.images import read_image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    return FaceAligner()


def crop(aligner: FaceAligner, name: str) -> torch.Tensor:
    image = aligner.align(read_image(EXAMPLES / f"{name}.jpg")).image
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255.0


def test_orders_people(aligner: FaceAligner) -> None:
    elder, man, woman = (crop(aligner, name) for name in ("elder", "man", "woman"))
    assert SCORES["age"].measure(elder, aligner) > SCORES["age"].measure(woman, aligner) + 10.0
    assert SCORES["gender"].measure(man, aligner) > 0.0 > SCORES["gender"].measure(woman, aligner)


def test_all_are_finite(aligner: FaceAligner) -> None:
    image = crop(aligner, "woman")
    for name, score in SCORES.items():
        value = score.measure(image, aligner)
        assert value is not None and abs(value) < 200.0, name
    assert SCORES["mouth-open"].measure(torch.zeros(1, 3, 256, 256), aligner) is None


def test_names() -> None:
    assert score_named("Mouth_Open") is SCORES["mouth-open"]
    with pytest.raises(UsageError, match="nothing that ships measures 'hat'") as caught:
        score_named("hat")
    assert "--labels" in str(caught.value.hint) and "smile" in str(caught.value.hint)
