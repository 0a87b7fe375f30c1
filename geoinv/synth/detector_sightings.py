"""Sightings of synthetic heads by MediaPipe's detector: its 468 points on renders of heads that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..align.mediapipe import MediaPipeBackend
from ..camera.pose import CameraPose
from ..conventions import FACE_ORBIT
from ..progress import OnCount
from .assets import FloatArray, IntArray
from .dataset import draw_latent
from .geometry import Surface
from .heads import HeadRenderer
from .preview import over_background
from .sampler import HeadSampler
from .shape_basis import ModelMesh

YAWS_DEG = tuple(range(-80, 81, 20))
"""Yaws from which each head is seen once, give or take 10 degrees."""


@dataclass(frozen=True)
class Sightings:
    """Sightings by the detector of heads that are known.

    Args:
        vertices: [H, V, 3] of the heads.
        normals: [H, V, 3] unit normals.
        heads: [N] head of each view.
        cam2world: [N, 4, 4] camera of each view.
        yaw_rad: [N] its yaw.
        landmarks: [N, 468, 2] where the detector put its points, parts of the picture's side.
    """

    vertices: FloatArray
    normals: FloatArray
    heads: IntArray
    cam2world: FloatArray
    yaw_rad: FloatArray
    landmarks: FloatArray


def observe(
    renderer: HeadRenderer, mesh: ModelMesh, heads: int, seed: int, on_head: OnCount | None = None
) -> Sightings:
    """Run the detector on ``heads`` random heads of the sampler, each at all yaws.

    Args:
        renderer: Draws the heads.
        mesh: Topology of the head model.
        heads: Number of heads.
        seed: Seed of heads, cameras and backgrounds.
        on_head: Called with the number of heads done.
    """
    sampler, detector, rows = HeadSampler(), MediaPipeBackend(), mesh.rows_of(renderer.geometry)
    surface = Surface(np.stack([mesh.triangles, mesh.triangles], -1), np.zeros((len(rows), 2), np.float32))
    vertices, normals, seen = [], [], []
    for number in range(heads):
        rng = np.random.default_rng([seed, number])
        head = renderer.build(sampler(draw_latent(sampler, rng)))
        vertices.append(head.shape.vertices[rows])
        normals.append(surface.normals(vertices[-1]))
        for yaw_rad, camera in _cameras(rng):
            picture = over_background(renderer.render(head, camera), tuple(rng.integers(0, 256, 3)))
            found = detector.detect(picture)
            if found:
                points = found[0].landmarks[:, :2] / len(picture)
                seen.append((number, camera, yaw_rad, points))
        if on_head:
            on_head(number + 1)
    numbers, cameras, yaws, landmarks = zip(*seen, strict=True)
    return Sightings(
        np.stack(vertices),
        np.stack(normals),
        np.asarray(numbers, np.int32),
        np.stack(cameras).astype(np.float32),
        np.asarray(yaws, np.float32),
        np.stack(landmarks).astype(np.float32),
    )


def _cameras(rng: np.random.Generator) -> list[tuple[float, FloatArray]]:
    """A camera near each of the yaws, with its yaw in radians."""
    count = len(YAWS_DEG)
    yaw = np.radians(np.asarray(YAWS_DEG) + rng.uniform(-10.0, 10.0, count))
    pitch, roll = rng.normal(0.0, 0.18, count).clip(-0.5, 0.5), rng.normal(0.0, 0.07, count)
    shift = rng.normal(0.0, 1.0, (count, 3)) * [0.015, 0.015, 0.12]
    pose = CameraPose.from_vector(torch.tensor(np.concatenate([np.stack([yaw, pitch, roll], -1), shift], -1)))
    return list(zip(yaw.tolist(), pose.cam2world(FACE_ORBIT).numpy().astype(np.float32), strict=True))
