"""Labels of pictures: a CSV or two folders, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from geoinv.editing.labels import read_labels
from geoinv.errors import UsageError


def make_pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / name)


def test_csv(tmp_path: Path) -> None:
    make_pictures(tmp_path / "in", "a.png", "b c.png")
    (tmp_path / "labels.csv").write_text('picture,smile\nin/a.png, 0.5\n\n"in/b c.png",-2\n')
    expected = [(tmp_path / "in/a.png", 0.5), (tmp_path / "in/b c.png", -2.0)]
    assert read_labels(tmp_path / "labels.csv") == expected


def test_folders(tmp_path: Path) -> None:
    make_pictures(tmp_path / "with", "a.png")
    make_pictures(tmp_path / "without", "b.png", "c.png")
    scores = {path.name: score for path, score in read_labels(tmp_path)}
    assert scores == {"a.png": 1.0, "b.png": 0.0, "c.png": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no labels"),
        ("picture,smile\n", "holds no labels"),
        ("a.png,1\na.png,x\n", "line 2: not a picture and a number"),
        ("a.png,1\na.png,nan\n", "line 2"),
        ("a.png,1,2\n", "line 1"),
        ("none.png,1\n", "line 1: no such picture"),
    ],
)
def test_rejects_lines(tmp_path: Path, text: str, message: str) -> None:
    make_pictures(tmp_path, "a.png")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_labels(tmp_path / "labels.csv")


def test_rejects_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_labels(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="no folders"):
        read_labels(tmp_path)
    (tmp_path / "with").mkdir()
    make_pictures(tmp_path / "without", "a.png")
    with pytest.raises(UsageError, match="no photos in"):
        read_labels(tmp_path)
