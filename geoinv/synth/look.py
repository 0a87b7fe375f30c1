"""What a head looks like apart from shape and light, as numbers: what a generator's w should hold in plain sight.

Choices are ones and zeros, colours are display values (as pictures hold them), all the rest are sizes of the sampler.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .palettes import BROWS, GLASSES, HAIR_FEMALE, HAIR_MALE
from .parameters import HeadParameters

HAIR_STYLES = tuple(sorted({*HAIR_MALE, *HAIR_FEMALE} - {"shaved", "buzz"}))


def _displayed(color: NDArray[np.float64]) -> list[float]:
    """Display values of a linear colour."""
    return [float(part) for part in np.clip(color, 0.0, 1.0) ** (1.0 / 2.2)]


def _chosen(name: str | None, names: tuple[str, ...]) -> list[float]:
    return [1.0 if name == option else 0.0 for option in names]


def look_numbers(head: HeadParameters) -> NDArray[np.float32]:
    """[LOOK_SIZE] numbers that say what a head looks like.

    The colour of a frame is black where there are no glasses.
    """
    glasses = head.glasses is not None
    numbers = [
        *(head.male, head.age, head.child, head.dark, head.asian),
        *(float(share) for share in head.skin_variants),
        *(float(factor) for factor in head.skin_tint),
        *(head.redness, head.freckles, 20.0 * head.gloss),
        *_displayed(head.eye_color),
        *_chosen(head.hair, HAIR_STYLES),
        *_displayed(head.hair_color),
        head.buzz,
        *_chosen(head.brows, BROWS),
        *(head.brow_strength, head.lash_strength),
        *(float(density) for density in head.beard),
        head.beard_length,
        *_chosen(head.glasses, GLASSES),
        head.glasses_size if glasses else 1.0,
        *(_displayed(head.glasses_color) if glasses else (0.0, 0.0, 0.0)),
        *_displayed(head.cloth_color),
        *(40.0 * head.collar_height, head.v_neck),
        *(head.smile, head.mouth_open),
        *_displayed(head.teeth.color),
        *(head.teeth.arch, head.teeth.width, head.teeth.height),
        *(float(share) for share in head.teeth.shapes),
    ]
    return np.asarray(numbers, np.float32)


LOOK_SIZE = 57 + len(HAIR_STYLES)
"""How many numbers they are."""

_EYES = 14
_HAIR = _EYES + 3 + len(HAIR_STYLES)
_CLOTH = _HAIR + 3 + 1 + len(BROWS) + 2 + 4 + 1 + len(GLASSES) + 1 + 3
COLORS = (_EYES, _HAIR, _CLOTH)
"""Where red, green and blue of eyes, hair and cloth begin."""
