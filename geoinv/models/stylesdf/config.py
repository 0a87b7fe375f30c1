"""Configurations of the family: every width that its weights decide, and the few numbers that they do not hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from inspect import signature
from typing import Any, TypeVar

from ...conventions import Orbit
from ...errors import CheckpointError

FAMILY = "stylesdf"

FFHQ_ORBIT = Orbit(radius=1.0, pivot=(0.0, 0.0, 0.0), focal=0.5 / math.tan(math.radians(6.0)))
"""Cameras on the unit sphere about the origin, with a field of view of 12 degrees."""

MM_PER_UNIT = 1200.0
"""Millimetres in a world unit: FFHQ's crop is four times as wide as the eyes are apart, 252 mm for the usual 63 mm, and
this camera sees 0.21 units at the head."""

Config = TypeVar("Config")


@dataclass(frozen=True)
class StyleSdfConfig:
    """The generator (StyleSDF, Or-El et al., CVPR 2022): G0 renders a signed distance field, G1 enlarges the picture.

    A code is the *difference* from the mean code, ``w_plus`` [num_ws, w_dim]: first the rows of G0, one a layer, then
    those of G1, each cut into pieces of ``w_dim``. A sibling with a mean of its own shows the same code in its own way.
    """

    name: str
    w_dim: int = 256  # of G0's codes and layers
    decoder_dim: int = 512  # of G1's codes
    channels: tuple[int, ...] = (512, 256, 128, 64, 32)  # of G1, at ray_side, twice that, ...
    depth: int = 8  # layers of G0 that read points; one more reads the direction of view
    mapping_layers: int = 3
    decoder_mapping_layers: int = 5
    ray_side: int = 64
    num_samples: int = 24
    near: float = 0.88
    far: float = 1.12
    scale: float = 0.12  # half the side of the box that G0 knows
    orbit: Orbit = FFHQ_ORBIT
    crop: str = "ffhq"
    family: str = FAMILY

    def __post_init__(self) -> None:
        if self.decoder_dim % self.w_dim or not 1 <= len(self.channels) <= 8:
            raise ValueError(f"codes of {self.decoder_dim} and {self.w_dim}, {self.channels}")
        layers = (self.depth, self.mapping_layers, self.decoder_mapping_layers)
        if not all(1 <= count <= 64 for count in layers):  # a damaged file's would take for ever to build
            raise ValueError(f"networks of {layers} layers")

    @property
    def renderer_rows(self) -> int:
        """Codes of G0."""
        return self.depth + 1

    @property
    def decoder_rows(self) -> int:
        """Codes of G1: two for the first picture, two more each time it doubles."""
        return 2 * len(self.channels)

    @property
    def num_ws(self) -> int:
        """Rows of a code."""
        return self.renderer_rows + self.decoder_rows * (self.decoder_dim // self.w_dim)

    @property
    def z_dim(self) -> int:
        """Length of the random vector."""
        return self.w_dim

    @property
    def label_dim(self) -> int:
        """The mapping reads no camera."""
        return 0

    @property
    def has_alpha(self) -> bool:
        """Its pictures show a background too."""
        return False

    @property
    def neural_resolution(self) -> int:
        """Side of G0's picture."""
        return self.ray_side

    @property
    def resolution(self) -> int:
        """Side of G1's picture."""
        return self.ray_side * int(2 ** (len(self.channels) - 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class StyleSdfEncoderConfig:
    """E0, an IR-SE-50 with a feature pyramid, and the network that tells the camera."""

    generator: str
    w_dim: int = 256
    decoder_dim: int = 512
    renderer_rows: int = 9
    decoder_rows: int = 10
    channels: tuple[int, ...] = (64, 128, 256, 512)
    pyramid: int = 512
    reduction: int = 16  # of squeeze and excitation
    pose_channels: tuple[int, ...] = (128, 256, 400)
    family: str = FAMILY

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or len(self.pose_channels) != 3 or self.decoder_dim % self.w_dim:
            raise ValueError(f"an encoder of {self.channels}, {self.pose_channels}")
        if not (1 <= self.renderer_rows <= 64 and 1 <= self.decoder_rows <= 64):
            raise ValueError(f"an encoder of {self.renderer_rows} and {self.decoder_rows} codes")


@dataclass(frozen=True)
class StyleSdfDetailConfig:
    """E1, the aligner ADA, and the networks that turn features of points into a modulation of G0's colours."""

    generator: str
    w_dim: int = 256  # of G0's layers, and of E1's features
    stem: int = 32
    widths: tuple[int, ...] = (64, 128, 256)
    groups: int = 32  # of the normalisation, which weights do not tell
    aligner_widths: tuple[int, ...] = (16, 32, 48, 64)
    is_hybrid: bool = True  # False: 2D alignment alone
    family: str = FAMILY

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or len(self.aligner_widths) != 4:
            raise ValueError(f"a local branch of {self.widths}, {self.aligner_widths}")


def config_from_dict(cls: Callable[..., Config], values: dict[str, Any]) -> Config:
    """Inverse of ``dataclasses.asdict`` after a trip through JSON.

    Raises:
        CheckpointError: A field is missing or unknown, or widths do not go together.
    """
    if set(values) != set(signature(cls).parameters):
        raise CheckpointError(f"the configuration has fields {sorted(values)}, which are not this family's")
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        if "orbit" in known:
            orbit = dict(known["orbit"])
            known["orbit"] = Orbit(**{**orbit, "pivot": tuple(orbit["pivot"])})
        return cls(**known)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the configuration cannot be used: {error}") from error
