"""The sampler: turns a Gaussian vector into every parameter of a synthetic head.

``HeadSampler`` is a deterministic function of ``z ~ N(0, I)``. Continuous parameters are smooth functions of z; each
discrete choice is either a *category*, ``argmax(z[start:stop] + bias)``, or a *switch*, ``z[index] > threshold``, so
that a network which regresses the heads can be given the choices as one-hot vectors. Needs no extra and no assets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .attributes import Attribute, build_attributes
from .lighting import ENVIRONMENT_SIZE, lamp, surroundings
from .palettes import (
    BEARD_MASKS,
    BEARD_STYLES,
    BROWS,
    EYE_COLORS,
    GLASSES,
    GLASSES_COLORS,
    HAIR_COLORS,
    HAIR_FEMALE,
    HAIR_MALE,
    RACES,
)
from .parameters import HeadParameters, Light, TeethLook, Vector
from .traits import (
    ASYMMETRY_TRAITS,
    BROAD_SMILE,
    EXPRESSION_TRAITS,
    FADED_BY,
    FADES_FROM,
    JAW_OF_BROAD_SMILE,
    SHAPE_TRAITS,
    TEETH_OF_BROAD_SMILE,
    ShapeTrait,
)

SAMPLER_VERSION = 3
"""Raised when the meaning of z changes: data sets and generators of another version do not fit."""


@dataclass(frozen=True)
class Category:
    """A choice among ``stop - start`` options: ``argmax(z[start:stop] + bias)``.

    Args:
        name: Name of the choice.
        start: First index in z.
        stop: Index after the last.
        bias: Number added to each entry; a larger one makes its option more frequent.
    """

    name: str
    start: int
    stop: int
    bias: tuple[float, ...]


@dataclass(frozen=True)
class Switch:
    """A choice that is on when ``z[index] > threshold``.

    Args:
        name: Name of the choice.
        index: Index in z.
        threshold: Value above which the choice is on.
    """

    name: str
    index: int
    threshold: float


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def _softplus(value: float, sharpness: float) -> float:
    """Smooth ``max(value, 0)``; larger ``sharpness`` is nearer to the corner."""
    return math.log1p(math.exp(min(value * sharpness, 60.0))) / sharpness


def _soft_limit(value: float, limit: float) -> float:
    """Value bounded by ``limit``: odd and monotone, with slope 1 at 0."""
    return limit * math.tanh(value / limit)


def _smooth_step(value: float) -> float:
    """0 below 0, 1 above 1, and smooth between."""
    clipped = min(max(value, 0.0), 1.0)
    return clipped * clipped * (3.0 - 2.0 * clipped)


class _Layout:
    """The indices in z of each parameter, given out one after the other."""

    def __init__(self) -> None:
        self.size = 0
        self.slices: dict[str, slice] = {}

    def add(self, name: str, count: int = 1) -> int:
        start = self.size
        self.slices[name] = slice(start, start + count)
        self.size += count
        return start


class HeadSampler:
    """``sampler(z) -> HeadParameters`` for ``z`` of ``z_dim`` standard normal numbers."""

    def __init__(self) -> None:
        layout = self._layout = _Layout()
        layout.add("race", 3)
        for name in ("sex", "age", "weight", "tone", "tint-red", "tint-yellow", "gloss"):
            layout.add(name)
        for trait in (*SHAPE_TRAITS, *ASYMMETRY_TRAITS):
            layout.add(trait.name)
        for expression in EXPRESSION_TRAITS:
            layout.add(expression.name)
        for name in ("gaze-x", "gaze-y", "hair-brightness", "grey", "brow-strength", "lash-strength"):
            layout.add(name)
        for name in ("beard-length", "glasses", "glasses-size", "collar-height", "v-neck"):
            layout.add(name)
        for name in ("cloth-value", "cloth-hue-a", "cloth-hue-b", "cloth-saturation"):
            layout.add(name)
        for name in ("light-azimuth", "light-elevation", "light-contrast", "exposure", "warmth", "ground"):
            layout.add(name)
        before = (
            self._category("hair-male", (-0.4, 0.3, 0.5, 0.5, -0.9, 0.7, -0.7)),
            self._category("hair-female", (-0.5, 0.9, 0.8, 0.5, -0.9, -0.2)),
            self._category("hair-color", (0.7, 0.7, 0.5, 0.2, 0.1, -0.5)),
            self._category("eye-color", (0.4, 0.3, 0.0, 0.2, -0.2)),
            self._category("brow-style", (0.0,) * len(BROWS)),
        )
        layout.add("skin-variants", 3)
        after = (
            self._category("beard-style", (1.1, 0.6, -0.5, -0.2, 0.3)),
            self._category("glasses-style", (0.0, 0.4, 0.1, -0.2)),
            self._category("glasses-color", (0.7, 0.2, 0.2, -0.2)),
        )
        self.categories: tuple[Category, ...] = before + after
        layout.add("surroundings", ENVIRONMENT_SIZE)
        for name in ("teeth-arch", "teeth-height", "teeth-gap", "teeth-color", "teeth-crooked", "teeth-prominent"):
            layout.add(name)
        for name in ("redness", "freckles", "smile-side"):
            layout.add(name)
        self.switches: tuple[Switch, ...] = (
            Switch("glasses", self._index("glasses"), 1.175),
            Switch("male-hair", self._index("sex"), 0.0),
        )
        self.z_dim: int = layout.size
        # entries of z that say what a face does rather than what it is
        self.expression_entries: tuple[int, ...] = tuple(
            self._index(name) for name in (*(e.name for e in EXPRESSION_TRAITS), "gaze-x", "gaze-y", "smile-side")
        )
        # (index, threshold): no effect below, growth above; a network that is given this corner need not find it
        self.ramps: tuple[tuple[int, float], ...] = tuple(
            (self._index(e.name), -e.offset / e.scale) for e in EXPRESSION_TRAITS
        ) + ((self._index("smile"), self._broad_smile()),)
        self.attributes: dict[str, Attribute] = build_attributes(self.index)

    def _category(self, name: str, bias: tuple[float, ...]) -> Category:
        start = self._layout.add(name, len(bias))
        return Category(name, start, start + len(bias), bias)

    @staticmethod
    def _broad_smile() -> float:
        smile = next(e for e in EXPRESSION_TRAITS if e.name == "smile")
        return (smile.limit * math.atanh(BROAD_SMILE / smile.limit) - smile.offset) / smile.scale

    def _index(self, name: str) -> int:
        start: int = self._layout.slices[name].start
        return start

    def index(self, name: str) -> int:
        """First index in z of the parameter ``name``."""
        return self._index(name)

    def choices(self, z: NDArray[np.floating]) -> dict[str, int]:
        """Index of the chosen option by name of each category."""
        return {c.name: int(np.argmax(z[c.start : c.stop] + np.asarray(c.bias))) for c in self.categories}

    def __call__(self, z: NDArray[np.floating]) -> HeadParameters:
        """Parameters of the head that ``z`` [z_dim] describes.

        Raises:
            ValueError: z has another length.
        """
        z = np.asarray(z, np.float64)
        if z.shape != (self.z_dim,):
            raise ValueError(f"z must be [{self.z_dim}], got {list(z.shape)}")
        value = {name: float(z[places.start]) for name, places in self._layout.slices.items()}
        choice = self.choices(z)
        race = np.exp(2.2 * z[self._layout.slices["race"]])
        race /= race.sum()
        male = _sigmoid(5.0 * value["sex"])
        old = _sigmoid(1.25 * value["age"] - 0.7)
        child = _smooth_step((-value["age"] - 0.9) / 1.1)
        ages = {"child": child, "young": (1.0 - child) * (1.0 - old), "old": (1.0 - child) * old}
        sizes = self._expression_sizes(value)
        dark = _sigmoid(9.0 * (race[2] - 0.45) + 0.9 * value["tone"])
        hair_color = self._hair_color(value, choice["hair-color"], old, race)
        hair, buzz = self._hair(choice, value["sex"] > self.switches[1].threshold)
        red, yellow = math.exp(0.03 * value["tint-red"]), math.exp(-0.06 * value["tint-yellow"])
        tone = math.exp(-0.16 * value["tone"] - 0.1 * race[1])
        brown_eyes = _sigmoid(9.0 * (race[1] + race[2] - 0.5))
        eye = np.asarray(EYE_COLORS[choice["eye-color"]]) * (1.0 - brown_eyes)
        eye = eye + brown_eyes * np.asarray(EYE_COLORS[choice["eye-color"] % 2])
        beard = np.asarray(BEARD_MASKS[BEARD_STYLES[choice["beard-style"]]])
        beard = beard * _sigmoid(12.0 * (male - 0.6)) * _smooth_step(1.0 - 2.0 * child)
        variants = np.exp(1.8 * z[self._layout.slices["skin-variants"]])
        return HeadParameters(
            targets=self._shape(value, race, male, ages),
            expression=self._expression(sizes, 0.12 * _soft_limit(value["smile-side"], 2.0)),
            gaze=(0.13 * _soft_limit(value["gaze-x"], 2.0), 0.09 * _soft_limit(value["gaze-y"], 2.0)),
            smile=sizes["smile"],
            mouth_open=max(sizes["mouth-open"], 0.8 * sizes["lips-parted"]),
            teeth=self._teeth(value, old),
            male=male,
            age=old,
            child=child,
            dark=dark,
            asian=float(race[1]),
            skin_variants=variants / variants.sum(),
            skin_tint=tone * np.array([red, 1.0 / math.sqrt(red), yellow]),
            redness=_sigmoid(1.2 * value["redness"] - 0.8),
            freckles=_smooth_step((value["freckles"] - 0.6) / 1.6) * (1.0 - dark),
            gloss=0.035 * math.exp(0.4 * value["gloss"]),
            eye_color=eye,
            hair=hair,
            hair_color=hair_color,
            buzz=buzz,
            brows=BROWS[choice["brow-style"]],
            brow_strength=float(np.clip(0.75 + 0.18 * value["brow-strength"] + 0.1 * (male - 0.5), 0.3, 1.0)),
            lash_strength=_sigmoid(value["lash-strength"] - 4.0 * (male - 0.5)),
            beard=beard,
            beard_length=_sigmoid(1.2 * value["beard-length"]),
            glasses=GLASSES[choice["glasses-style"]] if value["glasses"] > self.switches[0].threshold else None,
            glasses_size=1.0 + 0.06 * _soft_limit(value["glasses-size"], 2.0),
            glasses_color=np.asarray(GLASSES_COLORS[choice["glasses-color"]]),
            cloth_color=self._cloth(value),
            collar_height=0.025 * _soft_limit(value["collar-height"], 2.0),
            v_neck=_sigmoid(2.0 * value["v-neck"] - 1.0),
            light=self._light(value, z[self._layout.slices["surroundings"]]),
        )

    @staticmethod
    def _expression_sizes(value: dict[str, float]) -> dict[str, float]:
        """Size by name of each expression."""
        sizes = {
            e.name: _soft_limit(_softplus(e.offset + e.scale * value[e.name], 14.0), e.limit) for e in EXPRESSION_TRAITS
        }
        for name, (other, speed) in FADED_BY.items():
            sizes[name] *= math.exp(-speed * _softplus(sizes[other] - FADES_FROM, 14.0))
        broad = _softplus(sizes["smile"] - BROAD_SMILE, 9.0)
        sizes["lips-parted"] += TEETH_OF_BROAD_SMILE * broad
        sizes["mouth-open"] += JAW_OF_BROAD_SMILE * broad
        return sizes

    @staticmethod
    def _teeth(value: dict[str, float], old: float) -> TeethLook:
        yellow = _sigmoid(1.1 * value["teeth-color"] + 1.5 * (old - 0.4))
        white, ivory = np.array([0.80, 0.77, 0.70]), np.array([0.62, 0.53, 0.36])
        gap = value["teeth-gap"]
        return TeethLook(
            arch=1.0 + 0.03 * _soft_limit(value["teeth-arch"], 2.0),
            width=1.0 - 0.22 * _smooth_step((gap - 0.8) / 1.8) + 0.03 * _smooth_step(-gap),
            height=1.0 + 0.08 * _soft_limit(value["teeth-height"], 2.0),
            shapes=np.array([_smooth_step(value[f"teeth-{name}"] / 2.5) for name in ("prominent", "crooked")]),
            color=white + yellow * (ivory - white),
        )

    def _shape(self, value: dict[str, float], race: Vector, male: float, ages: dict[str, float]) -> dict[str, float]:
        targets: dict[str, float] = {}
        weight = _soft_limit(0.45 * value["weight"], 1.0)
        for sex, sex_weight in (("male", male), ("female", 1.0 - male)):
            for age, age_weight in ages.items():
                blend = sex_weight * age_weight
                for name, race_weight in zip(RACES, race, strict=True):
                    targets[f"macrodetails/{name}-{sex}-{age}"] = blend * float(race_weight)
                stem = f"macrodetails/universal-{sex}-{age}-averagemuscle"
                targets[f"{stem}-averageweight"] = blend * (1.0 - abs(weight))
                targets[f"{stem}-{'max' if weight > 0 else 'min'}weight"] = blend * abs(weight)
        for trait in (*SHAPE_TRAITS, *ASYMMETRY_TRAITS):
            self._add_trait(targets, trait, value[trait.name])
        return targets

    @staticmethod
    def _add_trait(targets: dict[str, float], trait: ShapeTrait, z: float) -> None:
        size = trait.mean + _soft_limit(trait.scale * z, 0.95)
        name = trait.high if size > 0 else trait.low
        for side in "lr" if "{s}" in name else "-":
            key = name.format(s=side)
            targets[key] = targets.get(key, 0.0) + abs(size)

    @staticmethod
    def _expression(sizes: dict[str, float], side: float) -> dict[str, float]:
        """Weight by name of each unit; a smile is larger by the part ``side`` on the person's left."""
        units: dict[str, float] = {}
        for trait in EXPRESSION_TRAITS:
            for name, weight in trait.units.items():
                for place, more in (("Left", side), ("Right", -side)) if "{s}" in name else (("", 0.0),):
                    key = "expression/" + name.format(s=place)
                    size = sizes[trait.name] * (1.0 + more if trait.name == "smile" else 1.0)
                    units[key] = min(units.get(key, 0.0) + weight * size, 2.5)
        return units

    @staticmethod
    def _hair(choice: dict[str, int], is_male: bool) -> tuple[str | None, float]:
        name = HAIR_MALE[choice["hair-male"]] if is_male else HAIR_FEMALE[choice["hair-female"]]
        if name in ("shaved", "buzz"):
            return None, 0.12 if name == "shaved" else 0.85
        return name, 0.9

    @staticmethod
    def _hair_color(value: dict[str, float], color: int, old: float, race: Vector) -> Vector:
        dark_hair = _sigmoid(10.0 * (float(race[1] + race[2]) - 0.5))
        natural = np.asarray(HAIR_COLORS[color])
        natural = natural + 0.85 * dark_hair * (np.asarray(HAIR_COLORS[color % 2]) - natural)
        natural = natural * math.exp(0.25 * value["hair-brightness"])
        grey = _sigmoid(2.0 * value["grey"] + 9.0 * (old - 0.62) - 1.8)
        silver = np.array([0.33, 0.32, 0.31]) * math.exp(0.3 * value["hair-brightness"])
        color_with_grey: Vector = natural + grey * (silver - natural)
        return color_with_grey

    @staticmethod
    def _cloth(value: dict[str, float]) -> Vector:
        hue = math.atan2(value["cloth-hue-a"], value["cloth-hue-b"])
        saturation = 0.75 * _sigmoid(1.3 * value["cloth-saturation"] - 0.4)
        brightness = 0.02 + 0.6 * _sigmoid(1.3 * value["cloth-value"] - 0.6)
        wheel = 1.0 + saturation * np.cos(hue - np.array([0.0, 2.0, 4.0]) * math.pi / 3.0)
        return np.clip(brightness * wheel, 0.0, 0.9)

    def _light(self, value: dict[str, float], numbers: NDArray[np.floating]) -> Light:
        azimuth = 0.7 * _soft_limit(value["light-azimuth"], 2.0)
        elevation = 0.42 + 0.25 * _soft_limit(value["light-elevation"], 1.6)
        direction = np.array(
            [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
        )
        exposure = 0.86 * math.exp(0.13 * _soft_limit(value["exposure"], 2.0))
        contrast = _sigmoid(0.9 * value["light-contrast"])
        white = np.exp(0.06 * _soft_limit(value["warmth"], 2.0) * np.array([1.0, 0.0, -1.0]))
        key = exposure * (0.25 + 0.55 * contrast) * white
        below = 0.12 * _sigmoid(value["ground"]) * np.array([1.03, 1.0, 0.96])
        sharp = _smooth_step((contrast - 0.55) / 0.2)
        soft = exposure * (0.95 - 0.5 * contrast) * np.sqrt(white[::-1]) * surroundings(numbers)
        soft = soft + lamp(np.array([0.0, -1.0, 0.0]), exposure * below) + lamp(direction, (1.0 - sharp) * key)
        return Light(soft, direction, sharp * key, soft + lamp(direction, sharp * key))
