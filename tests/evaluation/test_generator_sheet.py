"""The sheet of a generator's heads: truths above results, and meshes beside them."""

from __future__ import annotations

import numpy as np

from geoinv.evaluation import generator_sheet
from tests.evaluation.ellipsoid_heads import GENERATOR, ellipsoid_heads


def test_truths_results_and_meshes() -> None:
    seen: list[int] = []
    sheet = generator_sheet(GENERATOR, ellipsoid_heads(3), 1, on_head=seen.append)
    assert sheet.shape == (512, 9 * 256, 3) and seen == [1]
    truths, results = sheet[:256, : 6 * 256].astype(int), sheet[256:, : 6 * 256].astype(int)
    assert np.abs(truths - results).max() <= 1  # this generator knows the truth
    meshes = sheet[256:, 6 * 256 :]
    assert (meshes[..., 0] == meshes[..., 1]).all()
    for start in (0, 256, 512):
        mesh = meshes[:, start : start + 256]
        assert mesh[128, 128, 0] < 255 and mesh[0, 0, 0] == 255
