"""Makes renders look like photographs: backgrounds, lens, sensor and file.

An encoder trained on synthetic heads so also reads real photos.

numpy and OpenCV on one picture at a time; runs in the data thread.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # float32, in [0, 1] where it comes in and goes out


def random_background(rng: np.random.Generator, size: int) -> Picture:
    """[size, size, 3] in [0, 1]: smooth noise between random colours at a random scale, sometimes with hard shapes."""
    background: Picture
    if rng.random() < 0.25:
        background = np.broadcast_to(rng.random(3), (size, size, 3)).astype(np.float32)
    else:
        cells = int(rng.integers(2, 12))
        grid = rng.random((cells, cells, 3)).astype(np.float32)
        grid = grid.mean(axis=2, keepdims=True) + (grid - grid.mean(axis=2, keepdims=True)) * rng.uniform(0.1, 1.0)
        mode = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
        background = cv2.resize(grid, (size, size), interpolation=mode)
        background = rng.uniform(0.1, 0.9) + (background - 0.5) * rng.uniform(0.2, 1.2)
    for _ in range(int(rng.integers(0, 4))):
        corners = rng.integers(-size // 4, size * 5 // 4, (4, 2)).astype(np.int32)
        shape = np.ascontiguousarray(background)
        background = cv2.fillConvexPoly(shape, cv2.convexHull(corners), rng.random(3).tolist(), lineType=cv2.LINE_AA)
    blur = rng.uniform(0.0, 4.0)
    return np.clip(cv2.GaussianBlur(background, (0, 0), blur + 0.3), 0.0, 1.0).astype(np.float32)


def photo_like(rng: np.random.Generator, picture: Picture) -> Picture:
    """Random exposure, contrast, colour, blur, scale, noise and JPEG on [H, W, 3] in [0, 1].

    Colour changes are small: the encoder is to give a photo's colours back, and cannot know which were changed.
    """
    size = picture.shape[0]
    gain = np.exp(rng.normal(0.0, 0.05) + rng.normal(0.0, 0.02, 3)).astype(np.float32)
    picture = np.clip(picture, 0.0, 1.0) ** np.float32(np.exp(rng.normal(0.0, 0.05))) * gain
    grey = picture @ np.array([0.3, 0.59, 0.11], np.float32)
    picture = grey[..., None] + (picture - grey[..., None]) * np.float32(rng.uniform(0.85, 1.15))
    picture = 0.5 + (picture - 0.5) * np.float32(rng.uniform(0.92, 1.1))
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.2:
        small = int(size * rng.uniform(0.4, 0.9))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.5:
        picture = picture + rng.normal(0.0, rng.uniform(0.0, 0.03), picture.shape).astype(np.float32)
    if rng.random() < 0.4:
        pixels = (np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / 255.0
    if rng.random() < 0.15:
        _cut_out(rng, picture)
    return np.clip(picture, 0.0, 1.0).astype(np.float32)


def _cut_out(rng: np.random.Generator, picture: Picture) -> None:
    """Cover a part from the border, as hands, hats and scarves do; in place on our own copy."""
    size = picture.shape[0]
    height, width = rng.integers(size // 8, size // 3, 2)
    top, left = rng.integers(0, size, 2)
    if rng.random() < 0.5:
        top = 0 if rng.random() < 0.5 else size - height
    else:
        left = 0 if rng.random() < 0.5 else size - width
    picture[top : top + height, left : left + width] = rng.random(3)
