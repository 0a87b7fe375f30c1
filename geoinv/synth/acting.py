"""Synthetic heads that make faces: units drawn by themselves, left and right too, as the sampler's own heads do not.

What the sampler's heads do together in photos (both lids, all of the brows) a face in a video does by turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..camera.rays import project
from ..conventions import FACE_ORBIT, FOCAL
from ..shape import HeadCodes, HeadModel, load_head_model
from ..shape.irises import irises_of
from .dataset import draw_latent
from .head_codes import HeadCoder
from .heads import HeadRenderer
from .sampler import HeadSampler

FACES = 3
"""Faces that each person makes."""

_POSE_DEVIATIONS = (0.3, 0.15, 0.08, 0.015, 0.015, 0.12)
_LARGEST_YAW = 0.8
_GAZE_DEVIATIONS, _LARGEST_GAZE = (0.2, 0.13), 0.5


@dataclass(frozen=True, eq=False)
class ActingHead:
    """One picture of a head whose points are known.

    Args:
        picture: [H, H, 3] over one colour.
        points: [470, 2] MediaPipe's points on the mesh, then the right and the left iris, in pixels.
        person: Number of the person.
    """

    picture: NDArray[np.uint8]
    points: NDArray[np.float64]
    person: int


def acting_heads(persons: int, *, seed: int = 91, side: int = 224, assets: Path | None = None) -> Iterator[ActingHead]:
    """Pictures of persons who each make ``FACES`` faces, seen from the front to about 45 degrees aside.

    Raises:
        MissingDependencyError: The assets or moderngl are missing.
    """
    model, renderer, sampler = load_head_model(), HeadRenderer(assets, side, 1), HeadSampler()
    coder = HeadCoder(model, renderer.geometry)
    for person in range(persons):
        rng = np.random.default_rng([seed, person])
        looks = sampler(draw_latent(sampler, rng))
        for _ in range(FACES):
            units = random_units(rng)
            gaze = np.clip(rng.normal(0.0, _GAZE_DEVIATIONS), -_LARGEST_GAZE, _LARGEST_GAZE).tolist()
            acting = replace(
                looks,
                expression={f"expression/{name}": weight for name, weight in units.items()},
                gaze=(gaze[0], gaze[1]),
                mouth_open=units["jawOpen"],
                smile=max(units["mouthSmileLeft"], units["mouthSmileRight"]),
            )
            head = renderer.build(acting)
            codes = coder(acting, head.shape)
            vector = torch.from_numpy(rng.normal(0.0, _POSE_DEVIATIONS)).float()[None]
            vector[0, 0].clamp_(-_LARGEST_YAW, _LARGEST_YAW)
            cam2world = CameraPose.from_vector(vector).cam2world(FACE_ORBIT)
            points = project(known_places(model, codes), cam2world, focal=FOCAL)[0][0].double().numpy() * side
            view = renderer.render(head, cam2world[0].numpy().astype(np.float32))
            yield ActingHead(over_one_colour(view.rgba, rng), points, person)


@torch.no_grad()
def known_places(model: HeadModel, codes: HeadCodes) -> Tensor:
    """[B, 470, 3] MediaPipe's points on heads of the mesh, then the middles of the right and the left iris."""
    vertices = model.vertices(codes)
    return torch.cat([model.landmarks468.on(vertices), irises_of(model, vertices, codes.gaze)], dim=1)


def over_one_colour(rgba: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """[H, H, 3] a picture [H, H, 4] before a colour that is drawn."""
    opacity = rgba[..., 3:] / 255.0
    return np.asarray(rgba[..., :3] * opacity + rng.uniform(0.0, 255.0, 3) * (1.0 - opacity), np.uint8)


def random_units(rng: np.random.Generator) -> dict[str, float]:
    """Weights by ARKit's names of a face that somebody makes."""
    units: dict[str, float] = {}

    def some(chance: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < chance else 0.0

    def pair(name: str, chance: float, high: float) -> None:
        """Both sides nearly alike, or in a quarter of the faces each by itself."""
        left = some(chance, 0.1, high)
        right = some(chance, 0.1, high) if rng.random() < 0.25 else left * float(rng.uniform(0.85, 1.15))
        units[f"{name}Left"], units[f"{name}Right"] = left, right

    pair("eyeBlink", 0.5, 1.05)
    pair("eyeSquint", 0.25, 1.2)
    pair("eyeWide", 0.2, 1.0)
    is_raised = rng.random() < 0.45
    units["browInnerUp"] = some(0.8, 0.1, 1.4) if is_raised else 0.0
    pair("browOuterUp", 0.7 if is_raised else 0.15, 1.4)
    pair("browDown", 0.1 if is_raised else 0.5, 1.2)
    pair("mouthSmile", 0.45, 1.1)
    smile = max(units["mouthSmileLeft"], units["mouthSmileRight"])
    is_serious = smile < 0.3
    units["jawOpen"] = some(0.55, 0.03, 0.7)
    units["mouthPucker"] = some(0.25 * is_serious, 0.1, 1.0)
    units["mouthFunnel"] = some(0.1 * is_serious, 0.1, 0.8)
    pair("mouthFrown", 0.2 * is_serious, 1.0)
    pair("mouthUpperUp", 0.2, 0.8)
    pair("mouthLowerDown", 0.2, 0.9)
    pair("mouthStretch", 0.12, 0.8)
    pair("cheekSquint", 0.05 if is_serious else 0.25, 0.8)
    pair("mouthPress", 0.12, 0.7)
    units["mouthRollLower"] = some(0.1, 0.1, 0.7)
    units["mouthRollUpper"] = some(0.1, 0.1, 0.5)
    pair("noseSneer", 0.1, 0.8)
    units["mouthLeft"] = some(0.08, 0.1, 0.6)
    units["mouthRight"] = 0.0 if units["mouthLeft"] else some(0.08, 0.1, 0.6)
    return units
