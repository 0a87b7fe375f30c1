"""Names and shapes in TriPlaneNet's released files: which tensors are read, under which names, and which widths they
tell.

Everything here looks at names and shapes alone, so that it serves stored tensors and those in memory alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from ..errors import CheckpointError
from ..models.triplanenet.config import TriPlaneNetDetailConfig, TriPlaneNetEncoderConfig
from .foreign_tensors import AnyTensor, Shaped, size_of

Entry = Literal["psp_encoder", "triplanenet_encoder"]
ENCODER: Entry = "psp_encoder"
OFFSETS: Entry = "triplanenet_encoder"
GENERATOR = "decoder"
_COUNTER = re.compile(r"\.num_batches_tracked$")
_FIRST_UNITS = (0, 3, 7, 21)  # of each width of the trunk


def part_of(entry: str, tensors: Mapping[str, AnyTensor]) -> dict[str, AnyTensor]:
    """The tensors of one network in the file, by their names in it."""
    prefix = f"{entry}."
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def ours(entry: Entry, tensors: Mapping[str, AnyTensor]) -> dict[str, AnyTensor]:
    """The tensors of a network that are used, by our names."""
    return {
        re.sub(r"^final_head_two\.", "final_head.", name) if entry == OFFSETS else name: tensor
        for name, tensor in tensors.items()
        if not _COUNTER.search(name)
    }


def encoder_config(tensors: Mapping[str, Shaped], generator: str) -> TriPlaneNetEncoderConfig:
    """The encoder that the tensors of ``psp_encoder`` are of.

    Raises:
        CheckpointError: What tells its widths is missing, or they fit no encoder.
    """
    count = 0
    while count <= 64 and f"styles.{count}.linear.weight" in tensors:
        count += 1
    try:
        return TriPlaneNetEncoderConfig(
            generator,
            num_ws=count,
            w_dim=size_of(tensors, "styles.0.linear.weight", 0, of=2),
            channels=_channels(tensors),
            reduction=_reduction(tensors),
        )
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are no encoder's of TriPlaneNet: {error}") from error


def detail_config(tensors: Mapping[str, Shaped], generator: str) -> TriPlaneNetDetailConfig:
    """The U-Net that the tensors of ``triplanenet_encoder`` are of.

    Raises:
        CheckpointError: What tells its widths is missing, or they fit no U-Net.
    """
    sees_mirror = size_of(tensors, "input_layer.0.weight", 1, of=4) == 9
    channels = _channels(tensors)
    widths = tuple(size_of(tensors, f"up{level}.conv.double_conv.1.weight", 0, of=4) for level in (1, 2, 3, 4))
    second = size_of(tensors, "up2.conv.double_conv.1.weight", 1, of=4)
    head = "final_head_two" if sees_mirror else "final_head"
    try:
        return TriPlaneNetDetailConfig(
            generator,
            sees_mirror=sees_mirror,
            enlarging="repeat" if second == channels[2] + widths[0] else "shuffle",
            plane_channels=size_of(tensors, f"{head}.4.weight", 0, of=4),
            channels=channels,
            widths=widths,
            reduction=_reduction(tensors),
        )
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are no U-Net's of TriPlaneNet: {error}") from error


def _channels(tensors: Mapping[str, Shaped]) -> tuple[int, ...]:
    return tuple(size_of(tensors, f"body.{unit}.res_layer.1.weight", 0, of=4) for unit in _FIRST_UNITS)


def _reduction(tensors: Mapping[str, Shaped]) -> int:
    """By how much squeeze and excitation is narrower than the trunk."""
    return _channels(tensors)[0] // size_of(tensors, "body.0.res_layer.5.fc1.weight", 0, of=4)
