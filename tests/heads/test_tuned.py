"""The difference that a tuned generator leaves, and its way through a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from geoinv.errors import CheckpointError
from geoinv.heads.tuned import difference, noise_maps, painting_parameters, tuned_generator
from geoinv.inversion import Inversion
from tests.inversion.test_saved import make_inversion
from tests.inversion.tiny_heads import tiny_generator


def test_paints_with_the_last_block_and_the_decoder() -> None:
    names = set(painting_parameters(tiny_generator()))
    assert {name.split(".")[0] for name in names} == {"backbone", "decoder"}
    assert all(".b8." in name for name in names if name.startswith("backbone"))
    assert noise_maps(tiny_generator()) == {}


def test_difference_and_back() -> None:
    base = tiny_generator()
    names = list(painting_parameters(base))
    tuning = {name: torch.full_like(base.state_dict()[name], 0.25, dtype=torch.float16) for name in names}
    tuned = tuned_generator(base, tuning)
    for name, value in tuned.state_dict().items():
        assert torch.allclose(value - base.state_dict()[name], torch.tensor(0.25 if name in names else 0.0), atol=1e-5)
    again = difference(tuned, base, names)
    assert all(torch.allclose(again[name], tuning[name], atol=1e-3) for name in names)
    assert tuned_generator(base, {}) is base


@pytest.mark.parametrize("tuning", [{"no.such": torch.zeros(2)}, {"decoder.net.0.bias": torch.zeros(3)}])
def test_rejects_what_the_generator_lacks(tuning: dict[str, torch.Tensor]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(tuning))):
        tuned_generator(tiny_generator(), tuning)


def test_file_round_trip(tmp_path: Path) -> None:
    tuning = {"decoder.net.0.bias": torch.arange(16, dtype=torch.float16)}
    inversion = make_inversion(tuning=tuning, method="pti", steps=7)
    again = Inversion.load(inversion.save(tmp_path / "a.geoinv"))
    assert (again.method, again.steps, set(again.tuning)) == ("pti", 7, set(tuning))
    assert torch.equal(again.tuning["decoder.net.0.bias"], tuning["decoder.net.0.bias"])
    assert again.edited(again.w_plus, {"smile": 1.0}).tuning.keys() == tuning.keys()


def test_file_of_a_tuned_head_is_told_apart() -> None:
    """A reader that knows no tuning must refuse the file, not render another head."""
    tuned = make_inversion(tuning={"decoder.net.0.bias": torch.zeros(1, dtype=torch.float16)})
    assert b'\\"format_version\\": 2' in tuned.to_bytes()
    assert b'\\"format_version\\": 1' in make_inversion().to_bytes()


def test_rejects_damaged_tuning(tmp_path: Path) -> None:
    nan = torch.full((2,), float("nan"), dtype=torch.float16)
    make_inversion(tuning={"decoder.net.0.bias": nan}).save(tmp_path / "a.geoinv")
    with pytest.raises(CheckpointError, match="not finite"):
        Inversion.load(tmp_path / "a.geoinv")
