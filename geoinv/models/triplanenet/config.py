"""Configurations: every width that the released weights decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FAMILY = "triplanenet"


@dataclass(frozen=True)
class TriPlaneNetEncoderConfig:
    """E0, a pSp encoder."""

    generator: str
    num_ws: int = 14
    w_dim: int = 512
    channels: tuple[int, ...] = (64, 128, 256, 512)  # the last is that of the pyramid too
    reduction: int = 16  # of squeeze and excitation
    family: str = FAMILY

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or not 1 <= self.num_ws <= 64:
            raise ValueError(f"an encoder of {self.channels} for {self.num_ws} codes")


@dataclass(frozen=True)
class TriPlaneNetDetailConfig:
    """The U-Net that finds offsets of planes.

    Args:
        generator: Name of the generator.
        sees_mirror: Whether it sees the residual of the mirrored photo, and the planes that it is to correct: version 2
            of the paper does, version 1 does not.
        enlarging: Way in which its maps grow: by pixel shuffle, or by repeating pixels.
        plane_channels: Channels of all planes together.
        channels: Widths of its trunk.
        widths: Widths on the way back, at 16, 32, 64 and 128 px.
        reduction: Reduction of squeeze and excitation.
    """

    generator: str
    sees_mirror: bool = True
    enlarging: Literal["shuffle", "repeat"] = "shuffle"
    plane_channels: int = 96
    channels: tuple[int, ...] = (64, 128, 256, 512)
    widths: tuple[int, ...] = (512, 384, 256, 96)
    reduction: int = 16
    family: str = FAMILY

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or len(self.widths) != 4 or self.enlarging not in ("shuffle", "repeat"):
            raise ValueError(f"a local branch of {self.channels}, {self.widths}, {self.enlarging}")

    @property
    def inputs(self) -> int:
        """Channels that it sees of a photo."""
        return 9 if self.sees_mirror else 6
