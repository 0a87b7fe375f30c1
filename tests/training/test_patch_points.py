"""The program that trains the points of lids, brows, lips and nose."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from geoinv.training.patch_points import main
from geoinv.video.patch_points import load_patch_points


def test_too_few_persons_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        main([str(tmp_path / "points.safetensors"), "--persons", "3"])
    assert refused.value.code == 2 and "--persons must be 20 or more" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif("GEOINV_ASSETS" not in os.environ, reason="needs the MakeHuman assets (GEOINV_ASSETS)")
def test_it_makes_a_file_that_videos_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "points.safetensors"
    main([str(path), "--persons", "20"])
    points, shipped = load_patch_points(path), load_patch_points()
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["eye", "mouth", "nose"]
    for made, known in ((points.eye, shipped.eye), (points.mouth, shipped.mouth), (points.nose, shipped.nose)):
        assert made.output.shape == known.output.shape
        assert np.median(made.deviation) < 4.0 * np.median(known.deviation), "it learns, though from few"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
