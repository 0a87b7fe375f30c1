"""Files that runs keep and read again (checkpoints, logs, data sets, manifests), and lists and archives of photos.

Each is read in a folder of its own, where it has the name that geoinv looks for.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .kinds import Kind, _picture, _saved

KEPT_KINDS = ("checkpoint", "run-record", "run-log", "shard", "z", "dataset", "manifest", "list", "tar", "index")


def kept_kinds() -> dict[str, Kind]:
    """Every kind by name."""
    return {
        "checkpoint": Kind(".pt", lambda folder: [_run_file("state.pt")], _resume_with("state.pt")),
        "run-record": Kind(".json", lambda folder: [_run_file("run.json")], _resume_with("run.json")),
        "run-log": Kind(".jsonl", lambda folder: [_run_file("log.jsonl")], _resume_with("log.jsonl"), True),
        "shard": Kind(".npy", lambda folder: [_shard_file("00000_rgba.npy")], _heads_with("00000_rgba.npy")),
        "z": Kind(".npy", lambda folder: [_shard_file("00000_z.npy")], _heads_with("00000_z.npy")),
        "dataset": Kind(".json", lambda folder: [_shard_file("dataset.json")], _heads_with("dataset.json")),
        "manifest": Kind(".jsonl", _manifests, _read_manifest, True),
        "list": Kind(".txt", _lists, _find),
        "tar": Kind(".tar", _archives, _find),
        "index": Kind(".toml", _indices, _read_index),
    }


@contextmanager
def _folder_with(path: Path, name: str, others: dict[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        for other, contents in others.items():
            (Path(made) / other).write_bytes(contents)
        shutil.copy(path, Path(made) / name)
        yield Path(made)


_RUN: dict[str, bytes] = {}
"""Files of a run of six steps, of which the last is not in the checkpoint."""


def _run_files() -> dict[str, bytes]:
    from geoinv.training.engine.loop import train
    from tests.training.engine.line_stage import LineStage, line_run

    if not _RUN:
        with tempfile.TemporaryDirectory() as made:
            train(LineStage(line_run(Path(made), 6)))
            _RUN.update({name: (Path(made) / name).read_bytes() for name in ("state.pt", "run.json", "log.jsonl")})
    return _RUN


def _run_file(name: str) -> bytes:
    return _run_files()[name]


def _resume_with(name: str) -> Callable[[Path], object]:
    def resume(path: Path) -> object:
        from geoinv.training.engine.loop import train
        from tests.training.engine.line_stage import LineStage, line_run

        with _folder_with(path, name, _run_files()) as folder:
            return train(LineStage(line_run(folder, 8)))

    return resume


_SHARD: dict[str, bytes] = {}


def _shard_files() -> dict[str, bytes]:
    from tests.training.conftest import write_shard

    if not _SHARD:
        with tempfile.TemporaryDirectory() as made:
            write_shard(Path(made), "00000", 0, twins=True, side=8)
            _SHARD.update({path.name: path.read_bytes() for path in Path(made).iterdir()})
    return _SHARD


def _shard_file(name: str) -> bytes:
    return _shard_files()[name]


def _heads_with(name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        from geoinv.training.data.head_shards import HeadShards

        with _folder_with(path, name, _shard_files()) as folder:
            heads = HeadShards(folder)
            return heads.describe(), [np.array(part) for part in heads.view(0, 0)]

    return read


def _manifests(folder: Path) -> list[bytes]:
    lines = [
        {"path": f"photos/{index}.jpg", "sha256": "0" * 64, "name": str(index), "files": [], "seconds": 1.0}
        for index in range(5)
    ]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def _read_manifest(path: Path) -> object:
    """Read it, and add to it: the new line must be there whatever the others are."""
    from geoinv.cli.manifest import Manifest, read_manifest
    from geoinv.cli.photo_files import PhotoFile
    from geoinv.cli.photo_worker import Outcome

    with _folder_with(path, "manifest.jsonl", {}) as folder:
        manifest = folder / "manifest.jsonl"
        Manifest(manifest).add(PhotoFile(Path("new.jpg"), "new"), Outcome(sha256="1" * 64))
        lines = read_manifest(manifest)
        assert lines["new.jpg"]["sha256"] == "1" * 64
        return lines


def _lists(folder: Path) -> list[bytes]:
    (folder / "a.png").write_bytes(_saved(_picture(), "PNG"))
    return [f"{folder}/a.png\n\nnone.jpg\n../none.png\n".encode()]


def _archives(folder: Path) -> list[bytes]:
    made = []
    for layout in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=layout) as archive:
            for name in ("a.png", "ö/" + "b" * 120 + ".png", "c.json"):
                contents = _saved(_picture(), "PNG")
                about = tarfile.TarInfo(name)
                about.size = len(contents)
                archive.addfile(about, io.BytesIO(contents))
        made.append(stream.getvalue())
    return made


def _find(path: Path) -> object:
    """All photos that are named, each read; those that fail are told one by one, as the commands do."""
    from geoinv.cli.photo_files import find_photos
    from geoinv.errors import PhotoError

    read = 0
    for photo in find_photos([path]).photos:
        try:
            photo.sha256()
            photo.read()
            read += 1
        except PhotoError as error:
            assert str(error) and "\n" not in str(error)
    return read


def _indices(folder: Path) -> list[bytes]:
    from geoinv.folders import weights_dir

    return [(weights_dir() / "index.toml").read_bytes()]


def _read_index(path: Path) -> object:
    from geoinv.checkpoints.fetch import verify
    from geoinv.checkpoints.index import existing_index
    from geoinv.checkpoints.model_facts import entry_facts

    with _folder_with(path, "index.toml", {}) as folder:
        before = os.environ.get("GEOINV_WEIGHTS")
        os.environ["GEOINV_WEIGHTS"] = str(folder)
        try:
            return [(entry_facts(entry), verify(entry)) for entry in existing_index().values()]
        finally:
            os.environ.pop("GEOINV_WEIGHTS")
            if before is not None:
                os.environ["GEOINV_WEIGHTS"] = before
