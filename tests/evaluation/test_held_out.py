import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.errors import CheckpointError
from geoinv.evaluation.held_out import (
    YAWS_DEG,
    HeldOutHeads,
    halved,
    held_out_cameras,
    load_held_out,
    save_held_out,
    soft_background,
)
from tests.evaluation.ellipsoid_heads import ellipsoid_heads


class TestFile:
    def test_round_trip(self, tmp_path):
        heads = ellipsoid_heads(2)
        save_held_out(tmp_path / "heads.safetensors", heads)
        back = load_held_out(tmp_path / "heads.safetensors")
        assert len(back) == 2 and back.seed == heads.seed and back.codes == heads.codes
        one, other = heads.head(1), back.head(1)
        assert torch.equal(one.color, other.color) and torch.equal(one.cam2world, other.cam2world)
        assert one.depth[one.depth < 3.5] == pytest.approx(other.depth[other.depth < 3.5])

    def test_reads_format_1(self, tmp_path):
        """Its three views were named, and nothing told their angles."""
        import json

        from safetensors import safe_open
        from safetensors.torch import save_file

        heads = ellipsoid_heads(1)
        codes = {kind: [row[:3] for row in rows] for kind, rows in heads.codes.items()}
        old = HeldOutHeads(heads.latents, heads.cam2world[:, :3].clone(), codes, YAWS_DEG[:3], 0, 1)
        save_held_out(tmp_path / "new", old)
        with safe_open(tmp_path / "new", framework="pt") as file:
            header = json.loads(file.metadata()["geoinv"])
            tensors = {name: file.get_tensor(name) for name in ("z", "cam2world", "pictures")}
        header["format"] = "geoinv held-out heads 1"
        del header["yaws_deg"]
        header["views"] = ["input", "left", "right"]
        save_file(tensors, tmp_path / "old", metadata={"geoinv": json.dumps(header)})
        back = load_held_out(tmp_path / "old")
        assert back.yaws_deg == (0, -30, 30)
        assert back.head(0).color.shape == (3, 3, 256, 256) and back.codes == codes

    def test_same_bytes(self, tmp_path):
        for name in ("a", "b"):
            save_held_out(tmp_path / name, ellipsoid_heads(1))
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_rejects_cut(self, tmp_path):
        path = tmp_path / "heads.safetensors"
        save_held_out(path, ellipsoid_heads(1))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CheckpointError, match="cannot read"):
            load_held_out(path)

    def test_rejects_another_kind(self, tmp_path):
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, tmp_path / "heads.safetensors")
        with pytest.raises(CheckpointError, match="not a file of held-out heads"):
            load_held_out(tmp_path / "heads.safetensors")


class TestShippedHeads:
    def test_contents(self):
        heads = load_held_out()
        assert len(heads) == 48
        poses = [CameraPose.from_cam2world(matrices, FACE_ORBIT).as_vector() for matrices in heads.cam2world]
        for vectors in poses:
            assert abs(vectors[0, 0]) < np.radians(25.1)
            assert torch.rad2deg(vectors[:, 0] - vectors[0, 0]).tolist() == pytest.approx(YAWS_DEG, abs=0.01)
            assert torch.allclose(vectors[1:, 1:], vectors[:1, 1:].expand(len(YAWS_DEG) - 1, -1), atol=1e-4)

    def test_views_by_angle(self):
        heads = load_held_out()
        assert heads.yaws_deg == YAWS_DEG == (0, -30, 30, -15, 15, -45, 45)
        head = heads.head(0)
        assert head.views_at(0, 30) == [0, 1, 2] and head.views_at(45) == [5, 6] and head.views_at(7) == []
        assert head.color.shape == (7, 3, 256, 256) and head.alpha.shape == (7, 1, 256, 256)

    def test_depth_and_normals_agree(self):
        """Normals out of the depth map equal the stored ones: axes, camera and scale all fit."""
        from geoinv.camera.surface import render_normals
        from geoinv.images.tensors import at_side
        from geoinv.metrics.geometry import normal_error_deg

        head = load_held_out().head(0)
        normals = render_normals(head.depth, head.alpha[:1], head.cam2world[:1], focal=FOCAL)
        solid = at_side(head.alpha[:1], 128) > 0.5
        assert normal_error_deg(normals, head.normals, solid).item() < 10.0
        assert head.depth[solid].min() > 2.2 and head.depth[solid].max() < 3.4

    def test_photo_differs_from_the_head_only_behind_it(self):
        head = load_held_out().head(0)
        photo = head.photo(0)
        solid = (head.alpha[:1] > 0.99).expand_as(photo)
        assert torch.allclose(photo[solid], head.color[:1][solid], atol=0.01)
        assert (photo[~solid] - head.color[:1][~solid]).abs().mean() > 0.02


def test_halved_by_hand():
    depth = np.array([[2.0, 3.0], [9.0, 9.0]], dtype=np.float32)
    normals = np.zeros((2, 2, 3), dtype=np.float32)
    normals[0, 0, 0] = normals[0, 1, 1] = 1.0
    alpha = np.array([[255, 255], [0, 100]], dtype=np.uint8)
    small_depth, small_normals = halved(depth, normals, alpha)
    assert small_depth.tolist() == [[2.5]]
    assert small_normals[0, 0] == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])
    empty_depth, empty_normals = halved(depth, normals, np.zeros_like(alpha))
    assert empty_depth.tolist() == [[4.0]] and not empty_normals.any()


def test_cameras_are_deterministic():
    pytest.importorskip("geoinv.synth.dataset")
    one, other = (held_out_cameras(np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one, other) and one.shape == (7, 4, 4)


def test_background():
    wall = soft_background(3, 64)
    assert wall.shape == (1, 3, 64, 64) and wall.min() >= 0.0 and wall.max() <= 1.0
    assert torch.equal(wall, soft_background(3, 64)) and not torch.equal(wall, soft_background(4, 64))
