"""Tensors of others' files on their way to ours: every name accounted for, every number real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import CheckpointError
from .torch_pickles import StoredTensor, printable


class Shaped(Protocol):
    """The part of a tensor that names and widths are found by."""

    @property
    def shape(self) -> tuple[int, ...]: ...


AnyTensor = TypeVar("AnyTensor", bound=Shaped)


def check_fit(
    found: Mapping[str, Shaped], expected: Mapping[str, tuple[int, ...]], what: str, *, also_wrong: Sequence[str] = ()
) -> None:
    """Account for every key.

    Args:
        found: Tensors by our names.
        expected: Shapes of our network's ``state_dict``.
        what: The network, for the message.
        also_wrong: What else is wrong with the file's tensors, for the same message.

    Raises:
        CheckpointError: Listing keys that are missing, of another shape, or unknown.
    """
    wrong = [f"{name} is missing" for name in expected if name not in found]
    wrong += [
        f"{name} is {list(found[name].shape)}, not {list(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    wrong += [f"{printable(name)} is unknown" for name in found if name not in expected]
    wrong += also_wrong
    if wrong:
        more = f", and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise CheckpointError(f"the tensors do not fit {what}: {', '.join(wrong[:4])}{more}")


def size_of(tensors: Mapping[str, Shaped], name: str, axis: int, *, of: int) -> int:
    """A width that a tensor of ``of`` dimensions tells.

    Raises:
        CheckpointError: There is no such tensor, or one of another kind.
    """
    if name not in tensors:
        raise CheckpointError(f"{name} is missing")
    shape = tuple(tensors[name].shape)
    if len(shape) != of or not 1 <= shape[axis] <= 4096:
        raise CheckpointError(f"{name} is {list(shape)}")
    return shape[axis]


def read_numbers(tensor: StoredTensor, name: str) -> Tensor:
    """A tensor of a file in float32.

    Args:
        tensor: The tensor.
        name: Its name, for the message.

    Raises:
        CheckpointError: It does not fit its storage, or holds something else than finite real numbers.
    """
    try:
        value = tensor.read()
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error.message}") from error
    if not value.is_floating_point():
        raise CheckpointError(f"{name} is of {value.dtype}, not of real numbers")
    value = value.float()
    if not bool(torch.isfinite(value).all()):
        raise CheckpointError(f"{name} is not finite")
    return value
