"""Variants side by side: stand-ins on the ellipsoid, whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.camera import Camera
from geoinv.evaluation.ablation import COLUMNS, ablation_rows, evaluate_variants
from geoinv.evaluation.variants import Variant, encoded_by
from geoinv.heads import Head
from geoinv.inversion import Reconstructed
from geoinv.models.render_output import RenderOutput
from tests.evaluation.ellipsoid_heads import GENERATOR, KnowingEncoder, ellipsoid_heads


class Lit:
    """A head whose colours are darker or brighter than another's."""

    def __init__(self, head: Head, factor: float) -> None:
        self.orbit, self.plain, self._factor = head.orbit, head, factor

    def view(self, camera: Camera) -> RenderOutput:
        plain = self.plain.view(camera)
        return replace(plain, color=plain.color * self._factor)


class Dim:
    """An encoder's head whose colours are too dark, and details that put them right where ``lit`` says."""

    def __init__(self, lit: bool) -> None:
        self.lit = lit
        self.calls = 0

    def __call__(self, photo: torch.Tensor) -> Reconstructed:
        self.calls += 1
        made = encoded_by(KnowingEncoder(), GENERATOR)(photo)
        return Reconstructed(Lit(made.head, 1.0 if self.lit else 0.8), made.pose)


def test_details_are_measured_as_they_are_seen() -> None:
    variants = [
        Variant("dim", Dim(False)),
        Variant("lit", Dim(True)),
        Variant("E0", encoded_by(KnowingEncoder(), GENERATOR)),
    ]
    seen: list[tuple[int, int]] = []
    figures = evaluate_variants(variants, ellipsoid_heads(3), limit=2, on_head=seen.append)
    assert list(figures) == ["dim", "lit", "E0"] and seen == [1, 2]
    dim, lit, e0 = figures.values()
    for name in ("input_psnr_db", "psnr_db_15", "psnr_db_30", "psnr_db_45"):
        assert lit[name] > dim[name] + 10.0 and lit[name] == e0[name]
    assert dim["identity_input"] > lit["identity_input"]
    assert dim["depth_mm"] == lit["depth_mm"]  # details of colour leave the shape alone
    assert all(row["heads"] == 2 and row["inversion_seconds"] > 0.0 for row in figures.values())


def test_loading_is_not_part_of_an_inversion() -> None:
    slow = Dim(True)
    evaluate_variants([Variant("slow", slow)], ellipsoid_heads(2))
    assert slow.calls == 3  # one that is not timed, then one a head


def test_rows() -> None:
    figures = {"E0": {name: 1.25 for name, _, _ in COLUMNS}, "other": {"input_psnr_db": None}}
    first, second = ablation_rows(figures)
    assert first[:2] == ["E0", "1.25"] and first[-1] == "1.250"
    assert second == ["other"] + ["-"] * len(COLUMNS)


def test_a_camera_that_is_off_is_not_forgiven() -> None:
    figures = evaluate_variants(
        [Variant("off", encoded_by(KnowingEncoder(0.1), GENERATOR))], ellipsoid_heads(1), limit=1
    )
    assert figures["off"]["camera_deg"] == pytest.approx(5.73, abs=0.05)
    assert figures["off"]["psnr_db_45"] < 35.0
