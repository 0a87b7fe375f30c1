"""Where the eyes of a photo look, and the colours of their irises and whites.

The fitted mesh says where each eyeball is and what the lids leave open; in there, the iris is the darker disc of known
size. Both eyes are searched together, as they look the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...shape import HeadModel
from .picture_source import PictureSource
from .surface import HeadSurface, Sighting

IRIS_ANGLE = math.radians(21.0)
"""Angle between the axis of the eye and the edge of the iris: 11.7 mm across on the model's eyeballs of 33 mm."""

_PATCH = 121  # pixels along a picture of one eyeball
_REACH = 1.0  # eyeball radii from its centre to the edge of the picture
_IRIS = math.sin(IRIS_ANGLE)  # radius in eyeball radii
_MOST = 0.5  # eyeball radii (30 degrees) that an iris is looked for from straight ahead
_ASIDE_COST, _UP_COST = 0.08, 1.6  # of the darkness of an iris, for a gaze at the limit
_MOST_APART, _APART_COST = 0.2, 0.5  # eyeball radii that one eye's iris is looked for from that of both; its cost
_LEAST_OPEN = 0.004  # of the picture: lids that are closed further show no iris
_WHITE_SATURATION = 0.08  # largest difference of a channel from the mean, of the mean
_USUAL_IRIS = (92.0, 68.0, 52.0)
_USUAL_WHITE = (214.0, 204.0, 198.0)


@dataclass(frozen=True)
class EyeLook:
    """What a photo tells of the eyes.

    Args:
        gaze: Radians that both eyes turn to world +x and up, as in :class:`~geoinv.shape.HeadCodes`.
        each: The same of the person's right and left eye alone, as fitted eyeballs lie a little off.
        iris: sRGB of the iris, 0 to 255.
        white: sRGB of the white.
        is_seen: Whether the photo shows open eyes; else all is the usual.
    """

    gaze: tuple[float, float]
    each: tuple[tuple[float, float], tuple[float, float]]
    iris: tuple[float, float, float]
    white: tuple[float, float, float]
    is_seen: bool


@dataclass(frozen=True)
class _Eye:
    pixels: NDArray[np.float32]  # [P, P, 3]
    is_open: NDArray[np.bool_]  # [P, P]


def look_of_eyes(
    model: HeadModel, surface: HeadSurface, sighting: Sighting, camera: Camera, source: PictureSource
) -> EyeLook:
    """Gaze and colours of the eyes in a photo.

    Args:
        model: Head model.
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        camera: That camera, of one view.
        source: The photo.
    """
    eyes = [_eye(model, name, surface, sighting, camera, source) for name in ("right-eye", "left-eye")]
    open_eyes = [eye for eye in eyes if eye.is_open.mean() > _LEAST_OPEN]
    if not open_eyes:
        return EyeLook((0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)), _USUAL_IRIS, _USUAL_WHITE, is_seen=False)
    centre = _iris_centre(open_eyes)
    right, left = (
        _gaze_at(_iris_centre([eye], near=centre) if any(eye is other for other in open_eyes) else centre, camera)
        for eye in eyes
    )
    iris, white = _colours(open_eyes, centre)
    return EyeLook(_gaze_at(centre, camera), (right, left), iris, white, is_seen=True)


def _gaze_at(centre: tuple[float, float], camera: Camera) -> tuple[float, float]:
    """Gaze of an eye whose iris is seen so many radii right and down of the eyeball's centre."""
    x, y = centre
    axis = camera.cam2world[0, :3, :3].double().numpy() @ (x, y, -math.sqrt(max(0.0, 1.0 - x * x - y * y)))
    return math.atan2(axis[0], axis[2]), math.asin(float(np.clip(axis[1], -1.0, 1.0)))


def _eye(
    model: HeadModel, name: str, surface: HeadSurface, sighting: Sighting, camera: Camera, source: PictureSource
) -> _Eye:
    """Picture of an eyeball, and where it is seen between the lids."""
    import torch

    ball = surface.vertices[model.parts[name].vertices]
    centre = ball.mean(axis=0)
    radius = float(np.linalg.norm(ball - centre, axis=1).mean())
    middle, depth = camera.project(torch.from_numpy(centre).float()[None, None])
    step = radius * camera.focal / float(depth)
    ticks = (np.arange(_PATCH) + 0.5) / _PATCH * 2.0 - 1.0
    offsets = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2) * (_REACH * step)
    places = middle[0, 0].double().numpy() + offsets
    own = triangles_of_eye(model, name, surface)
    shown = sighting.read(sighting.shown, places)
    inside = ((places > 0.0) & (places < 1.0)).all(axis=1)
    is_open = ((shown >= own.start) & (shown < own.stop) & inside).reshape(_PATCH, _PATCH)
    return _Eye(source.colours(places).reshape(_PATCH, _PATCH, 3).clip(0.0, 255.0), is_open)


def triangles_of_eye(model: HeadModel, name: str, surface: HeadSurface) -> range:
    """Rows of an eye's triangles among those of a sighting, in which the eyes come last."""
    topology = surface.topology
    end = len(topology.triangles) + len(topology.others)
    parts = [model.parts[other].triangles for other in ("right-eye", "left-eye")]
    right, left = (part.stop - part.start for part in parts)
    return range(end - left - right, end - left) if name == "right-eye" else range(end - left, end)


