"""The identity term, and LPIPS where a package of that name gives one."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from geoinv.inversion.optimise.perceptual import load_lpips, perceptual_distance


@pytest.fixture(autouse=True)
def no_memory():
    load_lpips.cache_clear()
    yield
    load_lpips.cache_clear()


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return tuple(torch.rand(1, 3, 56, 56, generator=random) for _ in range(2))  # type: ignore[return-value]


def test_identity_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    one, other = pictures()
    one.requires_grad_()
    distance = perceptual_distance(one, other)
    assert distance.item() > 0.0 and perceptual_distance(other, other).item() == pytest.approx(0.0, abs=1e-9)
    distance.backward()
    assert one.grad is not None and one.grad.abs().max() > 0.0


def test_lpips_where_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Network(torch.nn.Module):
        def forward(self, image: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
            assert image.shape == photo.shape == (1, 3, 150, 150) and image.min() < 0.0
            return torch.full((1, 1, 1, 1), 3.0)

    fake = types.SimpleNamespace(LPIPS=lambda net, verbose: Network())
    one, other = pictures()
    monkeypatch.setitem(sys.modules, "lpips", None)
    alone = perceptual_distance(one, other).item()
    load_lpips.cache_clear()
    monkeypatch.setitem(sys.modules, "lpips", fake)
    assert perceptual_distance(one, other).item() == pytest.approx(alone + 1.5, rel=1e-5)


def test_lpips_without_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(net: str, verbose: bool) -> None:
        raise OSError("no network")

    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=no_network))
    assert load_lpips("cpu") is None
