"""Our networks of TriPlaneNet against what the official code computed from the same weights, and that a mistake in any
part shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from geoinv.models import psp
from geoinv.models.triplanenet import encoder as encoder_module
from geoinv.models.triplanenet import plane_offsets
from tests.golden.triplanenet_networks import DETAILS, encoder, golden, kept, offsets, photo, planes

TOLERANCE = 2e-4  # of numbers of about 1


@torch.no_grad()
def difference(name: str) -> float:
    """The largest difference between ours and theirs, as a fraction of the standard deviation of theirs."""
    if name == "codes":
        found = encoder().offsets(photo(3))
    else:
        found = kept(offsets(name)(photo(DETAILS[name].inputs), planes()))
    expected = golden()[name]
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.std())


@pytest.mark.parametrize("name", ["codes", *DETAILS])
def test_outputs(name: str) -> None:
    assert difference(name) < TOLERANCE


def test_the_goldens_tell_heads_apart() -> None:
    """Otherwise swapped heads or a dead network would not show."""
    codes = golden()["codes"][0]
    assert float(torch.cdist(codes, codes).add(torch.eye(len(codes))).min()) > 0.5
    assert set(golden()) == {"codes", *DETAILS}


Break = Callable[[pytest.MonkeyPatch], None]


def constant(module: object, name: str, value: object) -> Break:
    return lambda patch: patch.setattr(module, name, value)


def smooth(patch: pytest.MonkeyPatch) -> None:
    """Maps grow smoothly instead of by repeating pixels."""
    enlarger = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    patch.setattr(plane_offsets, "_enlarger", lambda shuffles: enlarger)


def order(patch: pytest.MonkeyPatch) -> None:
    """The way back's maps before those of the way down."""
    real = torch.cat

    def cat(parts: list[torch.Tensor], dim: int) -> torch.Tensor:
        return real(parts[::-1], dim)

    patch.setattr(plane_offsets.torch, "cat", cat)


BREAKS: dict[str, tuple[str, Break]] = {
    "coarse codes read too much": ("codes", constant(encoder_module, "_COARSE", 2)),
    "taps of other units": ("codes", constant(encoder_module, "_TAPS", (5, 19, 22))),
    "pyramid without aligned corners": (
        "codes",
        constant(
            encoder_module,
            "enlarged_like",
            lambda level, like: nn.functional.interpolate(level, like.shape[-2:], mode="bilinear"),
        ),
    ),
    "slope of heads": ("codes", constant(psp, "_HEAD_SLOPE", 0.2)),
    "last unit's map for the one before": ("v1", constant(plane_offsets, "_TAPS", (2, 6, 20, 22, 23))),
    "first taps": ("v1", constant(plane_offsets, "_TAPS", (1, 6, 20, 21, 23))),
    "maps enlarged smoothly": ("v2", smooth),
    "maps joined the other way": ("v2-shuffle", order),
}


@pytest.mark.parametrize("mistake", BREAKS)
def test_a_mistake_shows(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, apply = BREAKS[mistake]
    apply(monkeypatch)
    try:
        assert difference(name) > 10.0 * TOLERANCE
    except RuntimeError:  # the shapes do not go together any more
        assert mistake == "coarse codes read too much"
