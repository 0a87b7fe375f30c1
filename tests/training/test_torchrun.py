"""torchrun on one machine, with gloo on loopback: a process is killed and the job goes on; commands run under it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from geoinv.training.engine.loop import train
from tests.opaque_generator import OTHER_ORBIT, write_opaque_generator
from tests.training.engine.elastic_line import STEPS
from tests.training.engine.line_stage import LineStage, line_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package"),
    pytest.mark.skipif(sys.platform != "linux", reason="the name of loopback is that of Linux"),
]

ROOT = Path(__file__).parents[2]
MAX_WAIT_S = 300.0


def torchrun(*arguments: object, restarts: int = 0) -> subprocess.Popen[str]:
    rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1")
    command = [sys.executable, "-m", "torch.distributed.run", *rendezvous, "--nproc-per-node", "2"]
    return subprocess.Popen(
        [*command, "--max-restarts", str(restarts), "-m", *map(str, arguments)],
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def curve(out: Path) -> list[tuple[float, float]]:
    path = out / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(line["step"], line["fit"]) for line in lines if "fit" in line]


def kill_when(run: subprocess.Popen[str], out: Path, steps: float, rank: int, earlier: set[str]) -> str:
    """Kill the process of a rank, of a start that was not killed before, when the run has come so far; which start."""
    end = time.monotonic() + MAX_WAIT_S
    while True:
        assert run.poll() is None and time.monotonic() < end, run.communicate()[1]
        time.sleep(0.05)
        begun = [path for path in (out / "pids").glob(f"*-{rank}") if path.read_text() and path.name[0] not in earlier]
        if begun and curve(out / "run") and curve(out / "run")[-1][0] >= steps:
            last = max(begun)
            os.kill(int(last.read_text()), signal.SIGKILL)
            return last.name[0]


def test_a_killed_process_does_not_end_the_job(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    # on a busy machine gloo may fail to connect, which costs a start as well
    run = torchrun("tests.training.engine.elastic_line", out, restarts=8)
    killed: set[str] = set()
    try:
        for rank, steps in [(1, 10.0), (0, 30.0)]:
            killed.add(kill_when(run, out, steps, rank, killed))
        _, err = run.communicate(timeout=MAX_WAIT_S)
    finally:
        run.kill()
    assert run.returncode == 0, err
    assert len(killed) == 2
    train(LineStage(line_run(tmp_path / "alone", STEPS, learning_rate=0.01)))
    assert curve(out / "run") == curve(tmp_path / "alone")
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (out / "run", tmp_path / "alone")]
    assert torch.equal(states[0]["model"]["weight"], states[1]["model"]["weight"])
    assert not [path for path in (out / "run").iterdir() if ".part" in path.name]


def test_own_samples(tmp_path: Path) -> None:
    model = write_opaque_generator(tmp_path, orbit=OTHER_ORBIT)
    options = ("--minutes", "0", "--photos-per-step", "2", "--new-samples", "1", "--rays-per-view", "16", "--json")
    out = tmp_path / "run"
    run = torchrun("geoinv", "train", "encoder", "--self", "--model", model, "--out", out, *options)
    try:
        printed, err = run.communicate(timeout=MAX_WAIT_S)
    finally:
        run.kill()
    assert run.returncode == 0, err
    assert json.loads(printed)["run"] == str(out), "the first process alone prints"
    assert json.loads((out / "run.json").read_text())["processes"] == 2
    assert len(load_file(out / "best.safetensors")) > 0
