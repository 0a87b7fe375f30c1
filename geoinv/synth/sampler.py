"""The sampler: turns a Gaussian vector into every parameter of a synthetic head.

``HeadSampler`` is a deterministic function of ``z ~ N(0, I)``. Continuous parameters are smooth functions of z; each
discrete choice is either a *category*, ``argmax(z[start:stop] + bias)``, or a *switch*, ``z[index] > threshold``, so
that a network which regresses the heads can be given the choices as one-hot vectors. Needs numpy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .attributes import Attribute, build_attributes
from .lighting import lamp, sky_and_ground
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
from .parameters import HeadParameters, Light, Vector
from .traits import (
    ASYMMETRY_TRAITS,
    BROAD_SMILE,
    EXPRESSION_TRAITS,
    SHAPE_TRAITS,
    TEETH_OF_BROAD_SMILE,
    ShapeTrait,
)

SAMPLER_VERSION = 2
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
        self.categories: tuple[Category, ...] = (
            self._category("hair-male", (-0.4, 0.3, 0.5, 0.5, -0.9, 0.7, -0.7)),
            self._category("hair-female", (-0.5, 0.9, 0.8, 0.5, -0.9, -0.2)),
            self._category("hair-color", (0.7, 0.7, 0.5, 0.2, 0.1, -0.5)),
            self._category("eye-color", (0.4, 0.3, 0.0, 0.2, -0.2)),
            self._category("brow-style", (0.0,) * len(BROWS)),
            self._category("skin-variant", (0.0,) * 3),
            self._category("beard-style", (1.1, 0.6, -0.5, -0.2, 0.3)),
            self._category("glasses-style", (0.0, 0.4, 0.1, -0.2)),
            self._category("glasses-color", (0.7, 0.2, 0.2, -0.2)),
        )
        self.switches: tuple[Switch, ...] = (
            Switch("glasses", self._index("glasses"), 1.175),
            Switch("male-hair", self._index("sex"), 0.0),
        )
        self.z_dim: int = layout.size
        # entries of z that say what a face does rather than what it is
        self.expression_entries: tuple[int, ...] = tuple(
            self._index(name) for name in (*(e.name for e in EXPRESSION_TRAITS), "gaze-x", "gaze-y")
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
        sizes = {
            e.name: _soft_limit(_softplus(e.offset + e.scale * value[e.name], 9.0), e.limit) for e in EXPRESSION_TRAITS
        }
        sizes["lips-parted"] += TEETH_OF_BROAD_SMILE * _softplus(sizes["smile"] - BROAD_SMILE, 9.0)
        dark = _sigmoid(9.0 * (race[2] - 0.45) + 0.9 * value["tone"])
        hair_color = self._hair_color(value, choice["hair-color"], old, race)
        hair, buzz = self._hair(choice, value["sex"] > self.switches[1].threshold)
        red, yellow = math.exp(0.03 * value["tint-red"]), math.exp(-0.06 * value["tint-yellow"])
        tone = math.exp(-0.16 * value["tone"] - 0.1 * race[1])
        brown_eyes = _sigmoid(9.0 * (race[1] + race[2] - 0.5))
        eye = np.asarray(EYE_COLORS[choice["eye-color"]]) * (1.0 - brown_eyes)
        eye = eye + brown_eyes * np.asarray(EYE_COLORS[choice["eye-color"] % 2])
        beard = np.asarray(BEARD_MASKS[BEARD_STYLES[choice["beard-style"]]]) * _sigmoid(12.0 * (male - 0.6))
        return HeadParameters(
            targets=self._shape(value, race, male, old),
            expression=self._expression(sizes),
            gaze=(0.13 * _soft_limit(value["gaze-x"], 2.0), 0.09 * _soft_limit(value["gaze-y"], 2.0)),
            smile=sizes["smile"],
            mouth_open=max(sizes["mouth-open"], 0.8 * sizes["lips-parted"]),
            male=male,
            age=old,
            dark=dark,
            asian=float(race[1]),
            skin_variant=choice["skin-variant"],
            skin_tint=tone * np.array([red, 1.0 / math.sqrt(red), yellow]),
            gloss=0.06 * math.exp(0.5 * value["gloss"]),
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
            light=self._light(value),
        )

    def _shape(self, value: dict[str, float], race: Vector, male: float, old: float) -> dict[str, float]:
        targets: dict[str, float] = {}
        weight = _soft_limit(0.45 * value["weight"], 1.0)
        for sex, sex_weight in (("male", male), ("female", 1.0 - male)):
            for age, age_weight in (("young", 1.0 - old), ("old", old)):
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
    def _expression(sizes: dict[str, float]) -> dict[str, float]:
        units: dict[str, float] = {}
        for trait in EXPRESSION_TRAITS:
            for name, weight in trait.units.items():
                for side in ("Left", "Right") if "{s}" in name else ("",):
                    key = "expression/" + name.format(s=side)
                    units[key] = min(units.get(key, 0.0) + weight * sizes[trait.name], 2.5)
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

    @staticmethod
    def _light(value: dict[str, float]) -> Light:
        azimuth = 0.6 * _soft_limit(value["light-azimuth"], 2.0)
        elevation = 0.42 + 0.25 * _soft_limit(value["light-elevation"], 1.6)
        direction = np.array(
            [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
        )
        exposure = math.exp(0.13 * _soft_limit(value["exposure"], 2.0))
        contrast = _sigmoid(0.9 * value["light-contrast"])
        white = np.exp(0.06 * _soft_limit(value["warmth"], 2.0) * np.array([1.0, 0.0, -1.0]))
        ground_share = 0.35 + 0.4 * _sigmoid(value["ground"])
        key = exposure * (0.4 + 0.6 * contrast) * white
        sky = exposure * (0.8 - 0.38 * contrast) * np.sqrt(white[::-1])
        ground = exposure * (0.8 - 0.38 * contrast) * ground_share * np.array([1.03, 1.0, 0.96])
        fill = np.array([-direction[0], 0.2, 0.9])
        fill /= np.linalg.norm(fill)
        sharp = _smooth_step((contrast - 0.55) / 0.2)
        soft = sky_and_ground(sky, ground) + lamp(fill, 0.08 * sky) + lamp(direction, (1.0 - sharp) * key)
        return Light(soft, direction, sharp * key, soft + lamp(direction, sharp * key))
