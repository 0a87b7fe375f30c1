"""Loading of models by name or file, each part for the others that it was trained with.

Where files lie is said in :mod:`.model_files`, what is in them in :mod:`.model_format`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, MissingDetailsError, MissingEncoderError
from ..folders import cache_dir, sha256_of, weights_dir
from ..models.anchored_generator import AnchoredGenerator
from ..models.encoder import GlobalEncoder
from ..models.families import AnyConfig, AnyEncoder, AnyGenerator, AnyLocalBranch, OfPlanes, family_of
from ..models.generator import TriPlaneGenerator
from ..models.local_branch import LocalBranch
from .model_files import generator_path, model_file, model_name, trained_for_others
from .model_format import (
    BaseModel,
    Network,
    filled,
    model_metadata,
    read_base,
    read_model,
    read_model_header,
    save_model,
)
from .registry import details_file, encoder_file

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


@dataclass(frozen=True)
class ModelInfo:
    """Origin of weights: name or file, SHA-256 of the file, and what was written beside them."""

    name: str
    path: Path
    sha256: str
    extra: dict[str, Any]


def model_config(path: Path) -> AnyConfig:
    """The configuration of a generator's file.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    return family_of(config := read_model_header(path, "generator")[0]).config(config)


def load_generator(model: str = "mini", device: torch.device | str = "cpu") -> tuple[TriPlaneGenerator, ModelInfo]:
    """A tri-plane generator by name or safetensors file, in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator of another family.
    """
    generator, info = load_any_generator(model, device)
    if isinstance(generator, AnchoredGenerator):
        raise CheckpointError(
            f"{info.path} is a generator on the head mesh, which this cannot work with",
            "give --model a model of EG3D, or one that `geoinv train generator` made",
        )
    return _of_class(generator, TriPlaneGenerator, info.path), info


def load_generator_of_planes(model: str, device: torch.device | str = "cpu") -> tuple[OfPlanes, ModelInfo]:
    """A tri-plane generator, or one on the head mesh, as :func:`load_generator` gives tri-planes.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator of another family.
    """
    generator, info = load_any_generator(model, device)
    if not isinstance(generator, AnchoredGenerator):
        return _of_class(generator, TriPlaneGenerator, info.path), info
    return generator, info


def load_any_generator(model: str = "mini", device: torch.device | str = "cpu") -> tuple[AnyGenerator, ModelInfo]:
    """A generator of any family that photos are inverted into, as :func:`load_generator` gives tri-planes.

    Raises:
        CheckpointError: No such model, or a damaged or foreign file.
    """
    path = generator_path(model)
    config, extra, tensors = read_model(path, "generator")
    if (base := read_base(path)) is not None:
        tensors = _unchanged(path, base) | tensors
    generator = filled(family_of(config).generator(config), tensors, path)
    return _for_use(generator, device), ModelInfo(model_name(model), path, sha256_of(path), extra)


def _unchanged(path: Path, base: BaseModel) -> dict[str, Tensor]:
    """Tensors of the generator that the file at ``path`` changes.

    Raises:
        CheckpointError: It is not here, damaged, or another one by now.
    """
    beside = path.with_name(model_file(base.name, "generator").name)
    source = beside if beside.is_file() else generator_path(base.name)
    if (found := sha256_of(source)) != base.sha256:
        raise CheckpointError(
            f"{path} changes other weights than {source} ({base.sha256[:12]}, not {found[:12]})",
            "use files that belong together; `geoinv train toon` makes a toon of the weights that are there",
        )
    return read_model(source, "generator")[2]


def load_anchored_generator(model: str, device: torch.device | str = "cpu") -> tuple[AnchoredGenerator, ModelInfo]:
    """A generator on the head mesh by name or safetensors file, in eval mode without gradients to its parameters.

    Raises:
        CheckpointError: No such model, a damaged or foreign file, or a generator without an anchor.
    """
    generator, info = load_any_generator(model, device)
    if not isinstance(generator, AnchoredGenerator):
        raise CheckpointError(
            f"{info.path} is no generator on the head mesh", "train one: geoinv train generator --anchored"
        )
    return generator, info


