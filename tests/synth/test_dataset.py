"""Data sets of heads; what renders is skipped where GEOINV_ASSETS, moderngl or EGL is absent."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT, Orbit
from geoinv.errors import MissingDependencyError, UsageError
from geoinv.synth import SAMPLER_VERSION, HeadSampler
from geoinv.synth.dataset import (
    DatasetSpec,
    cameras_all_around,
    draw_head,
    draw_latent,
    make_dataset,
    sample_cameras,
)

needs_assets = pytest.mark.skipif(
    "GEOINV_ASSETS" not in os.environ, reason="needs the MakeHuman assets (GEOINV_ASSETS)"
)


def _make(folder: Path, **changed: int) -> list[int]:
    made: list[int] = []
    arguments = {"heads": 2, "views": 2, "resolution": 64, "seed": 5, "shard_size": 1} | changed
    try:
        make_dataset(folder, on_shard=lambda shard, *_: made.append(shard), **arguments)  # type: ignore[arg-type]
    except MissingDependencyError as error:
        pytest.skip(error.message)
    return made


def test_cameras_start_near_the_front() -> None:
    cameras = sample_cameras(np.random.default_rng(0), 200).astype(np.float64)
    pose = CameraPose.from_cam2world(torch.tensor(cameras), FACE_ORBIT)
    assert abs(float(pose.yaw_rad[0])) < 0.5
    assert float(pose.yaw_rad.abs().max()) <= 1.1 + 1e-5
    assert float(pose.pitch_rad.abs().max()) <= 0.5 + 1e-5


def test_cameras_all_around_are_even() -> None:
    """As many behind as in front, as many at each height of the band of the sphere between the two pitches."""
    cameras = cameras_all_around(np.random.default_rng(0), 4000).astype(np.float64)
    pose = CameraPose.from_cam2world(torch.tensor(cameras), Orbit(pivot=(0.0, 0.05, 0.05)))
    assert float(pose.shift[:, :2].abs().max()) < 0.08  # they look at the middle of the head
    assert float((pose.yaw_rad.abs() > np.pi / 2).double().mean()) == pytest.approx(0.5, abs=0.03)
    heights = pose.pitch_rad.sin()
    assert float(pose.pitch_rad.min()) > np.radians(-41) and float(pose.pitch_rad.max()) < np.radians(61)
    assert float(heights.median()) == pytest.approx(float(heights.min() + heights.max()) / 2, abs=0.03)


def test_views_of_the_face_come_first() -> None:
    spec = DatasetSpec(2, views=5, seed=3, around=True)
    _, cameras = draw_head(HeadSampler(), spec, 1)
    assert spec.face_views == 3 and cameras.shape == (5, 4, 4)
    rng = np.random.default_rng([3, 1])
    draw_latent(HeadSampler(), rng)
    np.testing.assert_array_equal(cameras[:3], sample_cameras(rng, 3))


def test_last_shard_may_be_smaller() -> None:
    assert [DatasetSpec(heads, shard_size=100).shards for heads in (1, 100, 101)] == [1, 1, 2]


def test_twins_differ_in_expression_alone() -> None:
    sampler, spec = HeadSampler(), DatasetSpec(4, views=2, seed=3, twins=True)
    first, second, other = (draw_head(sampler, spec, head) for head in (2, 3, 0))
    differing = np.flatnonzero(first[0] != second[0])
    assert set(differing) == set(sampler.expression_entries)
    assert (first[1] == second[1]).all()
    assert (first[0] != other[0]).all()
    alone = draw_head(sampler, DatasetSpec(4, views=2, seed=3), 2)
    assert (alone[0] == first[0]).all()


def test_twins_come_in_pairs() -> None:
    with pytest.raises(UsageError, match="even"):
        DatasetSpec(3, twins=True)


def test_another_data_set_in_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(DatasetSpec(2, seed=1).describe()))
    with pytest.raises(UsageError, match="seed"):
        make_dataset(tmp_path, 2, seed=2)


@needs_assets
class TestMakeDataset:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("heads")
        assert _make(folder) == [0, 1]
        return folder

    def test_arrays(self, folder: Path) -> None:
        described = json.loads((folder / "dataset.json").read_text())
        assert described["heads"] == 2 and described["sampler_version"] == SAMPLER_VERSION
        shapes = {
            "rgba": ((1, 2, 64, 64, 4), np.uint8),
            "albedo": ((1, 2, 64, 64, 3), np.uint8),
            "depth": ((1, 2, 64, 64), np.float16),
            "normals": ((1, 2, 64, 64, 3), np.int8),
            "cam2world": ((1, 2, 4, 4), np.float32),
            "landmarks": ((1, 2, 73, 2), np.float32),
            "light": ((1, 9, 3), np.float32),
            "lamp": ((1, 2, 3), np.float32),
            "codes": ((1, 150), np.float32),
            "z": ((1, HeadSampler().z_dim), np.float32),
        }
        for name, (shape, dtype) in shapes.items():
            array = np.load(folder / f"00001_{name}.npy", mmap_mode="r")
            assert array.shape == shape and array.dtype == dtype, name
        assert not list(folder.glob(".*.part"))

    def test_depth_is_where_alpha_is(self, folder: Path) -> None:
        alpha, depth = np.load(folder / "00000_rgba.npy")[..., 3], np.load(folder / "00000_depth.npy")
        assert (alpha > 0).any() and np.array_equal(alpha > 0, depth > 0)

    def test_head_depends_on_seed_and_number_alone(self, folder: Path) -> None:
        rng = np.random.default_rng([5, 1])
        np.testing.assert_array_equal(np.load(folder / "00001_z.npy")[0], draw_latent(HeadSampler(), rng))
        np.testing.assert_array_equal(np.load(folder / "00001_cam2world.npy")[0], sample_cameras(rng, 2))

    def test_resumes(self, folder: Path) -> None:
        before = np.load(folder / "00000_rgba.npy")
        (folder / "00000_z.npy").unlink()
        assert _make(folder) == [0] and _make(folder) == []
        np.testing.assert_array_equal(before, np.load(folder / "00000_rgba.npy"))

    def test_what_a_killed_process_left_half_written_goes(self, folder: Path) -> None:
        (folder / "00001_z.npy").unlink()
        left = [folder / name for name in (".00001_rgba-0123abcd.part.npy", ".dataset-0123abcd.part.json")]
        for path in left:
            path.write_bytes(b"half")
        assert _make(folder) == [1]
        assert not any(path.exists() for path in left)

    @pytest.mark.slow  # two renderers start up, and on a busy machine their ends take as long
    def test_an_error_ends_the_processes_at_once(self, tmp_path: Path) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        before = set(multiprocessing.active_children())
        with pytest.raises(KeyboardInterrupt):
            make_dataset(tmp_path, 6, 2, 64, shard_size=1, workers=2, on_shard=interrupt)
        # on a busy machine it lasts: Mesa has a thread that only idle processors run, even to end; and `join` returns
        # at once where the pool's own thread is about to have the process's end
        end = time.monotonic() + 60.0
        while left := [process for process in multiprocessing.active_children() if process not in before]:
            assert time.monotonic() < end, left
            time.sleep(0.05)
        assert len(list(tmp_path.glob("*_z.npy"))) < 6

    def test_processes_make_the_same(self, folder: Path, tmp_path: Path) -> None:
        environment = dict(os.environ)
        assert sorted(_make(tmp_path, workers=2)) == [0, 1]
        assert dict(os.environ) == environment  # the limit of their threads is theirs alone
        for path in sorted(folder.glob("*.npy")):
            assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
