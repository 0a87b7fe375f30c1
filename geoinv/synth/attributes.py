"""The table of edits that z can describe: for each attribute, the entries of z of a head without it and with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .traits import SHAPE_TRAITS


@dataclass(frozen=True)
class Attribute:
    """An edit that z can describe.

    Args:
        name: Name of the edit, as ``geoinv edit --attr`` takes it.
        low: Value by index in z of a head without the attribute.
        high: Value by index in z of a head with the attribute.
        description: What changes, in a few words.
    """

    name: str
    low: dict[int, float]
    high: dict[int, float]
    description: str


def build_attributes(index: Callable[[str], int]) -> dict[str, Attribute]:
    """All attributes by name.

    Args:
        index: Function from the name of a parameter to its first index in z.
    """

    def axis(name: str, source: str, text: str, size: float = 1.5, low: float | None = None) -> Attribute:
        place = index(source)
        return Attribute(name, {place: -size if low is None else low}, {place: size}, text)

    def pick(name: str, category: str, without: tuple[int, ...], chosen: tuple[int, ...], text: str) -> Attribute:
        start = index(category)
        low, high = {start + i: 2.5 for i in without}, {start + i: 2.5 for i in chosen}
        return Attribute(name, low | {i: -1.5 for i in high if i not in low}, high | dict.fromkeys(low, -1.5), text)

    # corners alone make a smirk: a smile that people see shows teeth
    smile = Attribute(
        "smile",
        {index("smile"): -0.5, index("lips-parted"): -0.35},
        {index("smile"): 1.75, index("lips-parted"): 0.4},
        "mouth corners up, cheeks raised, teeth showing",
    )
    plain = [
        axis("mouth-open", "mouth-open", "jaw lowered", 2.6, 0.0),
        axis("lips-parted", "lips-parted", "teeth showing", 2.5, 0.0),
        axis("pucker", "pucker", "lips pushed forward", 2.6, 0.0),
        axis("frown", "frown", "mouth corners down", 2.4, 0.0),
        axis("brows-raised", "brows-raised", "eyebrows raised", 2.2, -0.5),
        axis("brows-lowered", "brows-lowered", "eyebrows drawn down", 2.4, 0.0),
        axis("eyes-closed", "eyes-closed", "eyelids closed", 3.0, -0.5),
        axis("squint", "squint", "eyes narrowed", 2.4, 0.0),
        axis("gaze-left", "gaze-x", "eyes turned to image right, the person's left", 2.0),
        axis("gaze-up", "gaze-y", "eyes turned up", 2.0),
        axis("age", "age", "older", 1.9),
        axis("gender", "sex", "more masculine", 1.2),
        axis("weight", "weight", "heavier", 2.0),
        axis("skin-tone", "tone", "darker skin", 2.0),
        axis("grey-hair", "grey", "grey hair", 2.5),
        axis("beard-length", "beard-length", "longer beard, where there is one", 2.0),
        axis("glasses", "glasses", "wearing glasses", 2.0, 0.0),
        axis("red-cheeks", "redness", "redder nose and cheeks", 2.0),
        axis("freckles", "freckles", "freckles, on light skin", 2.2, 0.0),
        axis("gap-teeth", "teeth-gap", "gaps between the teeth", 2.6, 0.0),
        axis("white-teeth", "teeth-color", "whiter teeth", -2.0, 2.0),
        axis("light-left", "light-azimuth", "light from image left", -1.8, 1.8),
        axis("light-above", "light-elevation", "light from above", 1.6),
        axis("contrast", "light-contrast", "stronger key light", 2.0),
        axis("brightness", "exposure", "brighter light", 2.0),
    ]
    shapes = [axis(trait.name, trait.name, f"shape: {trait.name}, larger or up", 2.0) for trait in SHAPE_TRAITS]
    beard = pick("beard", "beard-style", (0,), (4,), "full beard, on masculine heads")
    blond = pick("blond-hair", "hair-color", (0, 1), (4,), "blond rather than dark hair")
    bald = pick("bald", "hair-male", (2, 3, 4, 5), (0,), "shaved head, on masculine heads")
    long_hair = pick("long-hair", "hair-female", (4,), (1,), "long hair, on feminine heads")
    return {attribute.name: attribute for attribute in (smile, *plain, *shapes, beard, blond, bald, long_hair)}
