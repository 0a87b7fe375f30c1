"""Work that belongs to a head is done once: how often ``geoinv invert`` and a session render and paint planes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import geoinv as library
from geoinv.models.generator import TriPlaneGenerator

from .conftest import Done


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many views were rendered and how often planes were made, since the test began."""
    counted: Counter[str] = Counter()
    render, planes = TriPlaneGenerator.render, TriPlaneGenerator.planes

    def counting_render(self: TriPlaneGenerator, planes: Any, camera: Any, **others: Any) -> Any:
        counted["renders"] += len(camera)
        return render(self, planes, camera, **others)

    def counting_planes(self: TriPlaneGenerator, w_plus: Any) -> Any:
        counted["planes"] += 1
        return planes(self, w_plus)

    monkeypatch.setattr(TriPlaneGenerator, "render", counting_render)
    monkeypatch.setattr(TriPlaneGenerator, "planes", counting_planes)
    return counted


def test_an_inversion_renders_eight_views_of_one_head(
    geoinv: Callable[..., Done], woman: Path, counts: Counter[str]
) -> None:
    """The photo's view and three others, without and with details."""
    assert geoinv("invert", woman, "--out", "out", "--no-turntable", "--device", "cpu").code == 0
    assert counts == {"renders": 8, "planes": 1}


def test_further_views_of_a_head_do_not_make_it_again(inverted: Path, counts: Counter[str]) -> None:
    session, inversion = library.load(device="cpu"), library.Inversion.load(inverted)
    for _ in range(2):
        session.render(inversion, yaw_deg=[-20.0, 20.0])
    session.render(library.Inversion.load(inverted))  # the same contents
    assert counts == {"renders": 10, "planes": 1}  # each view without and with details
    edited = session.edit(inversion, {"smile": 1.0})
    session.render(edited)
    session.render(inversion)
    assert counts["planes"] == 2
