"""``geoinv train all`` killed at any moment: nothing is lost but steps since the last checkpoint, and no file ever.

The real command and real stages on tiny networks (:mod:`tests.training.rehearsal`), killed with SIGKILL in every stage
at moments of a seeded generator, started again each time, and compared with a run that was left alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from geoinv.checkpoints.store import load_anchored_generator, load_details, load_encoder
from geoinv.editing import load_directions
from geoinv.evaluation import load_held_out
from geoinv.training.data.head_shards import HeadShards
from tests.training.rehearsal import LOG_EVERY, STEPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("GEOINV_ASSETS" not in os.environ, reason="needs the MakeHuman assets (GEOINV_ASSETS)"),
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups"),
]

DATA = ("check", "faces", "more", "heads")
MOMENTS = (  # in their order: name, how a line begins that tells that it is at work, how often it may come before
    ("start", None, 0),
    ("check", "heads: check: shard 1", 0),
    ("heads", "heads: faces: shard 1", 0),
    ("held-out", "heads: held-out", 0),
    ("generator", "generator:  ", 8),
    ("generator again", "generator:  ", 8),
    ("generator figures", "generator: measuring", 0),
    ("encoder", "encoder:  ", 4),
    ("encoder again", "encoder:  ", 4),
    ("encoder figures", "encoder: measuring", 0),
    ("local", "local:  ", 2),
    ("local again", "local:  ", 3),
    ("directions", "local: done", 0),
)


class Run:
    """The command at work, as from a terminal: a group of processes of its own."""

    def __init__(self, out: Path) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # sums in one order give the same bits
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.rehearsal", "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        self.started = time.monotonic()
        self.lines: list[tuple[float, str]] = []  # seconds after the start
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.started, line.rstrip()))

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def seconds_of(self, beginning: str | None, count: int = 1) -> float | None:
        """When the line came that begins so, the first or a later one."""
        if beginning is None:
            return 0.0
        found = [seconds for seconds, line in list(self.lines) if line.startswith(beginning)]
        return found[count - 1] if len(found) >= count else None

    def wait_for(self, beginning: str | None, count: int = 1, *later: str | None) -> None:
        """Wait for a line, or for one of ``later``, or for the end."""
        while self.process.poll() is None and self.seconds_of(beginning, count) is None:
            if any(self.seconds_of(other) for other in later if other != beginning):
                return
            time.sleep(0.01)

    def finish(self) -> int:
        """Wait for the end and the last line; the exit code."""
        code = self.process.wait(timeout=900)
        self._reader.join(timeout=20)
        return code

    def kill(self) -> None:
        """Kill the command alone, as a machine short of memory does; its helpers must end by themselves."""
        self.process.kill()
        self.finish()
        self.check_that_helpers_end()

    def check_that_helpers_end(self) -> None:
        """Processes that render heads must not outlive the command, whatever it died of."""
        deadline = time.monotonic() + 120  # on a busy machine: Mesa has a thread that only idle processors run
        while _is_alive(self.process.pid):
            assert time.monotonic() < deadline, "processes that render heads outlived their command"
            time.sleep(0.05)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _seconds_of_work(run: Run, moment: int) -> float:
    """From a moment of a run to the next."""
    begin = run.seconds_of(MOMENTS[moment][1])
    end = run.seconds_of(MOMENTS[moment + 1][1]) if moment + 1 < len(MOMENTS) else run.seconds_of("directions: done")
    assert begin is not None and end is not None, run.text
    return end - begin


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run]]:
    """The folder of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("alone") / "run"
    run = Run(out)
    try:
        assert run.finish() == 0, run.text
    finally:
        if _is_alive(run.process.pid):
            os.killpg(run.process.pid, signal.SIGKILL)
    yield out, run


