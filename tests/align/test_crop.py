"""Resampling: half-integer pixel centres, no aliasing, mirrored borders."""

from __future__ import annotations

import numpy as np

from geoinv.align.crop import apply_affine, compose_affine, crop_with_soft_border, inside_photo, invert_affine, warp

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def noise(side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_identity_is_exact() -> None:
    np.testing.assert_array_equal(warp(noise(), IDENTITY, 64), noise())


def test_quarter_turn_is_exact() -> None:
    turn = np.array([[0.0, -1.0, 64.0], [1.0, 0.0, 0.0]])  # (x, y) -> (64 - y, x): clockwise about the centre
    np.testing.assert_array_equal(warp(noise(), turn, 64), np.rot90(noise(), -1))


def test_shrinking_averages() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    board = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    small = warp(board, IDENTITY * 0.25, 16)
    assert np.abs(small.astype(int) - 127).max() <= 1


def test_shrinking_keeps_positions() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[96:104, 196:204] = 255  # centred at (200, 100)
    small = warp(image, IDENTITY * 0.25, 100)[..., 0].astype(float)
    y, x = np.indices(small.shape) + 0.5
    assert abs((small * x).sum() / small.sum() - 50) < 0.05
    assert abs((small * y).sum() / small.sum() - 25) < 0.05


def test_affines() -> None:
    a, b = np.array([[0.8, -0.6, 3.0], [0.6, 0.8, -2.0]]), np.array([[2.0, 0.0, 1.0], [0.0, 2.0, 5.0]])
    points = np.array([[1.0, 2.0], [-3.0, 0.5]])
    np.testing.assert_allclose(apply_affine(invert_affine(a), apply_affine(a, points)), points, atol=1e-12)
    composed = apply_affine(compose_affine(a, b), points)
    np.testing.assert_allclose(composed, apply_affine(a, apply_affine(b, points)), atol=1e-12)
    np.testing.assert_allclose(apply_affine(b, np.array([[1.0, 2.0, 3.0]])), [[3.0, 9.0, 6.0]])  # depth scales


def test_border_is_mirrored_then_blurred() -> None:
    shift = np.array([[1.0, 0.0, 32.0], [0.0, 1.0, 0.0]])  # the left half of the output lies outside
    crop = crop_with_soft_border(noise(), shift, 64)
    np.testing.assert_array_equal(crop[:, 32:], noise()[:, :32])
    np.testing.assert_array_equal(crop[:, 31], noise()[:, 1])  # reflect 101: the edge itself is not repeated
    assert crop[:, :20].std() < 0.8 * noise().std()
    assert crop.min(axis=(0, 1)).max() < 60  # not black


def test_inside_photo_by_hand() -> None:
    """A photo of 4 x 2 pixels, twice as large in a crop of 8: its left edge lies at x = 2, its top at y = 3."""
    is_inside = inside_photo(np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 3.0]]), (4, 2), 8)
    expected = np.zeros((8, 8), bool)
    expected[3:7, 2:] = True
    np.testing.assert_array_equal(is_inside, expected)