def _of_class(network: nn.Module, wanted: type[Network], path: Path) -> Network:
    """The network, which has to be of the tri-plane family for what is to be done with it."""
    if not isinstance(network, wanted):
        raise CheckpointError(
            f"{path} is of another family than tri-planes, which this cannot work with",
            "invert, render, edit and export-mesh can; for anything else use a model of EG3D",
        )
    return network


def load_sibling(
    model: str, config: AnyConfig, family: str, device: torch.device | str = "cpu"
) -> tuple[AnyGenerator, ModelInfo]:
    """A generator that understands the codes of another: built the same, with weights of its own.

    Args:
        model: Name or file.
        config: Configuration of the generator whose codes it is to show; only name and proportions may differ.
        family: Name of that generator, for the message.
        device: Device to load it on.

    Raises:
        CheckpointError: No such generator, a damaged file, or another configuration.
    """
    generator, info = load_any_generator(model, device)
    own, other = config.to_dict(), generator.config.to_dict()
    decisive = (own.keys() | other.keys()) - {"name", "proportions"}
    different = sorted(key for key in decisive if own.get(key) != other.get(key))
    if different:
        raise CheckpointError(
            f"{info.path} is not of the family of {family}: they differ in {', '.join(different)}",
            f"give a generator that was fine-tuned from {family}; its codes mean nothing to any other",
        )
    return generator, info


def load_encoder(
    model: str = "mini", device: torch.device | str = "cpu", *, file: Path | None = None
) -> tuple[GlobalEncoder, ModelInfo]:
    """The encoder that belongs to a tri-plane generator ("mini"); see :func:`load_any_encoder`.

    Raises:
        MissingEncoderError: There is none.
        CheckpointError: It is damaged, was trained for other generator weights, or is of another family.
    """
    encoder, info = load_any_encoder(model, device, file=file)
    return _of_class(encoder, GlobalEncoder, info.path), info


def load_any_encoder(
    model: str = "mini", device: torch.device | str = "cpu", *, file: Path | None = None
) -> tuple[AnyEncoder, ModelInfo]:
    """The encoder of a generator of any family, as :func:`load_encoder` gives those of tri-planes.

    Args:
        model: Name or file of the generator.
        device: Device to load it on.
        file: Its file; None for the one that lies beside the generator or is registered for it.

    Raises:
        MissingEncoderError: There is none beside the generator, nor a registered one.
        CheckpointError: It is damaged, was trained for other generator weights, or ``file`` is missing.
    """
    generator_path(model)
    path = file or encoder_file(model)
    if file is None and not path.is_file():
        raise MissingEncoderError(f"no encoder for model {model!r} at {path}", _encoder_hint(model))
    encoder, info = _any_encoder_file(path)
    if misfit := trained_for_others(model, path, info.extra):
        raise CheckpointError(misfit, "use files that were trained together")
    return _for_use(encoder, device), replace(info, name=model)


def _encoder_hint(model: str) -> str:
    """Hint for a missing encoder."""
    hint = "`geoinv invert --method optimise` works without one"
    if model_file(model, "generator") == weights_dir() / "mini-generator.safetensors":
        return f"{hint}; reinstall geoinv to have the one that ships"
    if "family" in read_model_header(generator_path(model), "generator")[0]:
        return "convert the model again, with the file of its encoder"
    return f"{hint}; `geoinv train encoder --self --model {model}` makes one of the generator's own samples"


def load_encoder_file(path: Path) -> tuple[GlobalEncoder, ModelInfo]:
    """An encoder of tri-planes from its file, whatever generator it was trained for.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    encoder, info = _any_encoder_file(path)
    return _of_class(encoder, GlobalEncoder, path), info


def _any_encoder_file(path: Path) -> tuple[AnyEncoder, ModelInfo]:
    config, extra, tensors = read_model(path, "encoder")
    encoder = filled(family_of(config).encoder(config), tensors, path)
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
        file: Its file; None for the one that lies beside generator or encoder or is registered for both.
        encoder: The encoder that is used; None for the generator's usual one.

    Raises:
        MissingDetailsError: There is none, or it was trained for another generator or another encoder.
        CheckpointError: It is damaged.
    """
    generator_path(model)
    encoder = encoder or encoder_file(model)
    path = file or details_file(model, encoder)
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
    config, extra, tensors = read_model(path, "details")
    branch = filled(family_of(config).details(config), tensors, path)
    return branch, ModelInfo(str(path), path, sha256_of(path), extra)
