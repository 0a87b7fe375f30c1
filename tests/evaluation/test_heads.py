import math

import pytest
import torch

from geoinv.conventions import MM_PER_UNIT
from geoinv.evaluation.heads import evaluate_heads
from geoinv.evaluation.held_out import HeldOutHeads
from tests.evaluation.ellipsoid_heads import GENERATOR, KnowingEncoder, ellipsoid_heads


class TestEvaluateHeads:
    def test_truth_is_nearly_perfect(self):
        figures = evaluate_heads(GENERATOR, KnowingEncoder(), ellipsoid_heads(1))
        assert figures["heads"] == 1
        assert figures["input_psnr_db"] > 40.0 and figures["novel_psnr_db"] > 40.0  # rounding alone
        assert min(figures[f"psnr_db_{angle}"] for angle in (15, 30, 45, 60, "behind")) > 40.0
        assert figures["psnr_db_30"] == figures["novel_psnr_db"]
        assert figures["identity_input"] < 0.1 and figures["identity_novel"] < 0.1
        assert figures["inversion_seconds"] > 0.0
        assert figures["ssim_input"] > 0.98 and figures["ssim_novel"] > 0.98
        assert figures["camera_deg"] == pytest.approx(0.0, abs=1e-3)
        assert figures["depth_units"] < 2e-3  # pixels on the outline, where half of four rays miss
        assert figures["depth_mm"] == pytest.approx(figures["depth_units"] * MM_PER_UNIT)
        assert figures["normal_deg"] < 2.0
        assert figures["generator_psnr_db"] > 35.0 and figures["generator_256_psnr_db"] > 40.0
        assert figures["generator_alpha_iou"] > 0.98

    def test_wrong_camera_is_not_forgiven(self):
        """Colour is tied to world position here, so a turned camera shows in every view."""
        right = evaluate_heads(GENERATOR, KnowingEncoder(), ellipsoid_heads(1))
        wrong = evaluate_heads(GENERATOR, KnowingEncoder(math.radians(5.0)), ellipsoid_heads(1))
        assert wrong["camera_deg"] == pytest.approx(5.0, abs=0.1)
        assert wrong["input_psnr_db"] < 35.0 and wrong["novel_psnr_db"] < 35.0
        assert wrong["psnr_db_45"] < 35.0 and wrong["identity_novel"] > right["identity_novel"]
        assert wrong["depth_units"] > 3.0 * right["depth_units"]
        assert wrong["generator_psnr_db"] == right["generator_psnr_db"]

    def test_encoder_gets_a_photo(self):
        encoder = KnowingEncoder()
        evaluate_heads(GENERATOR, encoder, ellipsoid_heads(2))
        assert [tuple(image.shape) for image in encoder.seen] == [(1, 3, 256, 256)] * 3
        assert torch.equal(encoder.seen[0], encoder.seen[1])  # a first run that is not timed
        assert encoder.seen[1].min() >= -1.0 and encoder.seen[1].max() <= 1.0
        assert not torch.equal(encoder.seen[1], encoder.seen[2])  # the same head, other backgrounds

    def test_without_encoder_or_fitting_z(self):
        heads = ellipsoid_heads(1)
        figures = evaluate_heads(GENERATOR, None, heads)
        assert figures["input_psnr_db"] is None and figures["generator_psnr_db"] is not None
        object.__setattr__(heads, "latents", torch.zeros(1, 5))
        figures = evaluate_heads(GENERATOR, KnowingEncoder(), heads)
        assert figures["generator_psnr_db"] is None and figures["input_psnr_db"] is not None

    def test_wider_views_leave_the_others_figures_alone(self):
        """A file of format 1 has three views; its figures are those of a file with more."""
        heads = ellipsoid_heads(1)
        codes = {kind: [row[:3] for row in rows] for kind, rows in heads.codes.items()}
        few = HeldOutHeads(heads.latents, heads.cam2world[:, :3], codes, heads.yaws_deg[:3], 0, 1)
        one, other = (evaluate_heads(GENERATOR, KnowingEncoder(0.02), file) for file in (few, heads))
        wider = {f"psnr_db_{angle}" for angle in (15, 45, 60, "behind")}
        wider |= {f"generator_256_psnr_db_{views}" for views in ("to_60", "behind")}
        known = {"generator_sharpness", "generator_expression_share"}
        assert {name for name in one if one[name] is None and other[name] is not None} == wider | known
        for name in one.keys() - wider - known - {"inversion_seconds"}:
            assert one[name] == other[name], name

    def test_limit_and_progress(self):
        seen = []
        figures = evaluate_heads(GENERATOR, None, ellipsoid_heads(3), limit=2, on_head=seen.append)
        assert figures["heads"] == 2 and seen == [1, 2]