def _iris_centre(eyes: list[_Eye], near: tuple[float, float] | None = None) -> tuple[float, float]:
    """Centre of the irises, eyeball radii right and down of the eyeballs' centres; one ``near`` that of both eyes."""
    pixel = 2.0 * _REACH / _PATCH
    radius = _IRIS / pixel
    disc, ring = _disc(0.9 * radius), _disc(1.45 * radius)
    ring[_disc_inset(ring, disc)] = 0.0
    total: NDArray[np.float64] = np.zeros((_PATCH, _PATCH))
    for eye in eyes:
        grey = cv2.cvtColor(np.clip(eye.pixels, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(np.float32)
        low, high = np.percentile(grey[eye.is_open], (5, 90))
        grey = np.clip((grey - low) / max(high - low, 1.0), 0.0, 1.0)
        inner, inner_count = _mean(grey, eye.is_open, disc)
        outer, outer_count = _mean(grey, eye.is_open, ring)
        # an iris that the lids cover wholly is none, and of one at the corner of the eye there is half
        trust = np.minimum(inner_count / (0.35 * disc.sum()), 1.0) * np.minimum(outer_count / (0.12 * ring.sum()), 1.0)
        total += (outer - inner) * trust
    ticks = (np.arange(_PATCH) + 0.5) * pixel - _REACH
    far = np.hypot(*np.meshgrid(ticks, ticks))
    # lids follow the gaze up and down, and shade the white beneath them: the middle of the opening is the best guess
    middle = float(np.mean([(ticks[:, None] * eye.is_open).sum() / eye.is_open.sum() for eye in eyes]))
    across, down = np.meshgrid(ticks, ticks - middle)
    total -= len(eyes) * (_ASIDE_COST * (across / _MOST) ** 2 + _UP_COST * (down / _MOST) ** 2)
    total = np.where(far < _MOST, total, -np.inf)
    if near is not None:
        apart = np.hypot(*np.meshgrid(ticks - near[0], ticks - near[1]))
        total = np.where(apart < _MOST_APART, total - len(eyes) * _APART_COST * (apart / _MOST) ** 2, -np.inf)
    row, column = np.unravel_index(int(np.argmax(total)), total.shape)
    return float(ticks[column]), float(ticks[row])


def _mean(
    grey: NDArray[np.float32], is_open: NDArray[np.bool_], kernel: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weight = is_open.astype(np.float64)
    exact = kernel.astype(np.float64)
    summed = (
        cv2.filter2D(values, cv2.CV_64F, exact, borderType=cv2.BORDER_CONSTANT) for values in (weight, weight * grey)
    )
    count, total = (np.asarray(part, np.float64) for part in summed)
    return total / np.maximum(count, 1.0), count


def _disc(radius: float) -> NDArray[np.float32]:
    half = math.ceil(radius)
    ticks = np.arange(-half, half + 1)
    return np.asarray(np.hypot(*np.meshgrid(ticks, ticks)) <= radius, np.float32)


def _disc_inset(outer: NDArray[np.float32], inner: NDArray[np.float32]) -> NDArray[np.bool_]:
    margin = (outer.shape[0] - inner.shape[0]) // 2
    return np.pad(inner > 0.0, margin)


def _colours(
    eyes: list[_Eye], centre: tuple[float, float]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Colours of iris and white; the usual ones where too little is seen."""
    ticks = ((np.arange(_PATCH) + 0.5) / _PATCH * 2.0 - 1.0) * _REACH
    x, y = np.meshgrid(ticks - centre[0], ticks - centre[1])
    from_centre = np.hypot(x, y) / _IRIS
    kernel = np.ones((5, 5), np.uint8)
    iris, white = [], []
    for eye in eyes:
        well_open = cv2.erode(eye.is_open.astype(np.uint8), kernel) > 0  # lashes and lids shade the edge
        # the lower two thirds: the upper lid shades the rest
        iris.append(eye.pixels[well_open & (from_centre > 0.45) & (from_centre < 0.8) & (y > -0.3 * _IRIS)])
        white.append(eye.pixels[well_open & (from_centre > 1.25)])
    return _middle(np.concatenate(iris), 30, 85, _USUAL_IRIS), _pale(
        _middle(np.concatenate(white), 80, 98, _USUAL_WHITE)
    )


def _pale(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """The colour brought to the hue of usual whites by half: the rims of lids are red, and light is coloured."""
    grey = sum(colour) / 3.0
    most = max(abs(value - grey) for value in colour)
    share = min(1.0, _WHITE_SATURATION * grey / max(most, 1e-6))
    usual_grey = sum(_USUAL_WHITE) / 3.0
    tint = (value / usual_grey for value in _USUAL_WHITE)
    red, green, blue = (
        0.5 * (grey + share * (value - grey) + grey * usual) for value, usual in zip(colour, tint, strict=True)
    )
    return red, green, blue


def _middle(
    pixels: NDArray[np.float32], low: int, high: int, usual: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Mean colour of the pixels [N, 3] between two percentiles of brightness: highlights and shadows are left out."""
    if len(pixels) < 12:
        return usual
    bright = pixels.mean(axis=1)
    kept = (bright >= np.percentile(bright, low)) & (bright <= np.percentile(bright, high))
    red, green, blue = (float(value) for value in pixels[kept].mean(axis=0))
    return red, green, blue
