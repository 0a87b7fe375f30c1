"""Configuration of E1 and hybrid alignment, frozen, checked, and saved with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..conventions import RADIUS
from .config_fields import same_fields


@dataclass(frozen=True)
class DetailConfig:
    """E1 and hybrid alignment: what a photo shows beyond its code -> FiLM of the decoder's colours."""

    generator: str
    decoder_hidden: int
    side: int  # of the feature maps: the generator's ray grid
    channels: int = 32  # of pixel-aligned features
    widths: tuple[int, ...] = (32, 64, 96, 128)  # of the hourglass, at side, side / 2, ...
    aligner_widths: tuple[int, ...] = (24, 32, 48, 64)
    hidden: int = 64  # of the networks on points
    enlargement: int = 2  # pixels of pictures along each pixel of the networks' maps
    radius: float = RADIUS  # from the camera to the middle of heads, in world units
    finer: int = 1  # features along each pixel of the networks' maps

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DetailConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing or unknown.
        """
        newer = {"enlargement": 2, "radius": RADIUS, "finer": 1}  # which older files do not have
        return cls(**same_fields(cls, {**newer, **values}, "detail"))
