"""Files that were damaged at random load or are refused by one of our errors, never by another exception, and soon.

The headers are changed as JSON, so that most changes get past safetensors' own checks and meet geoinv's.
"""

from __future__ import annotations

import copy
import json
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geoinv.checkpoints.e3dge_convert import convert_e3dge
from geoinv.checkpoints.model_facts import generator_facts
from geoinv.checkpoints.model_format import save_anew
from geoinv.checkpoints.store import (
    load_any_details,
    load_any_encoder,
    load_any_generator,
    load_details_file,
    load_encoder_file,
    load_generator,
)
from geoinv.editing.directions import read_directions
from geoinv.errors import GeoinvError
from geoinv.faces.networks import read_face_weights
from geoinv.inversion import Inversion
from geoinv.video.patch_points import load_patch_points
from tests.checkpoints.official_e3dge import write_files
from tests.tiny_models import write_tiny_weights

VALUES: list[Any] = [
    *(None, [], {}, "", "x" * 300, "\x00", "\ud83d", "../x", "nan", True, [[]], [None], {"a": 1}, [1] * 50, [-1, 2]),
    *(-1, 0, 1, 3.7, 10**6, 10**9, 2**63, 10**30, 1e99, -1e300, float("nan"), float("inf"), [1.5, 2]),
]
HEADERS = ["", "{}", "[]", "null", "1", '"x"', "NaN", "[" * 100_000, '{"a":' * 50_000]
TYPES = {"U8": 1, "I8": 1, "BOOL": 1, "F8_E5M2": 1, "I16": 2, "F16": 2, "BF16": 2, "U16": 2}
HALVES = [b"\xff\x7f", b"\x00\x7c", b"\xff\xff"]  # nan, infinity and nan of float16


def inverted(folder: Path) -> Path:
    import geoinv

    photo = Path(__file__).parents[2] / "examples" / "woman.jpg"
    path = folder / "woman.geoinv"
    geoinv.load(str(folder / "mini-generator.safetensors"), "cpu").invert(photo).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(folder))
        inverted(folder)
        convert_e3dge(write_files(folder), folder / "e3dge.safetensors")
        encoder = folder / "mini-encoder.safetensors"
        save_anew(encoder, folder / "packed-encoder.safetensors", "encoder", in_8_bits=True, extra={})
        yield folder


def load_beside_generator(path: Path, load: Callable[[str], object]) -> object:
    """Load a part of a model; its generator only has to be there."""
    path.with_name("e3dge.safetensors").touch()
    return load(str(path.with_name("e3dge.safetensors")))


LOADERS: dict[str, Callable[[Path], object]] = {
    "mini-generator.safetensors": lambda path: (load_generator(str(path)), generator_facts(str(path))),
    "mini-encoder.safetensors": load_encoder_file,
    "packed-encoder.safetensors": load_encoder_file,
    "mini-details.safetensors": load_details_file,
    "mini-directions.safetensors": read_directions,
    "face/expression.safetensors": read_face_weights,
    "face/patch-points.safetensors": load_patch_points,
    "woman.geoinv": Inversion.load,
    "e3dge.safetensors": lambda path: (load_any_generator(str(path)), generator_facts(str(path))),
    "e3dge-encoder.safetensors": lambda path: load_beside_generator(path, load_any_encoder),
    "e3dge-details.safetensors": lambda path: load_beside_generator(path, load_any_details),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the limit of time is a signal")
@pytest.mark.parametrize("name", LOADERS)
def test_damage_is_an_error_of_ours(folder: Path, tmp_path: Path, name: str) -> None:
    whole, path = (folder / name).read_bytes(), tmp_path / Path(name).name
    LOADERS[name](folder / name)
    signal.signal(signal.SIGALRM, _too_long)
    for seed in range(350):
        path.write_bytes(damaged(whole, random.Random(seed)))
        signal.alarm(60)  # far more than any of them takes
        try:
            LOADERS[name](path)
        except GeoinvError as error:
            assert "\n" not in error.message, seed
        except Exception as error:
            pytest.fail(f"seed {seed}: {error!r}")
        finally:
            signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TimeoutError("it took a minute")


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """A safetensors file with one kind of damage."""
    length = int.from_bytes(whole[:8], "little")
    header, numbers = json.loads(whole[8 : 8 + length]), bytearray(whole[8 + length :])
    tensors = sorted(key for key in header if key != "__metadata__")
    kind = rng.randrange(10)
    if kind < 6:
        metadata = header["__metadata__"]
        key = rng.choice(sorted(metadata))
        if rng.random() < 0.05:
            metadata[key] = rng.choice(HEADERS)
        else:
            metadata[key] = _changed(metadata[key], rng)
    elif kind == 6:
        entry = header[rng.choice(tensors)]
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        entry["dtype"], width = rng.choice([own for own in TYPES.items() if size % own[1] == 0])
        entry["shape"] = rng.choice([[size // width], [1, size // width], [1] * 9 + [size // width]])
    elif kind == 7:
        one, other = rng.sample(tensors, 2)
        header[one], header[other] = header[other], header[one]
    elif kind == 8:
        for _ in range(50):
            place = rng.randrange(len(numbers) - 1)
            numbers[place : place + 2] = rng.choice(HALVES)
    else:
        return whole[: rng.randrange(len(whole))]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(numbers)


def _changed(text: str, rng: random.Random) -> str:
    """JSON with up to three values removed, added or replaced; other text is replaced as a whole."""
    try:
        tree = json.loads(text)
    except ValueError:
        return rng.choice(HEADERS)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(_places(tree))
        if not places:
            break
        holder, key = rng.choice(places)
        value, action = copy.deepcopy(rng.choice(VALUES)), rng.randrange(4)
        if action == 0:
            del holder[key]
        elif action == 1 and isinstance(holder, dict):
            holder["new"] = value
        elif action == 1:
            holder.append(value)
        else:
            holder[key] = value
    return json.dumps(tree)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each container below a JSON value with each of its keys."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
