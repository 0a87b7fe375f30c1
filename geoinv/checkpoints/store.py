"""Finding, verifying, loading and saving of weights: safetensors with the configuration in the header.

Weights are stored in float16 and used in float32. The shipped files lie in ``weights/`` of a checkout and in
``geoinv/_weights`` of an installed wheel; ``GEOINV_WEIGHTS`` names another folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import CheckpointError, MissingEncoderError
from ..files import atomic_path
from ..models.config import EncoderConfig, GeneratorConfig
from ..models.encoder import GlobalEncoder
from ..models.generator import TriPlaneGenerator

FORMAT = "geoinv-model-1"


@dataclass(frozen=True)
class ModelInfo:
    """Where weights came from: name or file, SHA-256 of the file, and what was written beside them."""

    name: str
    path: Path
    sha256: str
    extra: dict[str, Any]


def weights_dir() -> Path:
    """The folder of shipped weights.

    Raises:
        CheckpointError: There is none.
    """
    override = os.environ.get("GEOINV_WEIGHTS")
    package = Path(__file__).resolve().parents[1]
    candidates = [Path(override)] if override else [package / "_weights", package.parent / "weights"]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise CheckpointError(
        f"no folder of weights at {candidates[-1]}",
        "reinstall geoinv, or name the folder in GEOINV_WEIGHTS",
    )


def generator_path(model: str) -> Path:
    """The file of a generator, by name ("mini") or path.

    Raises:
        CheckpointError: There is no such file; the hint lists the names that exist.
    """
    if model.endswith(".safetensors"):
        path = Path(model)
    else:
        path = weights_dir() / f"{model}-generator.safetensors"
    if not path.is_file():
        names = sorted(p.name[: -len("-generator.safetensors")] for p in weights_dir().glob("*-generator.safetensors"))
        raise CheckpointError(f"no weights of model {model!r} at {path}", f"known models: {', '.join(names) or 'none'}")
    return path


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sha256_of(path: Path) -> str:
    """Hex digest of a file, remembered while its size and time stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def save_model(
    path: Path, module: nn.Module, config: GeneratorConfig | EncoderConfig, extra: dict[str, Any] | None = None
) -> None:
    """Write parameters and buffers as float16 with configuration and ``extra`` (JSON values), whole or not at all."""
    tensors = {name: value.detach().to(torch.float16).contiguous() for name, value in module.state_dict().items()}
    header = {
        "format": FORMAT,
        "kind": "generator" if isinstance(config, GeneratorConfig) else "encoder",
        "config": asdict(config),
        "extra": extra or {},
    }
    # one key, because safetensors writes several in no fixed order and the same weights should be the same bytes
    metadata = {"geoinv": json.dumps(header, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def _read(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("geoinv", "{}"))
            if header.get("format") != FORMAT or header.get("kind") != kind:
                raise CheckpointError(f"{path} holds no geoinv {kind}", "it may be another tool's file")
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        return header["config"], header["extra"], tensors
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or train it again") from error


def _fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = module.state_dict()
    wrong = [
        f"{name} {list(tensors[name].shape) if name in tensors else 'missing'}"
        for name in expected
        if name not in tensors or tensors[name].shape != expected[name].shape
    ]
    wrong += [f"{name} unused" for name in tensors if name not in expected]
    if wrong:
        raise CheckpointError(f"{path} does not fit its configuration: {', '.join(wrong[:4])}")
    module.load_state_dict(tensors)


def load_generator(model: str = "mini", device: torch.device | str = "cpu") -> tuple[TriPlaneGenerator, ModelInfo]:
    """A generator by name or safetensors file, in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: No such model, or a damaged or foreign file.
    """
    path = generator_path(model)
    config, extra, tensors = _read(path, "generator")
    generator = TriPlaneGenerator(GeneratorConfig.from_dict(config))
    _fill(generator, tensors, path)
    generator = generator.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator.eval().requires_grad_(False), ModelInfo(model, path, sha256_of(path), extra)


def load_encoder(model: str = "mini", device: torch.device | str = "cpu") -> tuple[GlobalEncoder, ModelInfo]:
    """The encoder that belongs to a generator ("mini"), or lies beside its file.

    Raises:
        CheckpointError: There is none, it is damaged, or it was trained for other generator weights.
    """
    generator = generator_path(model)
    path = generator.with_name(generator.name.replace("-generator", "-encoder"))
    if path == generator or not path.is_file():
        hint = "give --method optimise, or train one with `geoinv train encoder`"
        raise MissingEncoderError(f"no encoder for model {model!r} at {path}", hint)
    config, extra, tensors = _read(path, "encoder")
    if extra.get("generator_sha256") not in (None, sha256_of(generator)):
        raise CheckpointError(f"{path} was trained for other weights than {generator}", "use the pair that shipped")
    encoder = GlobalEncoder(EncoderConfig.from_dict(config))
    _fill(encoder, tensors, path)
    encoder = encoder.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder.eval().requires_grad_(False), ModelInfo(model, path, sha256_of(path), extra)
