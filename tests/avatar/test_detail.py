"""Fewer triangles: the vertices that are left are old ones, seams stay closed, and the face still moves."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.avatar import Avatar
from geoinv.avatar.collapse import collapsed
from geoinv.avatar.detail import with_fewer_triangles, with_smaller_textures
from geoinv.avatar.glb import avatar_glb
from geoinv.avatar.presets import PRESETS
from tests.avatar.gltf_reader import GltfReader
from tests.avatar.people import a_person, an_avatar


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of ``side`` x ``side`` vertices."""
    y, x = np.divmod(np.arange(side * side), side)
    places = np.stack([x, y, np.zeros_like(x)], axis=1).astype(np.float32)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    one, two = np.stack([first, first + 1, first + side]), np.stack([first + 1, first + side + 1, first + side])
    return places, np.concatenate([one.T, two.T])


def _area(places: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (places[triangles[:, k]] for k in range(3))
    crossed = np.cross(b - a, c - a)[:, 2]
    assert (crossed > 0.0).all()  # none is turned over
    return float(0.5 * crossed.sum())


class TestCollapse:
    def test_a_flat_square_stays_whole(self) -> None:
        places, triangles = _grid(8)
        fewer = collapsed(places[None], triangles, 40)
        assert len(fewer) <= 42 and _area(places, fewer) == pytest.approx(49.0)
        border = set(np.flatnonzero((places[:, :2] == 0.0).any(axis=1) | (places[:, :2] == 7.0).any(axis=1)).tolist())
        assert border <= set(np.unique(fewer).tolist())

    def test_what_stands_out_in_any_shape_is_kept(self) -> None:
        places, triangles = _grid(9)
        peak = 4 * 9 + 4
        moved = places.copy()
        moved[peak, 2] = 2.0
        fewer = collapsed(np.stack([places, moved]), triangles, 60)
        assert peak in fewer
        assert len(fewer) < len(triangles) / 2

    def test_nothing_changes_where_enough_is_asked_for(self) -> None:
        places, triangles = _grid(4)
        assert np.array_equal(collapsed(places[None], triangles, len(triangles)), triangles)


@pytest.fixture(scope="module")
def half() -> Avatar:
    return with_fewer_triangles(an_avatar(), 0.5, 1000)


def test_half_the_triangles_lie_close_to_the_whole_head(half: Avatar) -> None:
    whole, fewer = an_avatar().skin, half.skin
    assert len(fewer.triangles) == pytest.approx(0.5 * len(whole.triangles), rel=0.05)
    assert half.seen is not None and len(half.seen) == len(fewer.rows) == len(fewer.uvs)
    old = {tuple(place) for place in whole.positions.tolist()}
    assert all(tuple(place) in old for place in fewer.positions.tolist())


def test_seams_stay_closed(half: Avatar) -> None:
    """Edges are open at the shoulders alone, where the head model ends."""
    skin = half.skin
    edges = np.sort(np.concatenate([skin.rows[skin.triangles][:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), 1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    places = a_person().at_rest().numpy()[unique[count != 2]]
    assert len(places) and places[..., 1].max() < -0.3


def test_it_moves_and_is_a_file_like_the_whole(half: Avatar) -> None:
    read = GltfReader(avatar_glb(half))
    assert len(read.meshes["skin"]["extras"]["targetNames"]) == 67
    assert np.abs(read.morph("skin", "eyeBlinkLeft")).max() > 0.005


def test_textures_are_halved_level_by_level() -> None:
    avatar = an_avatar()
    textures = {"skin": np.zeros((64, 64, 3), np.uint8), "eyes": np.full((16, 16, 3), 7, np.uint8)}
    small = with_smaller_textures(Avatar(avatar.parts, avatar.morphs, avatar.rig, textures), 32)
    assert small.textures["skin"].shape == (32, 32, 3) and small.textures["eyes"].shape == (16, 16, 3)


def test_games_get_three_levels_and_the_web_half_the_triangles() -> None:
    levels = PRESETS["game"].apply(an_avatar())
    counts = [level.triangle_count for level in levels]
    assert len(counts) == 3 and counts[0] > 1.6 * counts[1] > 2.5 * counts[2]
    (web,) = PRESETS["web"].apply(an_avatar())
    assert web.triangle_count == counts[1]
