"""Writing pictures: whole, deterministic, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoinv.errors import ShapeError, UsageError
from geoinv.images import read_image, write_image

from .gradient import gradient


def test_png_round_trip(tmp_path: Path) -> None:
    write_image(tmp_path / "new" / "a.png", gradient())
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), gradient())
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "webp"])
def test_lossy_is_close(tmp_path: Path, suffix: str) -> None:
    smooth = gradient()
    smooth[..., 2] = 128
    write_image(tmp_path / f"a.{suffix}", smooth)
    assert np.abs(read_image(tmp_path / f"a.{suffix}").astype(int) - smooth).mean() < 3


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_image(tmp_path / name, gradient())
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown picture type '.bmpp'"):
        write_image(tmp_path / "a.bmpp", gradient())
    assert not list(tmp_path.iterdir())


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        write_image(tmp_path / "file" / "a.png", gradient())


def test_rejects_floats(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        write_image(tmp_path / "a.png", gradient().astype(np.float32))  # type: ignore[arg-type]