def _log(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    clocks = ("minutes", "seconds_per_step")
    return [{name: value for name, value in line.items() if name not in clocks} for line in lines]


def _check_files_are_whole(out: Path) -> None:
    """Whatever has its final name can be read."""
    for path in out.rglob("*"):
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix == ".pt":
            torch.load(path, weights_only=True)
        elif path.suffix == ".safetensors":
            load_file(path)
        elif path.suffix == ".npy":
            np.load(path)
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        else:
            assert path.name == "log.jsonl", path


def test_a_killed_run_ends_like_one_left_alone(left_alone: tuple[Path, Run], tmp_path: Path) -> None:
    reference, calm = left_alone
    out, random_ = tmp_path / "run", random.Random(5)
    kills: list[str] = []
    for i, (name, beginning, lines) in enumerate(MOMENTS):
        others = [other for _, other, _ in MOMENTS[i + 1 :]]
        run = Run(out)
        run.wait_for(beginning, random_.randint(1, max(lines, 1)), *others)
        time.sleep(random_.uniform(0.0, 0.3 if lines else 0.7 * _seconds_of_work(calm, i)))
        if run.process.poll() is None:
            kills.append(name)
        run.kill()
        assert "Traceback" not in run.text, run.text
        _check_files_are_whole(out)
    assert len(kills) >= 10, kills
    last_run = Run(out)
    assert last_run.finish() == 0, last_run.text

    leftovers = [path for path in out.rglob("*") if path.name.startswith(".") or ".part" in path.name]
    assert not leftovers
    _check_files_are_whole(out)
    assert {path.relative_to(out) for path in out.rglob("*")} == {
        p.relative_to(reference) for p in reference.rglob("*")
    }
    for stage, steps in STEPS.items():
        lines = _log(out / stage)
        for kind in ("losses", "figures"):
            told = [line["step"] for line in lines if _is_figures(line) == (kind == "figures")]
            assert told == sorted(set(told)), (stage, kind)
            if kind == "losses":
                assert told == list(range(LOG_EVERY, steps + 1, LOG_EVERY)), stage
        assert lines == _log(reference / stage), f"{stage}: another curve"
        _assert_same_tensors(out / stage / "best.safetensors", reference / stage / "best.safetensors")
    for heads in DATA:
        for path in (reference / heads).glob("*.npy"):
            assert np.array_equal(np.load(path), np.load(out / heads / path.name)), path.name
        assert len(HeadShards(out / heads)) == len(HeadShards(reference / heads))
    _check_weights(out / "weights", reference / "weights")


def _is_figures(line: dict[str, float]) -> bool:
    return "heldout_psnr_db" in line


def _assert_same_tensors(path: Path, other: Path) -> None:
    first, second = load_file(path), load_file(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), f"{path}: {name}"


def _check_weights(weights: Path, reference: Path) -> None:
    generator = weights / "mini-generator.safetensors"
    _, info = load_anchored_generator(str(generator))
    load_encoder(str(generator))
    load_details(str(generator))
    load_directions(generator, generator_sha256=info.sha256)
    assert len(load_held_out(weights / "heldout-heads.safetensors")) == 3
    for path in reference.glob("*.safetensors"):
        _assert_same_tensors(weights / path.name, path)
    assert _figures(weights) == _figures(reference)


def _figures(weights: Path) -> dict[str, Any]:
    figures = json.loads((weights / "figures.json").read_text())
    # the files tell how many minutes they took
    return {name: value for name, value in figures.items() if name not in ("sha256", "inversion_seconds")}


@pytest.mark.parametrize("stage", ["loading", "rendering", "generator", "encoder"])
def test_ctrl_c_is_one_line_and_the_run_goes_on(left_alone: tuple[Path, Run], tmp_path: Path, stage: str) -> None:
    out = tmp_path / "run"
    _copy_what_is_done_before(stage, left_alone[0], out)
    run = Run(out)
    if stage == "loading":  # the processes that render have been started
        while not (out / "heads" / "dataset.json").exists():
            time.sleep(0.01)
        time.sleep(1.0)
    elif stage == "rendering":
        run.wait_for("heads: heads: shard 1")
    else:
        run.wait_for(f"{stage}:  ")
        time.sleep(0.2)
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    told = time.monotonic()
    assert run.finish() == 130, run.text
    assert time.monotonic() - told < 10.0, "it waited for shards that nobody will see"
    assert run.lines[-1][1] == "error: interrupted", run.text
    assert all(line.split(":")[0] in {*STEPS, "heads", "error"} for _, line in run.lines), run.text  # no traceback
    run.check_that_helpers_end()
    again, done = Run(out), f"{stage if stage in STEPS else 'heads'}: done"
    again.wait_for(done)
    assert again.seconds_of(done), again.text
    again.kill()
    if stage in STEPS:
        assert _log(out / stage) == _log(left_alone[0] / stage)


def _copy_what_is_done_before(stage: str, reference: Path, out: Path) -> None:
    for heads in DATA:
        if heads != "heads" or stage in ("generator", "encoder"):
            shutil.copytree(reference / heads, out / heads)
    if stage in ("generator", "encoder"):
        (out / "weights").mkdir()
        shutil.copy(reference / "weights" / "heldout-heads.safetensors", out / "weights")
    if stage == "encoder":
        shutil.copytree(reference / "generator", out / "generator")
