"""Files made to harm: nothing of them runs, memory stays bounded, and the error is one line."""

from __future__ import annotations

import os
import pickle
import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geoinv.checkpoints.convert import convert
from geoinv.checkpoints.e3dge_convert import convert_e3dge
from geoinv.checkpoints.eg3d_convert import convert_eg3d, expected_shapes
from geoinv.checkpoints.pickle_reader import MAX_OPERATIONS, Budget, PickleReader
from geoinv.checkpoints.store import load_generator, save_model
from geoinv.checkpoints.torch_pickles import Storage, StoredTensor, unknown_global
from geoinv.checkpoints.triplanenet_convert import convert_triplanenet
from geoinv.errors import CheckpointError
from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator
from tests.tiny_models import tiny_config

from . import harmful_files
from .harmful_files import CLAIMS, CODE, Calls, in_network, raw
from .official_e3dge import small_entries, write_files
from .official_pickles import MARK, official_tensors, small_release, write_official_pickle, write_state_dict
from .official_triplanenet import face_generator, official_state, small_networks, write_triplanenet

MAX_MIB = 48  # far below what the files claim, well above what reading them takes


@pytest.fixture(scope="module")
def warm() -> None:
    """What torch loads when it first builds a network without memory is not the file's doing."""
    expected_shapes(small_release(release("shapenetcars128-64")))


