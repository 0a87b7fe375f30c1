"""Configuration of E0, frozen, checked, and saved with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import CheckpointError
from .config_fields import same_fields


@dataclass(frozen=True)
class EncoderConfig:
    """E0: photo -> w_plus offsets and camera; for generators on the head mesh shape code and light, too."""

    generator: str
    num_ws: int
    w_dim: int
    channels: tuple[int, ...] = (
        32,
        64,
        128,
        256,
        256,
    )  # at 64, 32, ..., 4 px after the stem; of a pyramid from 128 px
    blocks: tuple[int, ...] = (1, 2, 3, 3, 2)
    hidden: int = 512
    landmark_widths: tuple[int, ...] = (32, 64, 96, 128)  # at 64, 32, 16, 8 px
    codes: Literal["trunk", "pyramid"] = "trunk"  # one trunk for all codes, or a pyramid of scales: .code_pyramid
    shape_size: int = 0  # numbers of the shape code; 0 for generators without a mesh, which have no light apart either

    def __post_init__(self) -> None:
        if self.codes not in ("trunk", "pyramid"):
            raise ValueError(f"codes by {self.codes}")
        if not all(1 <= count <= 64 for count in self.blocks):  # a damaged file's would take for ever to build
            raise ValueError(f"an encoder of {self.blocks} blocks")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing, unknown, or of a value that no encoder has.
        """
        try:
            older = {"codes": "trunk", "shape_size": 0}  # what their files do not say
            return cls(**same_fields(cls, {**older, **values}, "encoder"))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"the encoder's configuration cannot be used: {error}") from error


def large_encoder(generator: str, num_ws: int, w_dim: int, *, shape_size: int = 0) -> EncoderConfig:
    """75 M parameters and 30 billion multiplications a photo: for training and use on a GPU."""
    return EncoderConfig(
        generator,
        num_ws,
        w_dim,
        channels=(64, 128, 256, 512),
        blocks=(3, 4, 14, 3),
        landmark_widths=(64, 128, 192, 256),
        codes="pyramid",
        shape_size=shape_size,
    )
