"""geoinv eval on photos and on a file of held-out heads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from .conftest import EXAMPLES, Done


def test_photos(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    shutil.copy(EXAMPLES / "man.jpg", "in")
    Path("in/broken.jpg").write_bytes(b"not a picture")
    done = geoinv("eval", "--set", "in", "--json")
    assert done.code == 0
    assert (done.json["photos"], done.json["skipped"]) == (1, 1)
    assert {"input_psnr_db", "identity_input", "identity_novel", "model"} <= set(done.json)
    assert "broken.jpg" in done.err
    assert "identity distance" in geoinv("eval", "--set", "in").out


def test_methods_side_by_side(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    shutil.copy(EXAMPLES / "man.jpg", "in")
    done = geoinv("eval", "--set", "in", "--method", "optimise", "--steps", "2", "--json")
    assert done.code == 0, done.err
    for column in ("encoder", "optimise"):
        assert {"face_psnr_db", "head_psnr_db", "identity_input", "identity_novel"} <= set(done.json[column])
    assert "face_gain_db" in done.json["optimise"]
    text = geoinv("eval", "--set", "in", "--method", "pti", "--steps", "2").out
    assert text.splitlines()[0].split() == ["encoder", "pti"] and "median gain over the face" in text
    geoinv("eval", "--set", "in", "--steps", "2").assert_fails(2, "--steps goes with --method")


def test_refuses(geoinv: Callable[..., Done]) -> None:
    geoinv("eval", "--set", "nowhere").assert_fails(5, "nowhere")
    Path("empty").mkdir()
    geoinv("eval", "--set", "empty").assert_fails(5, "no photos in empty")
    geoinv("eval").assert_fails(3, "held-out heads")
