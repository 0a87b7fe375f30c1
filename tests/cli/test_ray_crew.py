"""A Ray cluster of two nodes, of which one is killed in the middle: every photo is done once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from .conftest import EXAMPLES, Done

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
