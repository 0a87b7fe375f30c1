"""Finding, verifying, loading and saving of weights: safetensors with the configuration in the header.

Weights of our own training are stored in float16, converted ones in float32; all are used in float32.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import CheckpointError, MissingDetailsError, MissingEncoderError
from ..files import atomic_path
from ..folders import cache_dir, sha256_of, weights_dir
from ..models.anchored_generator import AnchoredGenerator
from ..models.config import DetailConfig, EncoderConfig, GeneratorConfig
from ..models.encoder import GlobalEncoder
from ..models.families import AnyConfig, AnyEncoder, AnyGenerator, AnyLocalBranch, family_of
from ..models.generator import TriPlaneGenerator
from ..models.local_branch import LocalBranch
from .index import load_index

__all__ = [
    "ModelInfo",
    "cache_dir",
    "generator_path",
    "load_anchored_generator",
    "load_any_details",
    "load_any_encoder",
    "load_any_generator",
    "load_encoder",
    "load_generator",
    "model_config",
    "model_file",
    "model_metadata",
    "save_model",
    "sha256_of",
    "weights_dir",
]

FORMAT = "geoinv-model-1"

Kind = Literal["generator", "encoder", "details"]
Part = Literal["generator", "encoder", "encoder-nogeometry", "directions", "details"]
_GENERATOR = "-generator.safetensors"
_CONVERTED_BY_HAND = "e3dge"  # nobody serves its files at a plain address
_KINDS: dict[type, Kind] = {GeneratorConfig: "generator", EncoderConfig: "encoder", DetailConfig: "details"}


Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class ModelInfo:
    """Origin of weights: name or file, SHA-256 of the file, and what was written beside them."""

    name: str
    path: Path
    sha256: str
    extra: dict[str, Any]


def model_file(model: str, part: Part) -> Path:
    """Path of a part of a model, which may be missing.

    Args:
        model: A name, whose files are ``NAME-PART.safetensors`` in the folder of shipped or of fetched weights; or the
            path of a generator, which is itself, with the other parts beside it: ``X.safetensors`` and
            ``X-generator.safetensors`` have ``X-PART.safetensors``.
        part: Part of the model.
    """
    if model.endswith(".safetensors") or os.sep in model:
        path = Path(model)
        if part == "generator":
            return path
        return path.with_name(f"{path.stem.removesuffix('-generator')}-{part}.safetensors")
    folder = weights_dir()
    is_fetched = not (folder / f"{model}{_GENERATOR}").is_file() and (cache_dir() / f"{model}{_GENERATOR}").is_file()
    return (cache_dir() if is_fetched else folder) / f"{model}-{part}.safetensors"


def model_name(model: str) -> str:
    """Return the name of a model that was given by name or by its generator's path: without folders, for reports."""
    if model.endswith(".safetensors") or os.sep in model:
        return Path(model).stem.removesuffix("-generator")
    return model


def generator_path(model: str) -> Path:
    """The file of a generator, by name ("mini") or path.

    Raises:
        CheckpointError: There is no such file; the hint lists the names that exist, or how to fetch it.
    """
    path = model_file(model, "generator")
    if path.is_file():
        return path
    if model.endswith((".pkl", ".pt", ".pth")):
        raise CheckpointError(
            f"{model} is no file of geoinv",
            f"convert it: geoinv weights convert {model} {Path(model).stem}.safetensors",
        )
    if model == _CONVERTED_BY_HAND:
        files = "ffhq1024x1024.pt ffhq_vol_renderer.pt E3DGE_Full_Runner.pt"
        raise CheckpointError(
            f"the weights of model {model!r} are not here",
            f"get E3DGE's files, then: geoinv weights convert {files} {model}",
        )
    entry = load_index().get(model)
    if entry is not None and entry.url is not None:
        accept = " --accept-licence" if entry.non_commercial else ""
        read = f"read {entry.licence_url or 'the licence'}, then " if accept else ""
        raise CheckpointError(
            f"the weights of model {model!r} are not here", f"{read}get them: geoinv weights fetch {model}{accept}"
        )
    names = sorted(
        {p.name.removesuffix(_GENERATOR) for d in (weights_dir(), cache_dir()) for p in d.glob(f"*{_GENERATOR}")}
    )
    raise CheckpointError(f"no weights of model {model!r} at {path}", f"known models: {', '.join(names) or 'none'}")


