"""Disks that are full or read-only, users without a home, and two processes that write to one place.

A full disk is a small tmpfs, which root alone may mount; who may not, skips these tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geoinv.errors import UsageError
from geoinv.training.engine.loop import train
from tests.training.engine.line_stage import LineStage, line_run

from .conftest import EXAMPLES, Done

CPU = ("--device", "cpu")


@contextmanager
def disk(place: Path, options: str) -> Iterator[None]:
    """A file system in memory at ``place``, while the block runs."""
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts disks as Linux does")

WRITERS = {
    "align": ("align", EXAMPLES / "woman.jpg", "--out", "disk/out"),
    "invert": ("invert", EXAMPLES / "woman.jpg", "--out", "disk/out", "--turntable", "gif", "--frames", "2", *CPU),
    "invert many": ("invert", EXAMPLES, "--out", "disk/out", "--no-turntable", *CPU),
    "render": ("render", "woman.geoinv", "--out", "disk/out", *CPU),
    "edit": ("edit", "woman.geoinv", "--attr", "smile", "--out", "disk/out", *CPU),
    "export-mesh": ("export-mesh", "woman.geoinv", "--out", "disk/head.ply", "--resolution", "32", *CPU),
    "train": ("train", "encoder", "--self", "--minutes", "0", "--out", "disk/run", *CPU),
}


@pytest.fixture
def written(inverted: Path) -> None:
    """The inversion that commands begin with, in the test's own folder."""
    Path("woman.geoinv").write_bytes(inverted.read_bytes())


def parts_left() -> list[str]:
    return [str(path) for path in Path("disk").rglob("*") if ".part" in path.name]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["4k", "64k", "300k"])
@pytest.mark.parametrize("name", list(WRITERS))
def test_full(geoinv: Callable[..., Done], written: None, name: str, size: str) -> None:
    with disk(Path("disk"), f"size={size}"):
        done = geoinv(*WRITERS[name])
        assert done.code in (0, 1, 2)
        assert (done.code == 0) != ("no space left on device" in done.err), done.err
        assert "Traceback" not in done.err
        assert parts_left() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WRITERS))
def test_read_only(geoinv: Callable[..., Done], written: None, name: str) -> None:
    with disk(Path("disk"), "ro"):
        done = geoinv(*WRITERS[name])
    assert done.code == 2
    assert "read-only" in done.err and "Traceback" not in done.err


def test_training_on_a_full_disk_is_one_line_and_goes_on(tmp_path: Path) -> None:
    with disk(Path("disk"), "size=64k"):
        train(LineStage(line_run(Path("disk/run"), 6)))
        filler = Path("disk/filler")
        with pytest.raises(UsageError, match="no space left"), filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                train(LineStage(line_run(Path("disk/run"), 12)))
        filler.unlink()
        train(LineStage(line_run(Path("disk/run"), 12)))
        assert parts_left() == []
        lines = [json.loads(line) for line in Path("disk/run/log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if "fit" in line] == [5, 10]


def test_without_a_home(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    for name in ("GEOINV_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert geoinv("align", EXAMPLES / "woman.jpg", "--out", "out").code == 0
    geoinv("invert", EXAMPLES / "woman.jpg", "--model", "other").assert_fails(3, "no home folder", "GEOINV_CACHE")


@pytest.mark.slow
def test_two_processes_on_one_output(tiny_weights: Path) -> None:
    command = [sys.executable, "-m", "geoinv", "invert", str(EXAMPLES), "--out", "out", "--no-turntable", *CPU]
    runs = [
        subprocess.Popen([*command, "--save-label", "labels.json"], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for run in runs:
        _, err = run.communicate(timeout=600)
        assert run.returncode == 0, err
    stems = {path.stem for path in EXAMPLES.glob("*.jpg")}
    assert {path.stem for path in Path("out").glob("*.geoinv")} == stems
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    assert {line["name"] for line in lines} == stems
    assert {name for name, _ in json.loads(Path("labels.json").read_text())["labels"]} == {
        f"{stem}_aligned.png" for stem in stems
    }
    assert not [path.name for path in Path("out").iterdir() if path.name.startswith(".")]
