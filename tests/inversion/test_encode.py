"""How well a reconstruction fits its photo, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.inversion.encode import fit_metrics
from geoinv.models.render_output import RenderOutput


def test_padding_does_not_count() -> None:
    """The head fills the upper half; it is 0.1 off in the photo, which is the left half, and far off in its padding."""
    alpha = torch.zeros(1, 1, 64, 64)
    alpha[..., :32, :] = 1.0
    view = RenderOutput(
        0.6 * alpha.expand(1, 3, 64, 64),
        alpha,
        torch.ones(1, 1, 32, 32),
        CameraPose.from_angles(0.0).camera(FACE_ORBIT),
    )
    photo = np.full((512, 512, 3), 178, np.uint8)  # 178 / 255 = 0.698
    photo[:, 256:] = 0
    inside = np.ones((512, 512), bool)
    assert fit_metrics(view, photo, inside)["psnr_db"] < 8.0
    inside[:, 256:] = False
    metrics = fit_metrics(view, photo, inside)
    assert metrics["psnr_db"] == pytest.approx(-20.0 * np.log10(178 / 255 - 0.6), abs=0.01)
    assert metrics["head_share"] == 0.25
    assert fit_metrics(view, photo, ~np.ones((512, 512), bool)) == {"psnr_db": 0.0, "head_share": 0.0}
