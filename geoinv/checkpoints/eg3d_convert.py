"""`geoinv weights convert`: a file of an EG3D network -> our generator's safetensors, exactly and without running it.

Names are EG3D's own; of its buffers only the low-pass filters are left out, after a look that they are the usual ones.
Numbers stay float32. Tensors go from file to file one at a time, so that memory holds one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..errors import CheckpointError
from ..files import atomic_path
from ..folders import sha256_of
from ..models.config import GeneratorConfig
from ..models.generator import TriPlaneGenerator
from .eg3d_arguments import generator_config
from .eg3d_files import StoredNetwork, read_eg3d_file
from .foreign_tensors import AnyTensor, check_fit, read_numbers
from .model_format import model_metadata
from .safetensors_file import write_safetensors
from .torch_pickles import StoredTensor

_FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64.0
_AXES = {  # rows of the third plane; see GeneratorConfig.third_plane
    "zx": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "zy": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
}
_FIRST_AXES = (((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)))


@dataclass(frozen=True)
class Converted:
    """Result of a conversion."""

    path: Path
    config: GeneratorConfig
    parameters: int
    source_sha256: str


def convert_eg3d(source: Path, target: Path, *, name: str | None = None, licence: str | None = None) -> Converted:
    """Write the generator of an EG3D file as one of ours.

    Args:
        source: ``.pkl`` of NVlabs, or ``.pt`` with ``G_ema`` or ``state_dict`` and ``init_kwargs``.
        target: The ``.safetensors`` file.
        name: Name of the model; by default that of ``target``.
        licence: Licence of the weights, where it is known; kept in the header.

    Raises:
        CheckpointError: The file is cut, damaged, an attack, no EG3D generator, or one that ours does not compute.
    """
    network = read_eg3d_file(source)
    name = name or target.stem.removesuffix("-generator")
    try:
        config = generator_config(
            {key: value for key, value in network.arguments.items() if type(key) is str},
            network.rendering,
            name=name,
            ray_side=_checked_side(network),
            third_plane=_third_plane(network.plane_axes),
        )
        tensors = our_tensors(network.tensors, expected_shapes(config))
        filters = [tensor for key, tensor in network.tensors.items() if is_filter(key)]
        if any(not torch.allclose(tensor.read().float(), _FILTER, atol=1e-6) for tensor in filters):
            raise CheckpointError("a resample_filter is not [1, 3, 3, 1]", "it is a variant of EG3D")
        if sum(tensor.numel for tensor in tensors.values()) > source.stat().st_size:
            raise CheckpointError("the tensors are larger than the file")
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error.message}", error.hint) from error
    sha256 = sha256_of(source)
    origin = {"source_file": source.name, "source_sha256": sha256, **({"licence": licence} if licence else {})}
    metadata = model_metadata("generator", config.to_dict(), origin)
    with atomic_path(target) as temporary:
        shapes = {key: tensor.shape for key, tensor in tensors.items()}
        write_safetensors(temporary, shapes, lambda key: read_numbers(tensors[key], f"{source}: {key}"), metadata)
    return Converted(target, config, sum(tensor.numel for tensor in tensors.values()), sha256)


def is_filter(name: str) -> bool:
    """Whether a tensor of EG3D is a low-pass filter, which is part of our code."""
    return name.endswith("resample_filter")


def our_tensors(theirs: Mapping[str, AnyTensor], expected: Mapping[str, tuple[int, ...]]) -> dict[str, AnyTensor]:
    """EG3D's tensors by our names, in alphabetical order, every key accounted for.

    Args:
        theirs: Tensors by EG3D's names, which are ours too.
        expected: Shapes of our generator's ``state_dict``.

    Raises:
        CheckpointError: Listing keys that are missing, of another shape, or not ours.
    """
    odd_filters = [
        f"{key} is {list(tensor.shape)}, not [4, 4]"
        for key, tensor in theirs.items()
        if is_filter(key) and tuple(tensor.shape) != (4, 4)
    ]
    found = {key: tensor for key, tensor in theirs.items() if key in expected or not is_filter(key)}
    check_fit(found, expected, "EG3D's generator", also_wrong=odd_filters)
    return {key: theirs[key] for key in sorted(expected)}


def expected_shapes(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of a generator's ``state_dict``, without memory for its numbers."""
    with torch.device("meta"):
        generator = TriPlaneGenerator(config)
    return {key: tuple(value.shape) for key, value in generator.state_dict().items()}


def _checked_side(network: StoredNetwork) -> int | None:
    side = network.ray_side
    if side is not None and not 16 <= side <= 512:
        raise CheckpointError(f"neural_rendering_resolution {side} is out of range")
    return side


def _third_plane(axes: StoredTensor | None) -> Literal["zx", "zy"]:
    """Which plane the renderer's axes make the third; EG3D's own where the file does not tell."""
    if axes is None:
        return "zx"
    if axes.shape == (3, 3, 3):
        values = axes.read().float()
        for name, third in _AXES.items():
            if torch.equal(values, torch.tensor([*_FIRST_AXES, third])):
                return "zx" if name == "zx" else "zy"
    raise CheckpointError("the renderer's plane_axes are neither EG3D's nor the corrected ones")
