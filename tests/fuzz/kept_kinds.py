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
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from .kinds import Kind, _picture, _saved

KEPT_KINDS = ("checkpoint", "run-record", "run-log", "shard", "z", "dataset", "manifest", "list", "tar", "index")


def kept_kinds() -> dict[str, Kind]:
    """Every kind by name."""
    return {
        "checkpoint": _one_of(_run_files, "state.pt", _resume),
        "run-record": _one_of(_run_files, "run.json", _resume),
        "run-log": _one_of(_run_files, "log.jsonl", _resume, is_forgiving=True),
        "shard": _one_of(_shard_files, "00000_rgba.npy", _read_heads),
        "z": _one_of(_shard_files, "00000_z.npy", _read_heads),
        "dataset": _one_of(_shard_files, "dataset.json", _read_heads),
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


def _one_of(
    files: Callable[[], dict[str, bytes]], name: str, read: Callable[[Path], object], *, is_forgiving: bool = False
) -> Kind:
    """One file of a folder, which is read with the others as they are."""

    def read_beside_others(path: Path) -> object:
        with _folder_with(path, name, files()) as folder:
            return read(folder)

    return Kind(Path(name).suffix, lambda folder: [files()[name]], read_beside_others, is_forgiving)


@cache
def _run_files() -> dict[str, bytes]:
    """Files of a run of six steps, of which the last is not in the checkpoint."""
    from geoinv.training.engine.loop import train
    from tests.training.engine.line_stage import LineStage, line_run

    with tempfile.TemporaryDirectory() as made:
        train(LineStage(line_run(Path(made), 6)))
        return {name: (Path(made) / name).read_bytes() for name in ("state.pt", "run.json", "log.jsonl")}


def _resume(folder: Path) -> object:
    from geoinv.training.engine.loop import train
    from tests.training.engine.line_stage import LineStage, line_run

    return train(LineStage(line_run(folder, 8)))


@cache
def _shard_files() -> dict[str, bytes]:
    from tests.training.conftest import write_shard

    with tempfile.TemporaryDirectory() as made:
        write_shard(Path(made), "00000", 0, twins=True, side=8)
        return {path.name: path.read_bytes() for path in Path(made).iterdir()}


def _read_heads(folder: Path) -> object:
    from geoinv.training.data.head_shards import HeadShards

    heads = HeadShards(folder)
    return heads.describe(), [np.array(part) for part in heads.view(0, 0)]


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

    with _folder_with(path, "index.toml", {}) as folder, mock.patch.dict(os.environ, GEOINV_WEIGHTS=str(folder)):
        return [(entry_facts(entry), verify(entry)) for entry in existing_index().values()]
