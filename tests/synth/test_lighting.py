"""Light of random surroundings: as bright as any other, nowhere dark, and made of the 18 photographed ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import geoinv.synth.lighting as lighting
from geoinv.light import sh_basis
from geoinv.synth.lighting import ENVIRONMENT_SIZE, lamp, surroundings

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
TABLE = json.loads(Path(lighting.__file__).with_name("environments.json").read_text(encoding="utf-8"))


def sides() -> np.ndarray:
    """Harmonics [N, 9] in random directions."""
    directions = np.random.default_rng(0).standard_normal((500, 3))
    return sh_basis(torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True))).numpy()


def test_surroundings_are_equally_bright_and_nowhere_dark() -> None:
    rng, basis, seen = np.random.default_rng(1), sides(), []
    for _ in range(100):
        light = basis @ surroundings(rng.standard_normal(ENVIRONMENT_SIZE)) @ LUMINANCE
        assert abs(light.mean() - 1.0) < 0.15
        seen.append(light)
    assert np.min(seen) > 0.02
    assert np.std(seen, axis=0).mean() > 0.2  # but they differ


def test_surroundings_are_smooth_in_their_numbers() -> None:
    numbers = np.random.default_rng(2).standard_normal(ENVIRONMENT_SIZE)
    near = surroundings(numbers + 1e-5)
    assert np.abs(near - surroundings(numbers)).max() < 1e-3


def test_the_18_photographed_ones_are_among_them() -> None:
    """Grey, as their tint was taken out for the most part, each is found again to a third of its contrast."""
    mean, axes = np.array(TABLE["mean"]), np.array(TABLE["axes"])
    assert len(TABLE["environments"]) == 18 and TABLE["licence"] == "CC0-1.0"
    grey = np.kron(np.eye(9), np.tile(LUMINANCE[:, None], (1, 3)))
    for name, values in TABLE["environments"].items():
        wanted = np.array(values) @ grey
        numbers = np.linalg.lstsq(axes.T, wanted - mean, rcond=None)[0]
        left = np.linalg.norm(mean + numbers @ axes - wanted) / np.linalg.norm(wanted[3:])
        assert left < 0.35, name


def test_a_lamp_lights_the_side_that_faces_it() -> None:
    light = lamp(np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.5, 0.0]))
    right, left = sh_basis(torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], dtype=torch.float64)).numpy() @ light
    assert right[0] > 0.9 and abs(left[0]) < 0.1 and right[1] == 0.5 * right[0] and right[2] == 0.0
