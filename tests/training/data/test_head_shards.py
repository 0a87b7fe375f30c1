"""Streaming of heads: true values on rays, new shards, errors of the data thread."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.errors import UsageError
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.engine.background import in_background
from tests.training.conftest import HEADS, write_shard


def test_rays_carry_what_their_pixels_show(discs: Path) -> None:
    batch = HeadShards(discs).rays(np.random.default_rng(0), heads=4, views=2, rays_per_view=64)
    assert batch.color.shape == (4, 128, 3)
    expected = torch.from_numpy((127 + 100 * np.tanh(batch.z[:, 1:4].numpy())).astype(np.uint8)) / 255.0
    hit = batch.alpha > 0.5
    assert hit.float().mean() > 0.7  # three quarters are on the head
    assert torch.allclose(batch.color[hit], expected[:, None].expand(-1, 128, -1)[hit], atol=1e-5)
    assert (batch.distance[hit] >= 2.59).all()  # z-depth 2.6, a little more along slanted rays
    assert (batch.distance[~hit] == 0).all()


def test_rays_carry_albedo_light_and_codes(tmp_path: Path) -> None:
    write_shard(tmp_path, "00000", 0, with_albedo=True)
    heads = HeadShards(tmp_path)
    assert heads.has_albedo
    batch = heads.rays_of(np.random.default_rng(0), [(3, [0, 2]), (5, [1, 0])], rays_per_view=16)
    assert batch.albedo is not None and batch.light is not None and batch.codes is not None and batch.lamp is not None
    assert batch.albedo.shape == batch.color.shape == (2, 32, 3) and batch.lamp.shape == (2, 2, 3)
    on_head = batch.alpha > 0
    assert bool(((batch.color - 2.0 * batch.albedo)[on_head] >= 0).all())
    assert bool(((batch.color - 2.0 * batch.albedo)[on_head] < 1.5 / 255.0).all())
    for row, head in enumerate((3, 5)):
        np.testing.assert_array_equal(batch.light[row].numpy(), heads.light(head))
        np.testing.assert_array_equal(batch.codes[row].numpy(), heads.codes(head))
        assert heads.albedo(head, 0).shape == (32, 32, 3) == heads.normals(head, 0).shape


def test_older_data_has_no_albedo(discs: Path) -> None:
    heads = HeadShards(discs)
    assert not heads.has_albedo and heads.face_views == heads.num_views
    assert heads.rays(np.random.default_rng(0), heads=2, views=1, rays_per_view=8).albedo is None
    with pytest.raises(UsageError, match="no albedo"):
        heads.light(0)


def test_heads_of_another_version_are_refused(discs: Path) -> None:
    heads = HeadShards(discs)
    heads.check_fits(8)
    with pytest.raises(UsageError, match="described by 8 numbers, and the generator takes 9"):
        heads.check_fits(9)


def test_mixed_data_has_no_albedo(discs: Path) -> None:
    write_shard(discs, "00001", 1, with_albedo=True)
    heads = HeadShards(discs)
    assert not heads.has_albedo
    batch = heads.rays_of(np.random.default_rng(0), [(0, [0]), (HEADS, [0])], rays_per_view=8)
    assert batch.albedo is None and batch.light is None and batch.codes is None


def test_twins_are_seen_through_the_same_rays(twins: Path) -> None:
    heads = HeadShards(twins)
    assert heads.has_twins
    batch = heads.rays(np.random.default_rng(0), heads=5, views=2, rays_per_view=32, twin_pairs=2)
    for first, second in ((0, 1), (2, 3)):
        assert (batch.directions[first] == batch.directions[second]).all()
        assert (batch.alpha[first] == batch.alpha[second]).all()  # twins are of one size
        assert (batch.color[first] != batch.color[second]).any()  # but not of one colour
    assert (batch.directions[0] != batch.directions[4]).any()


def test_new_shards_are_picked_up(discs: Path) -> None:
    heads = HeadShards(discs)
    write_shard(discs, "00001", 1)
    assert len(heads) == HEADS
    heads.refresh()
    assert len(heads) == 2 * HEADS


def test_shard_under_way_is_left_alone(discs: Path) -> None:
    write_shard(discs, "00001", 1)
    (discs / "00001_z.npy").unlink()  # z is written last
    assert len(HeadShards(discs)) == HEADS


def test_empty_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rendered heads") as caught:
        HeadShards(tmp_path)
    assert "geoinv synth dataset" in (caught.value.hint or "")


def test_background_raises_in_the_consumer() -> None:
    def broken() -> int:
        raise ValueError("bad shard")

    with pytest.raises(ValueError, match="bad shard"):
        next(in_background(broken))


def test_background_ends_when_closed() -> None:
    before = threading.active_count()
    with closing(in_background(lambda: 1, depth=2)) as ones:
        assert [next(ones), next(ones)] == [1, 1]
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["rgba", "z"])
def test_a_damaged_shard_is_named(discs: Path, name: str) -> None:
    path = discs / f"00000_{name}.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match=f"00000_{name}.npy is damaged"):
        HeadShards(discs)


def test_a_shard_of_other_heads_is_named(discs: Path) -> None:
    np.save(discs / "00000_depth.npy", np.load(discs / "00000_depth.npy")[1:])
    with pytest.raises(UsageError, match="00000_depth.npy is damaged"):
        HeadShards(discs)


def test_a_damaged_description_is_named(discs: Path) -> None:
    (discs / "dataset.json").write_text("[1]")
    with pytest.raises(UsageError, match="dataset.json is damaged"):
        HeadShards(discs)
