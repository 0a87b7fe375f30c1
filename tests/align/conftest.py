"""The aligner, and three portraits whose faces look ahead, to image left and to image right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.images import read_image

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session")
def aligner() -> FaceAligner:
    return FaceAligner()


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    return {name: read_image(DATA / f"{name}.jpg") for name in ("frontal", "turned_left", "turned_right")}
