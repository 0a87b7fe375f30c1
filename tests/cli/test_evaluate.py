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


def test_refuses(geoinv: Callable[..., Done]) -> None:
    geoinv("eval", "--set", "nowhere").assert_fails(5, "nowhere")
    Path("empty").mkdir()
    geoinv("eval", "--set", "empty").assert_fails(5, "no photos in empty")
    geoinv("eval").assert_fails(3, "held-out heads")
