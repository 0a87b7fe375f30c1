"""`geoinv weights convert`: a file of TriPlaneNet -> encoder and local branch of ours, for a generator of EG3D.

``state_dict`` has the encoder as ``psp_encoder``, the U-Net as ``triplanenet_encoder`` and the generator that both were
trained with as ``decoder``, which is compared with the one that they are converted for. Optimisers, options and a
discriminator are left out. Numbers stay float32; tensors go from file to file one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import CheckpointError
from ..folders import sha256_of
from ..models.config import GeneratorConfig
from ..models.triplanenet.encoder import TriPlaneNetEncoder
from ..models.triplanenet.plane_offsets import PlaneOffsets
from .foreign_networks import ForeignNetwork, Numbers, check_network, claimed_numbers, write_networks
from .foreign_tensors import read_numbers
from .model_files import generator_path, model_file, model_name
from .model_format import read_model_header
from .network_files import read_network_file
from .registry import NETWORK_PARTS, register
from .torch_pickles import StoredTensor, printable
from .triplanenet_layout import ENCODER, GENERATOR, OFFSETS, detail_config, encoder_config, ours, part_of

_SOURCE = "TriPlaneNet (Bhattarai et al., WACV 2024)"
_LICENCE = "MIT, as TriPlaneNet's repository; what its generator makes is under the generator's licence"
_MEAN = "backbone.mapping.w_avg"
_SAME = 1e-3  # of a generator's numbers, which files in half precision round


@dataclass(frozen=True)
class ConvertedEncoder:
    """Result of a conversion.

    Args:
        paths: The files that were written: encoder and local branch.
        names: The names that they are registered by, in the same order.
        parameters: Number of numbers in them.
        source_sha256: Hash of the file that was read.
        left_out: Entries of the file that are not used.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    parameters: int
    source_sha256: str
    left_out: list[str]


def is_triplanenet(root: Mapping[Any, Any]) -> bool:
    """Whether the entries of a file may be TriPlaneNet's."""
    tensors = root.get("state_dict")
    return type(tensors) is dict and any(type(name) is str and name.startswith(f"{ENCODER}.") for name in tensors)


def convert_triplanenet(source: Path, target: Path, model: str) -> ConvertedEncoder:
    """Write encoder and local branch as files of ours, and register them for the generator.

    Args:
        source: TriPlaneNet's file, version 1 or 2.
        target: ``X.safetensors``; the files are ``X-encoder.safetensors`` and ``X-details.safetensors``.
        model: The generator that they belong to, by name or file.

    Raises:
        CheckpointError: The file is cut, damaged, an attack, of something else, of networks that ours do not compute,
            or was trained with another generator; or there is no such generator.
        UsageError: The index of registered encoders cannot be written.
    """
    base = generator_path(model)
    root = read_network_file(source)
    try:
        networks, generator = _networks(root, base, model_name(model))
        if claimed_numbers(networks) > source.stat().st_size:
            raise CheckpointError("the tensors are larger than the file")
        _check_generator(generator, base)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error.message}", error.hint) from error
    sha256 = sha256_of(source)
    extra: dict[str, Any] = {
        "source_file": source.name,
        "source_sha256": sha256,
        "licence": _LICENCE,
        "generator_sha256": sha256_of(base),
    }
    paths = tuple(model_file(str(target), part) for part in NETWORK_PARTS)
    write_networks(networks, paths, extra, source=f"{source}: ")
    name = model_name(str(target))
    names = tuple(
        register(path, part, f"{name}-{part}", source=_SOURCE, licence=_LICENCE)
        for part, path in zip(NETWORK_PARTS, paths, strict=True)
    )
    count = sum(network.parameters for network in networks)
    return ConvertedEncoder(paths, names, count, sha256, sorted(printable(key) for key in root if key != "state_dict"))


def _networks(root: dict[Any, Any], base: Path, name: str) -> tuple[list[ForeignNetwork], dict[str, StoredTensor]]:
    """Encoder and local branch in the file, and the generator that it has beside them."""
    state = root.get("state_dict")
    if type(state) is not dict or not is_triplanenet(root):
        raise CheckpointError("the file holds no networks of TriPlaneNet", "give its .pt with state_dict")
    stray = [key for key, value in state.items() if type(key) is not str or type(value) is not StoredTensor]
    if stray:
        raise CheckpointError(f"the state_dict has {printable(stray[0])}, which is no tensor")
    parts = {entry: part_of(entry, state) for entry in (ENCODER, OFFSETS, GENERATOR)}
    unknown = len(state) - sum(len(part) for part in parts.values())
    if unknown:
        first = next(key for key in state if key.partition(".")[0] not in parts)
        raise CheckpointError(f"the state_dict has {printable(first)}, which TriPlaneNet has not")
    of_encoder, of_details = encoder_config(parts[ENCODER], name), detail_config(parts[OFFSETS], name)
    generator = GeneratorConfig.from_dict(read_model_header(base, "generator")[0])
    ws, planes = (of_encoder.num_ws, of_encoder.w_dim), of_details.plane_channels
    if ws != (generator.num_ws, generator.w_dim) or planes != generator.backbone.out_channels:
        raise CheckpointError(
            f"its codes {list(ws)} and {planes} channels of planes are not those of {name}, "
            f"[{generator.num_ws}, {generator.w_dim}] and {generator.backbone.out_channels}",
            "name the generator of EG3D that it was trained with: --model",
        )
    found: dict[str, Numbers] = dict(ours(ENCODER, parts[ENCODER]))
    found["w_avg"] = _mean_code(base, generator.w_dim)
    check_network(found, lambda: TriPlaneNetEncoder(of_encoder), "TriPlaneNet's encoder")
    offsets: dict[str, Numbers] = dict(ours(OFFSETS, parts[OFFSETS]))
    check_network(offsets, lambda: PlaneOffsets(of_details), "TriPlaneNet's U-Net")
    networks = [
        ForeignNetwork("encoder", asdict(of_encoder), found),
        ForeignNetwork("details", asdict(of_details), offsets),
    ]
    return networks, parts[GENERATOR]


def _mean_code(base: Path, w_dim: int) -> Tensor:
    """The generator's mean code, which is in no file of TriPlaneNet's."""
    with safe_open(base, framework="pt") as file:
        mean: Tensor = file.get_tensor(_MEAN).float()
    if mean.shape != (w_dim,):
        raise CheckpointError(f"{base}: {_MEAN} is {list(mean.shape)}")
    return mean


def _check_generator(theirs: Mapping[str, StoredTensor], base: Path) -> None:
    """Refuse networks that were trained with another generator than the one that they are to be used with."""
    with safe_open(base, framework="pt") as file:
        for name in sorted(set(file.keys()) & set(theirs)):  # low-pass filters are in one of them alone
            own, other = file.get_tensor(name).float(), read_numbers(theirs[name], name)
            if own.shape != other.shape or not torch.allclose(own, other, rtol=_SAME, atol=_SAME):
                raise CheckpointError(
                    f"it was trained with another generator than {base}: their {name} differ",
                    "name the generator of EG3D that it was trained with: --model",
                )
