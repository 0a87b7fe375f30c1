"""What avatars and meshes are made for: budgets of triangles and texels, and the format that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .avatar import DEFAULT_TEXTURE, Avatar
from .detail import with_fewer_triangles, with_smaller_textures


@dataclass(frozen=True)
class Detail:
    """One level of detail.

    Args:
        fraction: Part of the triangles of skin and teeth that is kept.
        hair_triangles: Most triangles of hair and clothes.
    """

    fraction: float
    hair_triangles: int


@dataclass(frozen=True)
class Preset:
    """A use of avatars and meshes.

    Args:
        name: Name on the command line.
        levels: Levels of detail, the finest first; each further one is a file of its own.
        texture: Texels along a side of the skin's texture; each further level has half as many.
        suffix: Format of avatars where nothing else is asked for.
        mesh_suffix: The same of ``export-mesh``.
        mesh_triangles: Triangles of each level of ``export-mesh``, about.
    """

    name: str
    levels: tuple[Detail, ...]
    texture: int
    suffix: str
    mesh_suffix: str
    mesh_triangles: tuple[int, ...]

    def apply(self, avatar: Avatar, texture: int | None = None) -> list[Avatar]:
        """The avatar at each level.

        Args:
            avatar: The whole avatar.
            texture: Texels along a side of the first level's texture; None takes the preset's.
        """
        size = self.texture if texture is None else texture
        return [
            with_smaller_textures(with_fewer_triangles(avatar, level.fraction, level.hair_triangles), size >> number)
            for number, level in enumerate(self.levels)
        ]


_GAME_LEVELS = (Detail(1.0, 9_000), Detail(0.5, 4_000), Detail(0.25, 1_500))

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("game", _GAME_LEVELS, DEFAULT_TEXTURE, ".glb", ".glb", (20_000, 8_000, 3_000)),
        Preset("web", (Detail(0.5, 5_000),), 1024, ".glb", ".glb", (12_000,)),
        Preset("ar", (Detail(1.0, 9_000),), DEFAULT_TEXTURE, ".usdz", ".glb", (40_000,)),
    )
}
"""Presets by the name that ``--for`` takes; prints are solids and not meshes with fewer triangles."""
