"""`geoinv weights convert`: the files of StyleSDF and E3DGE -> generator, encoder and local branch of ours.

Numbers stay float32; tensors go from file to file one at a time. The mean codes, which are in no file and which the
official code draws anew at each start, are drawn once, here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..folders import sha256_of
from ..models.stylesdf.config import StyleSdfConfig
from ..models.stylesdf.encoder import StyleSdfEncoder
from ..models.stylesdf.generator import StyleSdfGenerator
from ..models.stylesdf.local_branch import StyleSdfLocalBranch
from .e3dge_files import StoredModel, Tensors, stored_model
from .e3dge_layout import detail_config, encoder_config, generator_config, is_filter, ours
from .foreign_networks import ForeignNetwork, Numbers, check_network, claimed_numbers, numbers_of, write_networks
from .foreign_tensors import check_fit
from .model_files import model_file, model_name
from .network_files import read_network_file

MEAN_CODES = 10_000
_MEAN_SEED = 0
_TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
_FILTER = _TAPS.outer(_TAPS) / 16.0  # at the gain of 4 that makes up for inserted zeros
_MAPPING = re.compile(r"(decoder\.)?style\.\d+\.(weight|bias)$")
_LICENCE = "that of the weights; E3DGE's and StyleSDF's own allow no commercial use"


@dataclass(frozen=True)
class ConvertedModel:
    """Result of a conversion.

    Args:
        paths: The files that were written: the generator first, then encoder and details where there are any.
        config: The generator's.
        parameters: Number of numbers in them.
        source_sha256: Hashes of the files that were read, by name.
        left_out: Entries of each file that are not used, by the file's name.
    """

    paths: tuple[Path, ...]
    config: StyleSdfConfig
    parameters: int
    source_sha256: dict[str, str]
    left_out: dict[str, list[str]]


def convert_e3dge(sources: list[Path], target: Path) -> ConvertedModel:
    """Write generator, and where their files are given encoder and local branch, as files of ours.

    Args:
        sources: One to three files, in any order.
        target: The generator's ``.safetensors`` file; the others take their places beside it.

    Raises:
        CheckpointError: A file is cut, damaged, an attack, of something else, or of networks that ours do not compute.
    """
    model = stored_model({path: read_network_file(path) for path in sources})
    name = model_name(str(target))
    try:
        networks = _networks(model, name)
        if claimed_numbers(networks) > sum(path.stat().st_size for path in model.sources):
            raise CheckpointError("the tensors are larger than the files")
    except CheckpointError as error:
        where = ", ".join(str(path) for path in sources)
        raise CheckpointError(f"{where}: {error.message}", error.hint) from error
    hashes = {path.name: sha256_of(path) for path in sources}
    paths = tuple(
        target if network.part == "generator" else model_file(str(target), network.part) for network in networks
    )
    write_networks(networks, paths, {"source_sha256": hashes, "licence": _LICENCE})
    count = sum(network.parameters for network in networks)
    return ConvertedModel(paths, generator_config(model.generator, name), count, hashes, model.left_out)


def _networks(model: StoredModel, name: str) -> list[ForeignNetwork]:
    config = generator_config(model.generator, name)
    _check_filters(model.generator)
    found: dict[str, Numbers] = dict(ours("g_ema", model.generator))
    renderer_mean, decoder_mean = mean_codes(config, found)
    found |= {"renderer_mean": renderer_mean, "decoder_mean": decoder_mean}
    check_network(found, lambda: StyleSdfGenerator(config), "StyleSDF's generator")
    networks = [ForeignNetwork("generator", asdict(config), found)]
    if model.encoder is not None and model.pose is not None:
        of_encoder = encoder_config(model.encoder, model.pose, config)
        tensors: dict[str, Numbers] = {**ours("encoder", model.encoder), **ours("d", model.pose)}
        check_network(tensors, lambda: StyleSdfEncoder(of_encoder), "E3DGE's encoder")
        networks.append(ForeignNetwork("encoder", asdict(of_encoder), tensors))
    if model.local:
        local, aligner = model.local["netLocal"], model.local["grid_align"]
        of_branch = detail_config(local, aligner, config, is_hybrid="Fuse_sft_block" in model.local)
        parts: Tensors = {}
        for entry, values in model.local.items():
            parts |= ours(entry, values)
        check_network(parts, lambda: StyleSdfLocalBranch(of_branch), "E3DGE's local branch")
        networks.append(ForeignNetwork("details", asdict(of_branch), dict(parts)))
    return networks


@torch.no_grad()
def mean_codes(config: StyleSdfConfig, tensors: Mapping[str, Numbers]) -> tuple[Tensor, Tensor]:
    """Mean codes of G0 and G1 over random z, the same for the same weights.

    Args:
        config: The generator's.
        tensors: Its tensors by our names, of which the two mapping networks are read.
    """
    with torch.device("meta"):
        generator = StyleSdfGenerator(replace(config, channels=config.channels[:1]))  # without what grows
    wanted = {name: value.shape for name, value in generator.state_dict().items() if _MAPPING.match(name)}
    check_fit(
        {name: tensors[name] for name in wanted if name in tensors},
        {n: tuple(s) for n, s in wanted.items()},
        "StyleSDF's generator",
    )
    mapping = {name: numbers_of(tensors[name], name) for name in wanted}
    generator.load_state_dict(mapping, strict=False, assign=True)
    z = torch.randn(MEAN_CODES, config.z_dim, generator=torch.Generator().manual_seed(_MEAN_SEED))
    renderer, decoder = generator.means(z)
    if not (torch.isfinite(renderer).all() and torch.isfinite(decoder).all()):
        raise CheckpointError("its mean code is not finite")
    return renderer, decoder


def _check_filters(tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if is_filter(name) and (
            tensor.shape != (4, 4) or not torch.allclose(tensor.read().float(), _FILTER, atol=1e-4)
        ):
            raise CheckpointError(f"{name} is not [1, 3, 3, 1]", "it is a variant of StyleSDF")
