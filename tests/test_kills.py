"""Commands killed (SIGKILL) at seeded moments: no half file, nothing lost, and the same command ends as if left alone.

``pytest -m slow tests/test_kills.py``; ``GEOINV_KILLS`` sets how many kills there are in all, ``GEOINV_KILL_SEED`` the
moments. Processes are forked from one that has imported geoinv already, so that kills fall into the work and not into
imports; moments are in seconds of the processor, so that a busy machine moves none of them, or wait for the n-th name
that appears in the folder, so that many of them fall into the writing of a file.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
import trimesh
from PIL import Image
from safetensors.torch import load_file

from geoinv.cli.app import run as run_command
from geoinv.inversion import Inversion
from tests.tiny_models import write_tiny_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor's time from /proc"),
]

KILLS = int(os.environ.get("GEOINV_KILLS", "100"))
SEED = int(os.environ.get("GEOINV_KILL_SEED", "17"))
EXAMPLES = Path(__file__).parents[1] / "examples"
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Job:
    """A command that is killed.

    Args:
        share: Of a hundred kills, how many are of this one.
        begin: Function that does the work in a folder, in a process of its own.
        prepare: Function that puts into the folder what lies there before.
    """

    share: int
    begin: Callable[[Path], None]
    prepare: Callable[[Path], None] = lambda folder: None


def _command(*arguments: object) -> None:
    torch.set_num_threads(1)
    code = run_command([str(argument) for argument in arguments])
    raise SystemExit(code)


def _invert(out: Path) -> None:
    names = [EXAMPLES / f"{name}.jpg" for name in ("man", "woman")]
    options = ("--turntable", "gif", "--frames", "3", "--device", "cpu", "--save-label", out / "labels.json", "-q")
    _command("invert", *names, "--out", out, *options)


def _export_mesh(out: Path) -> None:
    options = ("--for", "game", "--resolution", "32", "--overwrite", "--device", "cpu", "-q")
    _command("export-mesh", out.parent / "woman.geoinv", "--out", out / "head.glb", *options)


def _export_avatar(out: Path) -> None:
    options = ("--texture", "1024", "--no-hair", "--overwrite", "--device", "cpu", "-q")
    _command("export-avatar", out.parent / "woman.geoinv", "--out", out / "head.obj", *options)


def _train(out: Path) -> None:
    from geoinv.training.engine.loop import train
    from tests.training.stages.test_own_samples import encoder_stage, run_of

    torch.set_num_threads(1)
    train(encoder_stage(run_of(out, 12), out.parent / "opaque-generator.safetensors"))


def _fetch(out: Path) -> None:
    os.environ["GEOINV_CACHE"] = str(out)
    os.environ["GEOINV_WEIGHTS"] = str(out.parent / "served")
    _command("weights", "fetch", "served", "-q")


def _earlier_files(out: Path) -> None:
    """What an earlier run left, which must stay whole until it is replaced."""
    for name in ("head.glb", "head_lod1.glb", "head_lod2.glb"):
        trimesh.creation.icosphere().export(out / name)
    trimesh.creation.icosphere().export(out / "head.obj")


JOBS = {
    "invert": Job(25, _invert),
    "export-mesh": Job(25, _export_mesh, _earlier_files),
    "export-avatar": Job(6, _export_avatar, _earlier_files),  # it takes longest
    "train": Job(20, _train),
    "fetch": Job(24, _fetch),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with tiny weights, an inversion, a generator to train on, and a server with a file to fetch."""
    folder = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(folder / "weights")))
        patch.setenv("OMP_NUM_THREADS", "1")  # sums in one order give the same bits
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        options = ("--no-turntable", "--device", "cpu", "-q")
        assert run_command(["invert", str(EXAMPLES / "woman.jpg"), "--out", str(folder), *options]) == 0
        from tests.opaque_generator import OTHER_ORBIT, write_opaque_generator

        write_opaque_generator(folder, orbit=OTHER_ORBIT)
        with _served(folder / "served"):
            yield folder


BODY = random.Random(1).randbytes(3 << 20)