@pytest.fixture(scope="module", autouse=True)
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A generator that TriPlaneNet's files are converted for, and a cache of this module's own."""
    folder = tmp_path_factory.mktemp("faces")
    generator = face_generator()
    save_model(folder / "weights" / "faces-generator.safetensors", generator, generator.config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_CACHE", str(folder))
        yield folder


def convert_file(layout: str, source: Path, target: Path) -> None:
    """Convert a file of a layout."""
    if layout == "triplanenet":
        convert_triplanenet(source, target, "faces")
    elif layout == "eg3d":
        convert_eg3d(source, target)
    elif layout == "e3dge":
        convert_e3dge([source], target)
    else:
        convert([source], target)


@pytest.fixture(params=["eg3d", "e3dge", "triplanenet", "any"])
def layout(request: pytest.FixtureRequest) -> str:
    """Whose files are read, or any, as the command does."""
    return str(request.param)


@pytest.fixture
def refused(
    layout: str, warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bytes], CheckpointError]:
    """Converts bytes, which must fail in one line, run nothing and take little memory."""
    monkeypatch.chdir(tmp_path)
    if layout == "triplanenet":
        monkeypatch.setattr(harmful_files, "ROOT", "state_dict")
        monkeypatch.setattr(harmful_files, "TENSOR", "psp_encoder.styles.0.linear.weight")

    def convert_bytes(data: bytes) -> CheckpointError:
        source = tmp_path / "x.pkl"
        data = data.replace(b"G_ema", b"g_ema") if layout == "e3dge" else data
        source.write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(CheckpointError) as caught:
                convert_file(layout, source, tmp_path / "out.safetensors")
            peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.pkl"], "something ran, or was left behind"
        assert MARK not in os.environ
        assert "\n" not in caught.value.message and len(caught.value.message) < 600
        assert peak_mib < MAX_MIB + 8 * len(data) / 2**20
        return caught.value

    return convert_bytes


@pytest.mark.parametrize("name", CODE)
def test_nothing_runs(name: str, refused: Callable[[bytes], CheckpointError]) -> None:
    refused(CODE[name]())


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_take_no_memory(name: str, refused: Callable[[bytes], CheckpointError]) -> None:
    refused(CLAIMS[name]())


@pytest.mark.parametrize("operation", [b"]", b"\x8f", b"}", b"N0"])
def test_objects_are_counted(operation: bytes) -> None:
    assert MAX_OPERATIONS * sys.getsizeof(set()) < 300e6
    data = memoryview(raw(operation * 600))
    with pytest.raises(CheckpointError, match="more objects than any network"):
        PickleReader(data, unknown_global, budget=Budget(500)).load()


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (64, 32), (0, 0)),
        (0, (2, 2), (1, 0)),
        (0, (5,), (1,)),
        (4, (1,), (1,)),
        (0, (2,), (4,)),
        (1, (2, 2), (2, 1)),
    ],
)
def test_tensors_that_do_not_fit_their_storage(offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
    storage = Storage(torch.float32, 4, memoryview(bytes(16)))
    with pytest.raises(CheckpointError, match="does not fit its storage of 4"):
        StoredTensor(storage, offset, shape, stride).read()


def test_tensors_that_fit_their_storage() -> None:
    storage = Storage(torch.float32, 4, memoryview(torch.arange(4.0).numpy()).cast("B"))
    assert StoredTensor(storage, 0, (2, 2), (1, 2)).read().tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert StoredTensor(storage, 3, (), ()).read().item() == 3.0
    assert StoredTensor(storage, 0, (0, 9), (9, 1)).read().shape == (0, 9)


def test_globals_are_named(refused: Callable[[bytes], CheckpointError]) -> None:
    assert "posix.system" in refused(CODE["os.system"]()).message
    assert "builtins.eval" in refused(CODE["eval"]()).message
    assert "builtins.getattr" in refused(in_network(Calls(getattr, 1, "real"))).message
    assert "torch.nn.modules.linear.Linear" in refused(CODE["layer called"]()).message


def test_the_attacks_do_run_where_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests above would show nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("os.system", "eval", "nested reduce", "getattr chain", "global as text", "old instance"):
        pickle.loads(CODE[name]())
        assert Path("ran").exists(), name
        Path("ran").unlink()


@pytest.fixture(scope="module")
def every_good_file(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """A pickle and both kinds of torch.save, for each layout."""
    folder = tmp_path_factory.mktemp("good")
    generator = {"g_ema": small_entries()["g_ema"]}
    of_e3dge = [pickle.dumps({"g": {}, **generator}, protocol=4)]
    for as_zip in (True, False):
        of_e3dge += [file.read_bytes() for file in write_files(folder, generator, as_zip=as_zip)]
    cars = TriPlaneGenerator(small_release(release("shapenetcars128-64")))
    files = [write_official_pickle(folder / "a.pkl", cars, has_others=False)]
    files += [write_state_dict(folder / f"{zipped}.pt", cars, as_zip=zipped) for zipped in (True, False)]
    of_eg3d = [file.read_bytes() for file in files]
    state = official_state(*small_networks())
    of_triplanenet = [pickle.dumps({"state_dict": state}, protocol=4)]
    for zipped in (True, False):
        of_triplanenet.append(write_triplanenet(folder / "t.pt", state, as_zip=zipped).read_bytes())
    return {
        "eg3d": of_eg3d,
        "e3dge": of_e3dge,
        "triplanenet": of_triplanenet,
        "any": [*of_eg3d[:1], *of_e3dge[1:]],
    }


@pytest.fixture
def good_files(layout: str, every_good_file: dict[str, list[bytes]]) -> list[bytes]:
    """Three files of the layout."""
    return every_good_file[layout]


def test_good_files_convert(layout: str, good_files: list[bytes], tmp_path: Path) -> None:
    """Otherwise damaging them would show nothing."""
    for number, data in enumerate(good_files):
        (tmp_path / f"{number}.pkl").write_bytes(data)
        convert_file(layout, tmp_path / f"{number}.pkl", tmp_path / f"{number}.safetensors")


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_cut_files(kind: int, good_files: list[bytes], refused: Callable[[bytes], CheckpointError]) -> None:
    data = good_files[kind]
    for length in [1, 2, 3, 10, 100, 1000, len(data) // 3, len(data) // 2, len(data) - 1000, len(data) - 1]:
        error = refused(data[:length])
        if kind == 0 and length > 3:
            assert "cut short" in error.message


def mutated(data: bytes, rng: random.Random, *, within: int) -> bytes:
    """Some bytes changed, removed, doubled or moved, mostly near the start, where the structure is."""
    result = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(min(within, len(result)))
        kind = rng.randrange(5)
        if kind == 0:
            result[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            result[at] = rng.randrange(256)
        elif kind == 2:
            del result[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            result[at:at] = result[at : at + rng.randrange(1, 64)]
        else:
            size = rng.choice([1, 2, 4, 8])
            result[at : at + size] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * size
    return bytes(result)


def fuzz(layout: str, good: list[bytes], folder: Path, count: int, seed: int) -> int:
    """How many of so many mutated files still convert; the others end in clean errors, or this raises."""
    rng = random.Random(seed)
    accepted = 0
    path, target = folder / "x.pkl", folder / "x.safetensors"
    for _ in range(count):
        data = rng.choice(good)
        # a zip's structure is at both ends, a pickle's all over
        path.write_bytes(mutated(data, rng, within=rng.choice([2000, 30_000, len(data)])))
        try:
            convert_file(layout, path, target)
            accepted += 1
        except CheckpointError as error:
            assert "\n" not in error.message
    assert MARK not in os.environ
    return accepted


def fuzz_safetensors(folder: Path, count: int, seed: int) -> int:
    rng = random.Random(seed)
    path = folder / "g.safetensors"
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    save_model(path, generator, generator.config)
    good = path.read_bytes()
    accepted = 0
    for _ in range(count):
        path.write_bytes(mutated(good, rng, within=rng.choice([200, 4000, len(good)])))
        try:
            load_generator(str(path))
            accepted += 1
        except CheckpointError as error:
            assert "\n" not in error.message
    return accepted


def small_files(layout: str, tmp_path: Path) -> list[bytes]:
    """As good_files, without the large tensors: the structure is what matters, and thousands are read."""
    if layout == "e3dge":  # the pose network, and encoder and local branch
        entries = small_entries()
        few = {name: {n: t for n, t in entries[name].items() if t.numel() < 500} for name in entries}
        return [file.read_bytes() for file in write_files(tmp_path, few)[1:]]

    if layout == "triplanenet":
        state = official_state(*small_networks(), face_generator())
        state = {name: value for name, value in state.items() if value.numel() < 500}
        return [write_triplanenet(tmp_path / "t.pt", state).read_bytes()]
    cars = TriPlaneGenerator(small_release(release("shapenetcars128-64")))
    tensors = {n: t for n, t in official_tensors(cars).items() if "noise_const" not in n and t.numel() < 2000}
    pickled = write_official_pickle(tmp_path / "s.pkl", cars, tensors=tensors, has_others=False).read_bytes()
    return [pickled]


def test_some_mutated_files(layout: str, good_files: list[bytes], tmp_path: Path) -> None:
    fuzz(layout, good_files, tmp_path, 5 if layout == "triplanenet" else 20, seed=1)  # its files are the largest
    fuzz(layout, small_files(layout, tmp_path), tmp_path, 100, seed=2)


def test_some_mutated_models(tmp_path: Path) -> None:
    accepted = fuzz_safetensors(tmp_path, 60, seed=3)
    assert accepted < 60


@pytest.mark.slow
def test_many_mutated_files(layout: str, good_files: list[bytes], tmp_path: Path) -> None:
    fuzz(layout, good_files, tmp_path, 300, seed=11)
    fuzz(layout, small_files(layout, tmp_path), tmp_path, 1000, seed=12)


@pytest.mark.slow
def test_many_mutated_models(tmp_path: Path) -> None:
    fuzz_safetensors(tmp_path, 700, seed=13)


def test_foreign_safetensors(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={"geoinv": "[1, 2"})
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(str(tmp_path / "x.safetensors"))
    for text_ in ("[]", "3", '{"format": "geoinv-model-1", "kind": "generator"}', '{"config": 3}'):
        save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={"geoinv": text_})
        with pytest.raises(CheckpointError):
            load_generator(str(tmp_path / "x.safetensors"))
