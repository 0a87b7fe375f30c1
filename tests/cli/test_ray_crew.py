"""A Ray cluster of two nodes, of which one is killed in the middle: every photo is done once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from .conftest import EXAMPLES, Done

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("GEOINV_RAY_PHOTOS", "24"))


def test_without_ray(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    geoinv("invert", EXAMPLES, "--engine", "ray").assert_fails(6, "Ray", "pip install geoinv[ray]")


def test_no_cluster_at_the_address(geoinv: Callable[..., Done]) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    geoinv("invert", EXAMPLES, "--engine", "ray", "--address", "127.0.0.1:1").assert_fails(2, "no Ray cluster")


@pytest.mark.slow
def test_a_node_is_killed(tiny_weights: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    folder = Path("photos")
    folder.mkdir()
    for index in range(COUNT):
        name = ("man", "woman")[index % 2]
        Image.open(EXAMPLES / f"{name}.jpg").resize((300 + index // 60, 300 + index % 60)).save(folder / f"{index}.jpg")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    try:
        command = [sys.executable, "-m", "geoinv", "invert", "photos", "--out", "out", "--no-turntable", "--json"]
        command += ["--method", "encoder", "--engine", "ray", "--address", cluster.address]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while run.poll() is None and len(list(Path("out").glob("*.geoinv"))) < COUNT // 3:
            time.sleep(0.1)
        assert run.poll() is None, run.communicate()[1]
        cluster.remove_node(node, allow_graceful=False)
        out, err = run.communicate(timeout=60 + 10 * COUNT)
    finally:
        cluster.shutdown()
    assert run.returncode == 0, err
    done = json.loads(out)
    assert (len(done["results"]), done["failed"], done["skipped"]) == (COUNT, [], [])
    lines = [json.loads(line)["path"] for line in Path("out/manifest.jsonl").read_text().splitlines()]
    assert Counter(lines) == Counter(str(path) for path in folder.glob("*.jpg"))
    assert len(list(Path("out").glob("*.geoinv"))) == COUNT
    assert not list(Path("out").glob(".geoinv-*"))


def thousand_photos(folder: Path) -> list[str]:
    """Files that are photos by their names; the work of :mod:`tests.cli.thousand` looks at their bytes alone."""
    folder.mkdir()
    for index in range(1000):
        (folder / f"{index:04}.jpg").write_bytes(index.to_bytes(4, "little"))
    return [str(path) for path in sorted(folder.iterdir())]


def finished(run: subprocess.Popen[str], out: Path, count: int) -> None:
    """Wait until so many photos are done."""
    while run.poll() is None and len(list(out.glob("*.json"))) < count:
        time.sleep(0.02)
    assert run.poll() is None, run.communicate()[1]


def check_each_once(run: subprocess.Popen[str], photos: list[str], out: Path) -> None:
    """Every photo has one result, one line in the manifest, and one in the object that the run prints."""
    printed, err = run.communicate(timeout=900)
    assert run.returncode == 0, err
    done = json.loads(printed)
    # a worker may be killed after it has written a result and before it has said so: another finds it there
    assert sorted([*(result["path"] for result in done["results"]), *done["skipped"]]) == photos
    assert done["failed"] == [] and len(done["skipped"]) <= 1
    lines = [json.loads(line)["path"] for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert sorted(lines) == photos
    assert len(list(out.glob("*.json"))) == len(photos)
    made = Counter(line.split()[1] for line in (out / "done").read_text().splitlines())
    assert len(made) == len(photos)
    assert sum(made.values()) - len(photos) <= 1, "but for the photo that was at work, none is done twice"
    assert len({line.split()[0] for line in (out / "done").read_text().splitlines()}) >= 2


@pytest.mark.slow
def test_a_thousand_photos_and_a_node_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    photos, out = thousand_photos(tmp_path / "photos"), tmp_path / "out"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    try:
        command = [sys.executable, "-m", "tests.cli.thousand", tmp_path / "photos", out, "--address", cluster.address]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        finished(run, out, 300)
        cluster.remove_node(node, allow_graceful=False)
        check_each_once(run, photos, out)
    finally:
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds workers by /proc")
def test_a_thousand_photos_and_a_worker_is_killed(tmp_path: Path) -> None:
    photos, out = thousand_photos(tmp_path / "photos"), tmp_path / "out"
    command = [sys.executable, "-m", "tests.cli.thousand", tmp_path / "photos", out, "--workers", "2"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    finished(run, out, 300)
    os.kill(int((out / "done").read_text().split()[0]), signal.SIGKILL)
    check_each_once(run, photos, out)