class _Slowly(BaseHTTPRequestHandler):
    """A server that knows ranges, and takes its time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(BODY):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        try:
            for at in range(start, len(BODY), 1 << 16):
                self.wfile.write(BODY[at : at + (1 << 16)])
                time.sleep(0.01)
        except OSError:  # whoever asked was killed
            self.close_connection = True

    def log_message(self, *_: object) -> None: ...


class _served:
    """A folder of weights whose index names a file of a server on loopback."""

    def __init__(self, folder: Path) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Slowly)
        folder.mkdir()
        (folder / "index.toml").write_text(
            f'[served]\nfile = "served.bin"\nlicence = "MIT"\nsource = "us"\nsize = {len(BODY)}\n'
            f'sha256 = "{hashlib.sha256(BODY).hexdigest()}"\nurl = "http://127.0.0.1:{self._http.server_port}/a.bin"\n'
        )

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@dataclass
class Moment:
    """When to kill: after so many seconds of the processor, or when so many new names have appeared in the folder."""

    seconds: float
    names: int | None

    def has_come(self, process: BaseProcess, seen: set[str]) -> bool:
        if self.names is not None:
            return len(seen) >= self.names
        return _processor_seconds(process) >= self.seconds


def _processor_seconds(process: BaseProcess) -> float:
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return sum(int(fields[number]) for number in (11, 12)) / _TICKS


def _names(out: Path) -> set[str]:
    return {str(path) for path in out.rglob("*")}


class Killer:
    """Begins a job in forked processes and kills them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["geoinv.cli.app", "geoinv.session", "tests.test_kills"])

    def run(self, out: Path, moment: Moment | None) -> tuple[int | None, float, int]:
        """Begin the job; its exit code (negative where it was killed), seconds of the processor, and new names."""
        before, seen, seconds = _names(out), set[str](), 0.0
        process = self._context.Process(target=self._job.begin, args=(out,))
        process.start()
        begun = _processor_seconds(process)
        while process.is_alive():
            seen |= _names(out) - before
            seconds = max(seconds, min(_processor_seconds(process), 1e9) - begun)
            if moment is not None and moment.has_come(process, seen):
                process.kill()
                break
            time.sleep(0.01)
        process.join()
        return process.exitcode, seconds, len(seen)


def _check_whole(out: Path) -> None:
    """Whatever has its final name can be read to its end."""
    for path in out.rglob("*"):
        if path.is_dir() or path.name.startswith(".") or path.name.endswith((".part", ".etag")):
            continue
        readers: dict[str, Callable[[Path], object]] = {
            ".geoinv": Inversion.load,
            ".safetensors": load_file,
            ".pt": lambda path: torch.load(path, weights_only=True),
            ".json": lambda path: json.loads(path.read_text()),
            ".glb": lambda path: trimesh.load(io.BytesIO(path.read_bytes()), file_type="glb"),
            ".png": _load_picture,
            ".gif": _load_picture,
            ".obj": lambda path: trimesh.load(path, process=False, skip_materials=True),
            ".mtl": lambda path: path.read_text().rstrip().endswith(".png") or pytest.fail(str(path)),
            ".bin": lambda path: hashlib.sha256(path.read_bytes()).digest() == _DIGEST or pytest.fail(str(path)),
            ".jsonl": lambda path: None,  # a line may be cut, which the next run mends: see below
        }
        readers[path.suffix](path)


_DIGEST = hashlib.sha256(BODY).digest()


def _load_picture(path: Path) -> None:
    with Image.open(path) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()


def _check_manifest(out: Path) -> None:
    """No line tells of a result that is not there."""
    for text in (out / "manifest.jsonl").read_bytes().splitlines() if (out / "manifest.jsonl").exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        assert all(Path(file).is_file() for file in line.get("files", [])), line


def _contents(out: Path) -> dict[str, bytes | dict[str, bytes]]:
    """Contents of all files by name; clocks are left out."""
    found: dict[str, bytes | dict[str, bytes]] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_dir() or path.name in ("log.jsonl", "state.pt", "plot.png"):
            continue
        if path.suffix == ".safetensors":
            found[name] = {key: tensor.numpy().tobytes() for key, tensor in load_file(path).items()}
        elif path.name == "manifest.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = "\n".join(sorted({Path(line["path"]).name for line in lines})).encode()
        else:
            found[name] = path.read_bytes().replace(str(out).encode(), b"OUT")
    return found


@pytest.mark.parametrize("name", list(JOBS))
def test_killed(name: str, place: Path) -> None:
    job, rng = JOBS[name], random.Random(f"{SEED} {name}")
    killer, calm = Killer(job), place / f"{name}-calm"
    calm.mkdir()
    job.prepare(calm)
    code, seconds, names = killer.run(calm, None)
    assert code == 0
    expected = _contents(calm)
    wanted = max(KILLS * job.share // 100, 1)
    kills = rounds = 0
    while kills < wanted:
        out = place / f"{name}-{rounds}"
        out.mkdir()
        job.prepare(out)
        rounds += 1
        for _ in range(4):
            if kills == wanted:
                break
            by_name = rng.random() < 0.5
            moment = Moment(rng.uniform(0.05, 1.0) * seconds, rng.randint(1, max(names, 1)) if by_name else None)
            code, _, _ = killer.run(out, moment)
            assert code in (0, -9), (name, moment)
            kills += code == -9
            _check_whole(out)
            if name == "invert":
                _check_manifest(out)
        code, _, _ = killer.run(out, None)
        assert code == 0
        found = _contents(out)
        assert set(found) == set(expected), "something is missing or was left behind"
        assert found == expected
    assert kills == wanted
