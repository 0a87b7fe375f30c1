"""The families of networks: who builds what a file's configuration describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError
from .anchored_generator import AnchoredGenerator
from .config import GeneratorConfig
from .detail_config import DetailConfig
from .encoder import GlobalEncoder
from .encoder_config import EncoderConfig
from .generator import TriPlaneGenerator
from .local_branch import LocalBranch
from .stylesdf.config import FAMILY as STYLESDF
from .stylesdf.config import (
    StyleSdfConfig,
    StyleSdfDetailConfig,
    StyleSdfEncoderConfig,
    config_from_dict,
)
from .stylesdf.encoder import StyleSdfEncoder
from .stylesdf.generator import StyleSdfGenerator
from .stylesdf.local_branch import StyleSdfLocalBranch
from .triplanenet.config import FAMILY as TRIPLANENET
from .triplanenet.config import TriPlaneNetDetailConfig, TriPlaneNetEncoderConfig
from .triplanenet.encoder import TriPlaneNetEncoder
from .triplanenet.plane_offsets import PlaneOffsets

OfPlanes = TriPlaneGenerator | AnchoredGenerator
AnyGenerator = OfPlanes | StyleSdfGenerator
AnyConfig = GeneratorConfig | StyleSdfConfig
AnyEncoder = GlobalEncoder | StyleSdfEncoder | TriPlaneNetEncoder
AnyLocalBranch = LocalBranch | StyleSdfLocalBranch | PlaneOffsets

_TRIPLANE = "triplane"  # whose configurations name no family


@dataclass(frozen=True)
class Family:
    """Readers of configurations: each checks one; those of networks give what builds the network.

    A configuration that cannot be read raises ``CheckpointError``; building may raise whatever torch raises for sizes
    that do not go together.
    """

    config: Callable[[dict[str, Any]], AnyConfig]
    generator: Callable[[dict[str, Any]], Callable[[], AnyGenerator]]
    encoder: Callable[[dict[str, Any]], Callable[[], AnyEncoder]]
    details: Callable[[dict[str, Any]], Callable[[], AnyLocalBranch]]


def family_of(config: dict[str, Any]) -> Family:
    """The family of a file's configuration.

    Raises:
        CheckpointError: There is none of that name.
    """
    name = config.get("family", _TRIPLANE)
    if type(name) is not str or name not in _FAMILIES:
        raise CheckpointError(f"no networks of the family {str(name)[:40]!r} are known", "use a newer geoinv")
    return _FAMILIES[name]


def _of_planes(values: dict[str, Any]) -> Callable[[], OfPlanes]:
    config = GeneratorConfig.from_dict(values)
    return _then(TriPlaneGenerator if config.anchor is None else AnchoredGenerator, config)


def _no_generator(config: dict[str, Any]) -> Any:
    raise CheckpointError("TriPlaneNet's networks make no heads", "give the generator of EG3D that they belong to")


def _then(build: Callable[[Any], Any], config: object) -> Callable[[], Any]:
    return lambda: build(config)


_FAMILIES = {
    _TRIPLANE: Family(
        GeneratorConfig.from_dict,
        _of_planes,
        lambda config: _then(GlobalEncoder, EncoderConfig.from_dict(config)),
        lambda config: _then(LocalBranch, DetailConfig.from_dict(config)),
    ),
    STYLESDF: Family(
        lambda config: config_from_dict(StyleSdfConfig, config),
        lambda config: _then(StyleSdfGenerator, config_from_dict(StyleSdfConfig, config)),
        lambda config: _then(StyleSdfEncoder, config_from_dict(StyleSdfEncoderConfig, config)),
        lambda config: _then(StyleSdfLocalBranch, config_from_dict(StyleSdfDetailConfig, config)),
    ),
    TRIPLANENET: Family(  # an encoder and a local branch for tri-planes
        _no_generator,
        _no_generator,
        lambda config: _then(TriPlaneNetEncoder, config_from_dict(TriPlaneNetEncoderConfig, config)),
        lambda config: _then(PlaneOffsets, config_from_dict(TriPlaneNetDetailConfig, config)),
    ),
}
