"""Spectacle frames made of tubes: two rims, a bridge and two temples, fitted to a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assets import FloatArray, IntArray, RealArray

TUBE_SIDES = 6
RIM_POINTS = 40


@dataclass(frozen=True)
class FrameStyle:
    """The form of a spectacle frame.

    Args:
        half_width: Half the width of a rim in world units.
        half_height: Half the height of a rim in world units.
        exponent: Exponent of the rim's superellipse; 2 is an ellipse, larger is nearer to a rectangle.
        top_radius: Radius of the tube at the top of a rim in world units.
        bottom_radius: Radius of the tube at the bottom of a rim in world units.
    """

    half_width: float
    half_height: float
    exponent: float
    top_radius: float
    bottom_radius: float


FRAME_STYLES: dict[str, FrameStyle] = {
    "round": FrameStyle(0.060, 0.055, 2.0, 0.0032, 0.0032),
    "rectangular": FrameStyle(0.067, 0.042, 4.0, 0.0055, 0.0050),
    "large": FrameStyle(0.070, 0.058, 2.8, 0.0065, 0.0060),
    "half": FrameStyle(0.066, 0.044, 3.2, 0.0065, 0.0018),
}


def _tube(path: RealArray, radius: RealArray, closed: bool) -> tuple[FloatArray, FloatArray, IntArray]:
    """Vertices, normals and triangles of a tube along ``path`` [N, 3] with ``radius`` [N]."""
    tangent: RealArray
    if closed:
        tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    reference: RealArray = np.where(np.abs(tangent[:, 2:]) > 0.9, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    side = np.cross(tangent, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangent, side)
    angle = np.arange(TUBE_SIDES) * 2 * np.pi / TUBE_SIDES
    normal = side[:, None] * np.cos(angle)[:, None] + other[:, None] * np.sin(angle)[:, None]  # [N, S, 3]
    vertices = path[:, None] + normal * radius[:, None, None]
    count = len(path)
    i, j = np.meshgrid(np.arange(count if closed else count - 1), np.arange(TUBE_SIDES), indexing="ij")
    i2, j2 = (i + 1) % count, (j + 1) % TUBE_SIDES
    a, b, c, d = (p * TUBE_SIDES + q for p, q in ((i, j), (i2, j), (i2, j2), (i, j2)))
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    return vertices.reshape(-1, 3).astype(np.float32), normal.reshape(-1, 3).astype(np.float32), triangles


def build_frame(
    style: FrameStyle, size: float, eyes: FloatArray, front: float, ears: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Vertices [N, 3], normals [N, 3] and triangles [F, 3] of a frame.

    Args:
        style: Shape of the frame.
        size: Scale of the rims.
        eyes: [2, 3] eye centres, image left first.
        front: World z of the rims at the bridge.
        ears: [2, 3] points where the temples end, image left first.
    """
    parts: list[tuple[FloatArray, FloatArray, IntArray]] = []
    a, b = style.half_width * size, style.half_height * size
    angle = np.arange(RIM_POINTS) * 2 * np.pi / RIM_POINTS
    power = 2.0 / style.exponent
    x = a * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    y = b * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    height = y / b * 0.5 + 0.5
    radius = style.bottom_radius + (style.top_radius - style.bottom_radius) * height

    def curved(px: RealArray, py: RealArray) -> RealArray:
        return np.stack([px, py, front - 1.6 * px * px], -1)

    for side, eye, ear in zip((-1.0, 1.0), eyes, ears, strict=True):
        centre_x, centre_y = eye[0] * 1.06, eye[1] - 0.006
        parts.append(_tube(curved(centre_x + x, centre_y + y), radius, closed=True))
        hinge = curved(np.array([centre_x + side * a]), np.array([centre_y + 0.45 * b]))[0]
        bend = np.array([hinge[0] + side * 0.006, hinge[1], hinge[2] - 0.012])
        end = np.array([max(abs(ear[0]), abs(hinge[0])) * side, ear[1], ear[2]])
        drop = end + np.array([-side * 0.004, -0.03, -0.035])
        steps = np.linspace(0.0, 1.0, 6)[:, None]
        path = np.concatenate([hinge[None], bend + (end - bend) * steps, drop[None]])
        parts.append(_tube(path, np.full(len(path), 0.75 * style.top_radius), closed=False))
    inner = [eyes[0, 0] * 1.06 + a, eyes[1, 0] * 1.06 - a]
    bridge_x = np.linspace(inner[0], inner[1], 7)
    bridge_y = eyes[:, 1].mean() + 0.2 * b + 0.012 * np.sin(np.linspace(0.0, np.pi, 7))
    parts.append(_tube(curved(bridge_x, bridge_y), np.full(7, style.top_radius), closed=False))
    offsets = np.cumsum([0] + [len(part[0]) for part in parts[:-1]])
    vertices, normals = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    triangles = np.concatenate([part[2] + offset for part, offset in zip(parts, offsets, strict=True)])
    return vertices, normals, triangles.astype(np.int32)
