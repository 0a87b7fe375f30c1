"""Metrics of a generator at the true z: of the ellipsoid, whose every figure is known, and on the head mesh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.conventions import MM_PER_UNIT
from geoinv.evaluation import evaluate_generator
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.render_output import RenderOutput
from tests.ellipsoid_head import EllipsoidConfig, EllipsoidGenerator
from tests.evaluation.ellipsoid_heads import GENERATOR, ellipsoid_heads
from tests.tiny_models import tiny_anchored_config


class TurningGenerator(EllipsoidGenerator):
    """The ellipsoid, whose pictures go to upside-down ones by the fraction that z says."""

    def planes(self, w_plus: Tensor) -> Tensor:
        return w_plus.mean(dim=(1, 2)).reshape(-1, 1, 1, 1, 1)

    def render(self, planes: Tensor, *args: Any, **options: Any) -> RenderOutput:
        view = super().render(planes, *args, **options)
        share = float(planes)
        turned = [picture.lerp(picture.flip(2), share) for picture in (view.color, view.alpha)]
        return replace(view, color=turned[0], alpha=turned[1])


def test_truth_is_nearly_perfect() -> None:
    figures = evaluate_generator(GENERATOR, ellipsoid_heads(2))
    assert figures["heads"] == 2
    assert min(figures[f"generator_256_psnr_db_{views}"] for views in ("to_60", "behind")) > 40.0
    assert 0.8 < figures["generator_sharpness"] < 1.0  # so smooth that rounding to 255 levels adds to the truth's
    assert figures["generator_shape_depth_mm"] == pytest.approx(figures["generator_shape_depth_units"] * MM_PER_UNIT)
    assert figures["generator_shape_depth_mm"] <= figures["generator_depth_mm"] < 0.7
    assert figures["generator_vertices_mm"] is None  # its heads are on no mesh


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_expressions(share: float) -> None:
    heads = ellipsoid_heads(1)
    assert heads.known is not None
    heads = replace(heads, known=replace(heads.known, twins=torch.full((1, 8), share)))
    generator = TurningGenerator(config=EllipsoidConfig(resolution=256, neural_resolution=128))
    assert evaluate_generator(generator, heads)["generator_expression_share"] == pytest.approx(share, abs=0.01)


def test_blurred_faces_are_less_sharp() -> None:
    class Blurred(EllipsoidGenerator):
        def render(self, *args: Any, **options: Any) -> RenderOutput:
            view = super().render(*args, **options)
            return replace(view, color=0.5 * view.color + 0.25 * view.alpha)

    generator = Blurred(config=EllipsoidConfig(resolution=256, neural_resolution=128))
    known, blurred = (evaluate_generator(each, ellipsoid_heads(1)) for each in (GENERATOR, generator))
    assert blurred["generator_sharpness"] == pytest.approx(0.5 * known["generator_sharpness"], rel=0.02)


def test_z_of_another_length() -> None:
    figures = evaluate_generator(GENERATOR, ellipsoid_heads(1, z_dim=5))
    assert {value for name, value in figures.items() if name != "heads"} == {None}


def test_generator_on_the_head_mesh() -> None:
    torch.manual_seed(0)
    generator = AnchoredGenerator(tiny_anchored_config()).eval()
    figures = evaluate_generator(generator, ellipsoid_heads(1))
    measured = {name for name, value in figures.items() if value is not None}
    assert measured == set(figures) and figures["generator_vertices_mm"] > 0.0 and figures["generator_light_off"] > 0.0
