"""Networks of others' files on their way to files of ours, which may also hold tensors that are made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..files import atomic_path
from ..folders import sha256_of
from .foreign_tensors import check_fit, read_numbers
from .model_format import Kind, model_metadata
from .safetensors_file import write_safetensors
from .torch_pickles import StoredTensor

Numbers = StoredTensor | Tensor
"""A tensor of a file, read when it is asked for, or one that was made here."""


@dataclass(frozen=True)
class ForeignNetwork:
    """What one file of ours is made of.

    Args:
        part: Part of the model that the network is.
        config: Its configuration.
        tensors: Its tensors by our names.
    """

    part: Kind
    config: dict[str, Any]
    tensors: Mapping[str, Numbers]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the tensors, in alphabetical order."""
        return {name: tuple(self.tensors[name].shape) for name in sorted(self.tensors)}

    @property
    def parameters(self) -> int:
        """Number of numbers."""
        return sum(tensor.numel() if isinstance(tensor, Tensor) else tensor.numel for tensor in self.tensors.values())

    def read(self, name: str, source: str = "") -> Tensor:
        """A tensor in float32, by name; messages begin with ``source``."""
        return numbers_of(self.tensors[name], f"{source}{name}")


def numbers_of(tensor: Numbers, name: str) -> Tensor:
    """The tensor in float32; see :func:`.read_numbers` for those of a file."""
    return tensor if isinstance(tensor, Tensor) else read_numbers(tensor, name)


def check_network(tensors: Mapping[str, Numbers], build: Callable[[], nn.Module], what: str) -> None:
    """Account for every tensor of a network.

    Args:
        tensors: Tensors by our names.
        build: Builds our network.
        what: The network, for messages.

    Raises:
        CheckpointError: The network cannot be built, or the tensors do not fit it.
    """
    try:
        with torch.device("meta"):  # no memory for its numbers
            network = build()
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are not those of {what}") from error
    check_fit(tensors, {name: tuple(value.shape) for name, value in network.state_dict().items()}, what)


def claimed_numbers(networks: Sequence[ForeignNetwork]) -> int:
    """Number of numbers of the files' own tensors; those that share them claim more than the files hold."""
    tensors = [tensor for network in networks for tensor in network.tensors.values()]
    return sum(tensor.numel for tensor in tensors if isinstance(tensor, StoredTensor))


def write_networks(
    networks: Sequence[ForeignNetwork], paths: Sequence[Path], extra: Mapping[str, Any], *, source: str = ""
) -> None:
    """Write a file for each network, all or none; each names the hashes of those before it.

    Args:
        networks: The networks.
        paths: Their files.
        extra: JSON values for all headers.
        source: What messages about numbers begin with.

    Raises:
        CheckpointError: A tensor does not fit its storage, or holds something else than finite real numbers.
    """
    known = dict(extra)
    with ExitStack() as stack:
        for network, path in zip(networks, paths, strict=True):
            temporary = stack.enter_context(atomic_path(path))
            metadata = model_metadata(network.part, network.config, known)
            write_safetensors(temporary, network.shapes, partial(network.read, source=source), metadata)
            known[f"{network.part}_sha256"] = sha256_of(temporary)
