"""Contact sheets of synthetic heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .heads import HeadRenderer
from .rasteriser import HeadView
from .sampler import HeadSampler

BACKGROUND = (205, 208, 212)


def over_background(view: HeadView, color: tuple[int, int, int] = BACKGROUND) -> NDArray[np.uint8]:
    """Picture [H, W, 3] of a view over a plain colour."""
    alpha = view.rgba[..., 3:].astype(np.float32) / 255.0
    mixed = view.rgba[..., :3] * alpha + np.asarray(color, np.float32) * (1.0 - alpha)
    return (mixed + 0.5).astype(np.uint8)


def contact_sheet(pictures: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """One picture of all ``pictures`` [H, W, 3], which are equally large; the last row is filled up with white."""
    missing = -len(pictures) % columns
    tiles = [*pictures, *[np.full_like(pictures[0], 255)] * missing]
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)


def preview(
    out: Path | str,
    heads: int = 64,
    *,
    resolution: int = 160,
    seed: int = 0,
    assets: Path | str | None = None,
    supersample: int = 3,
    landmarks: bool = False,
) -> Path:
    """Write a contact sheet of random heads from random views; returns its path.

    Args:
        out: The picture to write.
        heads: Number of heads.
        resolution: Side of each head in pixels.
        seed: Seed of heads and views.
        assets: Folder of the MakeHuman assets.
        supersample: Samples a pixel along each axis.
        landmarks: Whether the 68 landmarks are drawn.
    """
    from PIL import Image

    from .dataset import draw_latent, sample_cameras

    sampler, renderer = HeadSampler(), HeadRenderer(assets, resolution, supersample)
    pictures = []
    for index in range(heads):
        rng = np.random.default_rng([seed, index])
        head = renderer.build(sampler(draw_latent(sampler, rng)))
        view = renderer.render(head, sample_cameras(rng, 1)[0])
        picture = over_background(view)
        if landmarks:
            pixels = np.clip((view.landmarks68 * resolution).astype(int), 0, resolution - 1)
            picture[pixels[:, 1], pixels[:, 0]] = (0, 255, 0)
        pictures.append(picture)
    path = Path(out)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    Image.fromarray(contact_sheet(pictures, round(heads**0.5))).save(temporary)
    temporary.replace(path)
    return path
