"""geoinv bench on tiny models: what it reports, not how fast."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from geoinv.bench import run as bench_run
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.config import GeneratorConfig
from geoinv.models.presets import ffhq512_128
from tests.tiny_models import tiny_anchored_config

from .conftest import Done

RATIOS = (
    "invert",
    "render_dense",
    "render_mini",
    "render_train",
    "train_step",
    "anchor_volumes",
    "render_unanchored",
    "mini_backbone",
    "mini_view",
    "mini_views8",
    "backbone",
    "superres",
    "view512",
    "views8",
)
KEYS = (
    *(f"{name}_ratio" for name in (*RATIOS, "invert")),
    "build_s",
    "peak_mib_view512",
    "photos_per_s_1",
    "photos_per_s_2",
)


def tiny_large_config() -> GeneratorConfig:
    full = ffhq512_128()
    return dataclasses.replace(
        full,
        neural_resolution=16,
        superresolution="residual",
        resolution=32,
        backbone=dataclasses.replace(full.backbone, channels=(8, 8), out_channels=24, convs_per_block=(1, 2)),
        render=dataclasses.replace(full.render, num_samples=8, num_importance=8),
    )


@pytest.fixture
def tiny_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_run, "large_config", tiny_large_config)
    monkeypatch.setattr(bench_run, "SIDE", 8)
    mini = AnchoredGenerator(tiny_anchored_config()).eval().requires_grad_(False)
    monkeypatch.setattr(bench_run, "load_anchored_generator", lambda name: (mini, None))
    monkeypatch.setattr(bench_run, "build_seconds", lambda: 1.0)
    monkeypatch.setattr(bench_run, "peak_mib", lambda backend: {"native": 5.0, "reference": 9.0}[backend])
    monkeypatch.setattr(bench_run, "matrix_product_gflops", lambda: 100.0)
    monkeypatch.setattr(bench_run, "growth", lambda: {1: 0.5, 2: 0.9})


def test_json_has_every_figure(geoinv: Callable[..., Done], tiny_bench: None) -> None:
    done = geoinv("bench", "--json")
    assert done.code == 0, done.err
    figures = done.json
    assert set(KEYS) <= set(figures)
    assert all(isinstance(value, float) and math.isfinite(value) and value > 0 for value in figures.values())
    assert (figures["build_s"], figures["peak_mib_view512"]) == (1.0, 5.0)
    assert figures["backbone_ratio"] == pytest.approx(
        figures["backbone_reference_s"] / figures["backbone_native_s"], rel=0.3
    )


def test_table_names_the_jobs(geoinv: Callable[..., Done], tiny_bench: None) -> None:
    done = geoinv("bench", "-q")
    assert done.code == 0 and done.err == ""
    for part in ("ratio", "GFLOP/s", "a training step", "8 views of a head", "5 MiB", "reference 9 MiB", "1.80 times"):
        assert part in done.out
