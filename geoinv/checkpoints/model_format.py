"""The file of a network: safetensors with the configuration in the header.

Weights of our own training are stored in float16, converted ones in float32, and those that ship may be in 8 bits
(:mod:`.eight_bits`); all are used in float32.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import CheckpointError
from ..files import atomic_path
from ..models.config import GeneratorConfig
from ..models.detail_config import DetailConfig
from ..models.encoder_config import EncoderConfig
from .eight_bits import halves, packed, unpacked

FORMAT = "geoinv-model-1"
FORMAT_OF_8_BITS = "geoinv-model-2"
"""Of files that may hold tensors in 8 bits, which former versions cannot read."""

Kind = Literal["generator", "encoder", "details"]
_KINDS: dict[type, Kind] = {GeneratorConfig: "generator", EncoderConfig: "encoder", DetailConfig: "details"}

Network = TypeVar("Network", bound=nn.Module)


def save_model(
    path: Path,
    module: nn.Module,
    config: GeneratorConfig | EncoderConfig | DetailConfig,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write parameters and buffers as float16 with configuration and ``extra`` (JSON values), whole or not at all."""
    values = config.to_dict() if isinstance(config, GeneratorConfig) else asdict(config)
    _write(path, halves(module.state_dict()), model_metadata(_KINDS[type(config)], values, extra or {}))


def save_changes(
    path: Path, changed: Mapping[str, Tensor], config: GeneratorConfig, *, base: BaseModel, extra: dict[str, Any]
) -> None:
    """Write a generator that differs from another in a few tensors: those alone, as float16, whole or not at all.

    Args:
        path: The file.
        changed: Tensors that differ, by name.
        config: Configuration of the generator.
        base: The other generator.
        extra: JSON values for the header.
    """
    _write(path, halves(changed), model_metadata("generator", config.to_dict(), extra, base=base))


def save_anew(source: Path, out: Path, kind: Kind, *, in_8_bits: bool, extra: Mapping[str, Any]) -> None:
    """Write a model's file anew, whole or not at all.

    Args:
        source: The file.
        out: The file to write.
        kind: What it holds.
        in_8_bits: Whether its large tensors are to be in 8 bits, which halves it; else they are float16.
        extra: Values of the header's ``extra`` that change, such as hashes of files that were packed as well.

    Raises:
        CheckpointError: The file is missing, damaged, holds something else, or only changes of another.
    """
    config, known, tensors = read_model(source, kind)
    if read_base(source) is not None:
        raise CheckpointError(f"{source} holds changes of another file alone", "pack the other one")
    version = FORMAT_OF_8_BITS if in_8_bits else FORMAT
    metadata = model_metadata(kind, config, known | dict(extra), version=version)
    _write(out, packed(tensors) if in_8_bits else halves(tensors), metadata)


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with atomic_path(path, durable=True) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


@dataclass(frozen=True)
class BaseModel:
    """The generator that a file's tensors are changes of.

    Args:
        name: Its name; its file lies beside the other, or where models of that name lie.
        sha256: Hash of its file.
    """

    name: str
    sha256: str


def model_metadata(
    kind: Kind,
    config: dict[str, Any],
    extra: dict[str, Any],
    *,
    base: BaseModel | None = None,
    version: str = FORMAT,
) -> dict[str, str]:
    """The header of a model's file."""
    header = {"format": version, "kind": kind, "config": config, "extra": extra}
    if base is not None:
        header["base"] = asdict(base)
    # one key, because safetensors writes several in no fixed order and the same weights should be the same bytes
    return {"geoinv": json.dumps(header, sort_keys=True)}


def read_model(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Configuration, extra values and float32 tensors of a model's file.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    config, extra = read_model_header(path, kind)
    try:
        with safe_open(path, framework="pt") as file:
            return config, extra, unpacked({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or train it again") from error


def read_model_header(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and extra values of a model's file.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    header = read_header(path)
    if header.get("format") not in (FORMAT, FORMAT_OF_8_BITS) or header.get("kind") != kind:
        raise CheckpointError(f"{path} holds no geoinv {kind}", "it may be another tool's file")
    config, extra = header.get("config"), header.get("extra")
    if not isinstance(config, dict) or not isinstance(extra, dict):
        raise CheckpointError(f"{path} is damaged: its header lacks config or extra", "fetch or train it again")
    return config, extra


def read_base(path: Path) -> BaseModel | None:
    """The generator that a file's tensors are changes of; None for a whole one.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    base = read_header(path).get("base")
    if base is None:
        return None
    named = isinstance(base, dict) and all(isinstance(base.get(key), str) for key in ("name", "sha256"))
    if not named or not re.fullmatch(r"[\w-]+", base["name"]):  # a name, not a path: it comes from a file
        raise CheckpointError(f"{path} is damaged: its header does not say what it changes", "fetch or train it again")
    return BaseModel(base["name"], base["sha256"])


def read_header(path: Path) -> dict[str, Any]:
    """Entries that geoinv wrote into the header of a safetensors file; none in another tool's file.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("geoinv", "{}"))
    except FileNotFoundError as error:
        raise CheckpointError(f"no such file: {path}", "`geoinv weights list` names what geoinv knows") from error
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or make it again") from error
    return header if isinstance(header, dict) else {}


def filled(build: Callable[[], Network], tensors: dict[str, Tensor], path: Path) -> Network:
    """A module with the file's tensors, built without memory for its own: a header may claim any size.

    Args:
        build: Builds the module of the file's configuration.
        tensors: Tensors of the file.
        path: The file, for messages.

    Raises:
        CheckpointError: The configuration cannot be built, or the tensors do not fit it.
    """
    try:
        with torch.device("meta"):
            module = build()
    except (TypeError, ValueError, RuntimeError, KeyError, IndexError, ArithmeticError, AssertionError) as error:
        raise CheckpointError(f"{path} has a configuration that cannot be built", "it is damaged") from error
    expected = module.state_dict()
    wrong = [
        f"{name} {list(tensors[name].shape) if name in tensors else 'missing'}"
        for name in expected
        if name not in tensors or tensors[name].shape != expected[name].shape
    ]
    wrong += [f"{name} unused" for name in tensors if name not in expected]
    if wrong:
        raise CheckpointError(f"{path} does not fit its configuration: {', '.join(wrong[:4])}")
    module.load_state_dict(tensors, assign=True)
    return module
