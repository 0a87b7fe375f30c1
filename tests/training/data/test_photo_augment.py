"""Photo-like pictures stay pictures, follow the seed, and vary."""

from __future__ import annotations

import numpy as np

from geoinv.training.data.photo_augment import photo_like, random_background


def test_range_and_type() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        background = random_background(rng, 48)
        photo = photo_like(rng, background)
        for picture in (background, photo):
            assert picture.shape == (48, 48, 3)
            assert picture.dtype == np.float32
            assert picture.min() >= 0.0 and picture.max() <= 1.0


def test_seed_decides() -> None:
    pictures = [photo_like(np.random.default_rng(3), random_background(np.random.default_rng(2), 32)) for _ in range(2)]
    assert np.array_equal(*pictures)


def test_input_is_not_changed() -> None:
    picture = np.full((32, 32, 3), 0.5, np.float32)
    for seed in range(20):
        photo_like(np.random.default_rng(seed), picture)
    assert (picture == 0.5).all()