def save_model(
    path: Path,
    module: nn.Module,
    config: GeneratorConfig | EncoderConfig | DetailConfig,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write parameters and buffers as float16 with configuration and ``extra`` (JSON values), whole or not at all."""
    tensors = {name: value.detach().to(torch.float16).contiguous() for name, value in module.state_dict().items()}
    metadata = model_metadata(_KINDS[type(config)], asdict(config), extra or {})
    with atomic_path(path, durable=True) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def model_metadata(kind: Kind, config: dict[str, Any], extra: dict[str, Any]) -> dict[str, str]:
    """The header of a model's file."""
    header = {"format": FORMAT, "kind": kind, "config": config, "extra": extra}
    # one key, because safetensors writes several in no fixed order and the same weights should be the same bytes
    return {"geoinv": json.dumps(header, sort_keys=True)}


def _read(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Configuration, extra values and float32 tensors of a file."""
    config, extra = _read_header(path, kind)
    try:
        with safe_open(path, framework="pt") as file:
            return config, extra, {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or train it again") from error


def model_config(path: Path) -> AnyConfig:
    """The configuration of a generator's file.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    return family_of(config := _read_header(path, "generator")[0]).config(config)


def _read_header(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and extra values of a model's file."""
    header = read_header(path)
    if header.get("format") != FORMAT or header.get("kind") != kind:
        raise CheckpointError(f"{path} holds no geoinv {kind}", "it may be another tool's file")
    config, extra = header.get("config"), header.get("extra")
    if not isinstance(config, dict) or not isinstance(extra, dict):
        raise CheckpointError(f"{path} is damaged: its header lacks config or extra", "fetch or train it again")
    return config, extra


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


def _filled(build: Callable[[], Network], tensors: dict[str, Tensor], path: Path) -> Network:
    """A module with the file's tensors, built without memory for its own: a header may claim any size."""
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


def load_generator(model: str = "mini", device: torch.device | str = "cpu") -> tuple[TriPlaneGenerator, ModelInfo]:
    """A tri-plane generator by name or safetensors file, in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator of another family.
    """
    generator, info = load_any_generator(model, device)
    return _of_class(generator, TriPlaneGenerator, info.path), info


def load_any_generator(model: str = "mini", device: torch.device | str = "cpu") -> tuple[AnyGenerator, ModelInfo]:
    """A generator of any family that photos are inverted into, as :func:`load_generator` gives tri-planes.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator on the head mesh.
    """
    path = generator_path(model)
    config, extra, tensors = _read(path, "generator")
    if config.get("anchor") is not None:
        raise CheckpointError(f"{path} is a generator on the head mesh", "no encoder finds its codes in photos yet")
    generator = _filled(family_of(config).generator(config), tensors, path)
    return _for_use(generator, device), ModelInfo(model_name(model), path, sha256_of(path), extra)


def load_anchored_generator(model: str, device: torch.device | str = "cpu") -> tuple[AnchoredGenerator, ModelInfo]:
    """A generator on the head mesh by name or safetensors file, in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator without an anchor.
    """
    path, config, extra, tensors = _read_generator(model)
    if config.anchor is None:
        raise CheckpointError(
            f"{path} is no generator on the head mesh", "train one: geoinv train generator --anchored"
        )
    generator = _filled(lambda: AnchoredGenerator(config), tensors, path)
    return _for_use(generator, device), ModelInfo(model_name(model), path, sha256_of(path), extra)


def _read_generator(model: str) -> tuple[Path, GeneratorConfig, dict[str, Any], dict[str, Tensor]]:
    """Path, configuration, extra values and float32 tensors of a generator."""
    path = generator_path(model)
    config, extra, tensors = _read(path, "generator")
    return path, GeneratorConfig.from_dict(config), extra, tensors


def _of_class(network: nn.Module, wanted: type[Network], path: Path) -> Network:
    """The network, which has to be of the tri-plane family for what is to be done with it."""
    if not isinstance(network, wanted):
        raise CheckpointError(
            f"{path} is of another family than tri-planes, which this cannot work with",
            "invert, render, edit and export-mesh can; for anything else use mini or a model of EG3D",
        )
    return network


def load_sibling(
    model: str, config: AnyConfig, family: str, device: torch.device | str = "cpu"
) -> tuple[AnyGenerator, ModelInfo]:
    """A generator that understands the codes of another: built the same, with weights of its own.

    Args:
        model: Name or file.
        config: Configuration of the generator whose codes it is to show; only the name may differ.
        family: Name of that generator, for the message.
        device: Device to load it on.

    Raises:
        CheckpointError: No such generator, a damaged file, or another configuration.
    """
    generator, info = load_any_generator(model, device)
    own, other = config.to_dict(), generator.config.to_dict()
    different = sorted(key for key in own.keys() | other.keys() if key != "name" and own.get(key) != other.get(key))
    if different:
        raise CheckpointError(
            f"{info.path} is not of the family of {family}: they differ in {', '.join(different)}",
            f"give a generator that was fine-tuned from {family}; its codes mean nothing to any other",
        )
    return generator, info


def load_encoder(model: str = "mini", device: torch.device | str = "cpu") -> tuple[GlobalEncoder, ModelInfo]:
    """The encoder that belongs to a tri-plane generator ("mini"), or lies beside its file.

    Raises:
        MissingEncoderError: There is none.
        CheckpointError: It is damaged, was trained for other generator weights, or is of another family.
    """
    encoder, info = load_any_encoder(model, device)
    return _of_class(encoder, GlobalEncoder, info.path), info


def load_any_encoder(
    model: str = "mini", device: torch.device | str = "cpu", *, file: Path | None = None
) -> tuple[AnyEncoder, ModelInfo]:
    """The encoder of a generator of any family, as :func:`load_encoder` gives those of tri-planes.

    Args:
        model: Name or file of the generator.
        device: Device to load it on.
        file: Its file; None for the one that lies beside the generator.

    Raises:
        MissingEncoderError: There is none.
        CheckpointError: It is damaged, or was trained for other generator weights.
    """
    generator_path(model)
    if file is not None:
        return _encoder_of(model, file, device)
    path = model_file(model, "encoder")
    if not path.is_file():
        raise MissingEncoderError(f"no encoder for model {model!r} at {path}", _encoder_hint(model))
    return _encoder_of(model, path, device)


def _encoder_hint(model: str) -> str:
    """Hint for a missing encoder."""
    hint = "`geoinv invert --method optimise` works without one"
    if model_file(model, "generator") == weights_dir() / f"mini{_GENERATOR}":
        return f"{hint}; reinstall geoinv to have the one that ships"
    if "family" in _read_header(generator_path(model), "generator")[0]:
        return "convert the model again, with the file of its encoder"
    return f"{hint}; `geoinv train encoder --self --model {model}` makes one of the generator's own samples"


def load_encoder_of(model: str, path: Path, device: torch.device | str = "cpu") -> tuple[GlobalEncoder, ModelInfo]:
    """An encoder from its file, for a generator by name or file; in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: The file is missing or damaged, was trained for other generator weights, or is of another
            family than tri-planes.
    """
    encoder, info = _encoder_of(model, path, device)
    return _of_class(encoder, GlobalEncoder, path), info


def _encoder_of(model: str, path: Path, device: torch.device | str) -> tuple[AnyEncoder, ModelInfo]:
    encoder, info = _any_encoder_file(path)
    if misfit := trained_for_others(model, path, info.extra):
        raise CheckpointError(misfit, "use files that were trained together")
    return _for_use(encoder, device), replace(info, name=model)


def load_encoder_file(path: Path) -> tuple[GlobalEncoder, ModelInfo]:
    """An encoder of tri-planes from its file, whatever generator it was trained for.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    encoder, info = _any_encoder_file(path)
    return _of_class(encoder, GlobalEncoder, path), info


def _any_encoder_file(path: Path) -> tuple[AnyEncoder, ModelInfo]:
    config, extra, tensors = _read(path, "encoder")
    encoder = _filled(family_of(config).encoder(config), tensors, path)
    return encoder, ModelInfo(str(path), path, sha256_of(path), extra)


def _for_use(network: Network, device: torch.device | str) -> Network:
    """The network on its device, in eval mode without gradients to its parameters."""
    network = network.to(device=device)
    if all(parameter.ndim != 5 for parameter in network.parameters()):  # torch has no such order for five axes
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def load_details(
    model: str = "mini",
    device: torch.device | str = "cpu",
    *,
    file: Path | None = None,
    encoder: Path | None = None,
) -> tuple[LocalBranch, ModelInfo]:
    """The local branch that belongs to a tri-plane generator ("mini") and to its encoder; see :func:`load_any_details`.

    Raises:
        MissingDetailsError: There is none, or it was trained for another generator or another encoder.
        CheckpointError: It is damaged, or is of another family.
    """
    branch, info = load_any_details(model, device, file=file, encoder=encoder)
    return _of_class(branch, LocalBranch, info.path), info


def load_any_details(
    model: str = "mini",
    device: torch.device | str = "cpu",
    *,
    file: Path | None = None,
    encoder: Path | None = None,
) -> tuple[AnyLocalBranch, ModelInfo]:
    """The local branch of a generator of any family, as :func:`load_details` gives those of tri-planes.

    Older files do not say which encoder they were trained for; they are taken for the one that is there.

    Args:
        model: Name or file of the generator.
        device: Device to load it on.
        file: Its file; None for the one that lies beside the generator.
        encoder: The encoder that is used; None for the one that lies beside the generator.

    Raises:
        MissingDetailsError: There is none, or it was trained for another generator or another encoder.
        CheckpointError: It is damaged.
    """
    generator_path(model)
    path = file or model_file(model, "details")
    if not path.is_file():
        raise MissingDetailsError(
            f"no local branch for model {model!r} at {path}", _details_hint(model, "`--method encoder` does without")
        )
    branch, info = _any_details_file(path)
    if misfit := trained_for_others(model, path, info.extra, encoder=encoder):
        hint = _details_hint(model, "use files that were trained together, or `--method encoder`")
        raise MissingDetailsError(misfit, hint)
    return _for_use(branch, device), replace(info, name=model)


def load_details_of(model: str, path: Path, sha256: str, device: torch.device | str = "cpu") -> AnyLocalBranch:
    """The local branch of a file that is known by its hash, for a generator by name or file.

    Raises:
        MissingDetailsError: The file is missing, or is another by now.
        CheckpointError: It is damaged.
    """
    hint = "put it back, or invert the photo again"
    if not path.is_file():
        raise MissingDetailsError(f"no local branch for model {model!r} at {path}", hint)
    branch, info = _any_details_file(path)
    if info.sha256 != sha256:
        raise MissingDetailsError(f"{path} is another local branch by now", hint)
    return _for_use(branch, device)


def trained_for_others(model: str, path: Path, extra: Mapping[str, Any], *, encoder: Path | None = None) -> str | None:
    """Why the weights at ``path`` do not belong to a model, or None where they do or do not say.

    Args:
        model: Name or path of the generator.
        path: The weights' file, for the message.
        extra: Their header's ``extra``, where ``generator_sha256`` and ``encoder_sha256`` name the files that were
            beside them in training.
        encoder: The encoder that is used; None for the one that lies beside the generator.
    """
    others = {"generator": model_file(model, "generator"), "encoder": encoder or model_file(model, "encoder")}
    for part, other in others.items():
        expected = extra.get(f"{part}_sha256")
        if expected is not None and other.is_file() and expected != (found := sha256_of(other)):
            return f"{path} was trained for other weights than {other} ({str(expected)[:12]}, not {found[:12]})"
    return None


def _details_hint(model: str, otherwise: str) -> str:
    is_shipped = model_file(model, "details") == weights_dir() / "mini-details.safetensors"
    made = "reinstall geoinv" if is_shipped else f"`geoinv train local --self --model {model}` makes one"
    return f"{made}; {otherwise}"


def load_details_file(path: Path) -> tuple[LocalBranch, ModelInfo]:
    """A local branch of tri-planes from its file, whatever generator it was trained for.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    branch, info = _any_details_file(path)
    return _of_class(branch, LocalBranch, path), info


def _any_details_file(path: Path) -> tuple[AnyLocalBranch, ModelInfo]:
    config, extra, tensors = _read(path, "details")
    branch = _filled(family_of(config).details(config), tensors, path)
    return branch, ModelInfo(str(path), path, sha256_of(path), extra)
