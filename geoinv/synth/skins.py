"""Skin textures on the GPU and their smooth blend over age, sex, tone and variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .assets import asset_file
from .parameters import HeadParameters
from .shaders import MOST_LAYERS

AGES = ("young", "middleage", "old")
_LIGHT_VARIANTS = {"young": ("", "2", "3"), "middleage": ("", "2", "2"), "old": ("", "2", "2")}
# Linear gains that bring the textures, which differ much in brightness, nearer to each other.
_DARK_GAIN = np.array([1.6, 1.75, 1.9])


def _file_name(age: str, tone: str, sex: str, variant: int) -> str:
    suffix = _LIGHT_VARIANTS[age][variant] if tone == "light" else ""
    return f"{age}_{tone}skinned_{sex}_diffuse{suffix}.jpg"


class SkinLibrary:
    """All skins, as one texture array on the GPU.

    Args:
        context: A moderngl context.
        assets: Folder of the MakeHuman system assets.
        size: Side of a layer in pixels.
    """

    def __init__(self, context: Any, assets: Path, size: int = 1024) -> None:
        import moderngl
        from PIL import Image

        names = [
            _file_name(age, tone, sex, variant)
            for age in AGES
            for tone in ("light", "dark")
            for sex in ("male", "female")
            for variant in range(3)
        ]
        self._layers = {name: layer for layer, name in enumerate(dict.fromkeys(names))}
        stack = np.empty((len(self._layers), size, size, 3), np.uint8)
        for name, layer in self._layers.items():
            image = Image.open(asset_file(assets, "skins", name)).convert("RGB").resize((size, size))
            stack[layer] = np.asarray(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
        self.texture = context.texture_array((size, size, len(stack)), 3, stack.tobytes(), alignment=1)
        self.texture.build_mipmaps()
        self.texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)

    def blend(self, head: HeadParameters) -> dict[str, Any]:
        """Uniforms of the skin program: up to ``MOST_LAYERS`` layers with weights that sum to 1, and the tint."""
        place = float(np.clip(2.0 * head.age, 0.0, 2.0))
        older = min(int(place), 1)
        ages = {AGES[older]: 1.0 - (place - older), AGES[older + 1]: place - older}
        weights: dict[int, float] = {}
        for age, age_weight in ages.items():
            for tone, tone_weight in (("light", 1.0 - head.dark), ("dark", head.dark)):
                for sex, sex_weight in (("male", head.male), ("female", 1.0 - head.male)):
                    for variant, share in enumerate(head.skin_variants):
                        layer = self._layers[_file_name(age, tone, sex, variant)]
                        weight = age_weight * tone_weight * sex_weight * float(share)
                        weights[layer] = weights.get(layer, 0.0) + weight
        largest = sorted(weights.items(), key=lambda item: -item[1])[: MOST_LAYERS + 1]
        rest = largest[-1][1] if len(largest) > MOST_LAYERS else 0.0  # so that a layer leaves with weight 0
        kept = [(layer, weight - rest) for layer, weight in largest[:MOST_LAYERS] if weight - rest > 1e-3]
        total = sum(weight for _, weight in kept)
        layers = ([layer for layer, _ in kept] + [0] * MOST_LAYERS)[:MOST_LAYERS]
        normalised = ([weight / total for _, weight in kept] + [0.0] * MOST_LAYERS)[:MOST_LAYERS]
        tint = head.skin_tint * (1.0 + (_DARK_GAIN - 1.0) * head.dark)
        return {
            "layer_count": len(kept),
            "layers": layers,
            "weights": normalised,
            "skin_tint": tint,
            "dark": head.dark,
        }
