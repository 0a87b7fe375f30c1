"""Configuration of a discriminator, frozen, checked, and saved with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError
from .config_fields import same_fields


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Picture and camera label -> how real the picture is, as seen by that camera."""

    resolution: int
    channels: tuple[int, ...]  # at resolution, half of it, ..., 4 px
    hidden: int = 128  # features of the whole picture, on which the label is projected
    label_dim: int = 25
    label_hidden: int = 64
    std_group: int = 4  # pictures whose spread is a feature, against a generator that makes one and the same

    def __post_init__(self) -> None:
        if self.resolution != 4 * 2 ** (len(self.channels) - 1) or len(self.channels) < 2:
            raise ValueError(f"{len(self.channels)} widths for a discriminator at {self.resolution} px")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DiscriminatorConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing or unknown, or the widths do not fit the resolution.
        """
        known = same_fields(cls, values, "discriminator")
        try:
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"discriminator configuration cannot be read: {error}") from error


def small_discriminator(resolution: int) -> DiscriminatorConfig:
    """1.3 M parameters and half a billion multiplications a picture at 128 px: for a CPU beside ``mini``.

    StyleGAN2's has 29 M at 256 px.
    """
    widths = {256: 16, 128: 32, 64: 64, 32: 96, 16: 128, 8: 128, 4: 128}
    if resolution not in widths:
        raise ValueError(f"no discriminator at {resolution} px, only at {sorted(widths)}")
    return DiscriminatorConfig(resolution, tuple(width for side, width in widths.items() if side <= resolution))
