import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.errors import CheckpointError
from geoinv.evaluation.held_out import BEHIND_DEG, YAWS_DEG, load_held_out, save_held_out, soft_background
from geoinv.evaluation.held_out_rendering import halved, held_out_cameras
from geoinv.synth.dataset import HEAD_MIDDLE
from tests.evaluation.ellipsoid_heads import ellipsoid_heads


class TestFile:
    def test_round_trip(self, tmp_path):
        heads = ellipsoid_heads(2)
        save_held_out(tmp_path / "heads.safetensors", heads)
        back = load_held_out(tmp_path / "heads.safetensors")
        assert len(back) == 2 and back.seed == heads.seed and back.codes == heads.codes
        one, other = heads.head(1), back.head(1)
        assert torch.equal(one.color, other.color) and torch.equal(one.cam2world, other.cam2world)
        assert torch.equal(one.depth, other.depth)
        assert torch.equal(other.known.twin_color, one.color[:1].flip(2))
        assert torch.equal(other.known.twin_z, torch.ones(1, 8))
        assert torch.equal(other.known.shape.as_vector(), one.known.shape.as_vector())

    @pytest.mark.parametrize(("version", "views"), [(1, 3), (2, 7)])
    def test_reads_former_formats(self, tmp_path, version, views):
        """They have fewer views, depth in finer steps, and no twins; nothing in format 1 told the angles."""
        heads = ellipsoid_heads(1)
        save_held_out(tmp_path / "new", heads)
        with safe_open(tmp_path / "new", framework="pt") as file:
            header = json.loads(file.metadata()["geoinv"])
        codes = {kind: [row[:views] for row in heads.codes[kind]] for kind in ("alpha", "color", "depth", "normals")}
        header["sizes"] = {kind: [[len(code) for code in row] for row in rows] for kind, rows in codes.items()}
        header["format"] = f"geoinv held-out heads {version}"
        header["yaws_deg"] = list(YAWS_DEG[:views])
        if version == 1:
            del header["yaws_deg"]
        blob = b"".join(code for rows in codes.values() for row in rows for code in row)
        pictures = torch.frombuffer(bytearray(blob), dtype=torch.uint8)
        tensors = {"z": heads.latents, "cam2world": heads.cam2world[:, :views].clone(), "pictures": pictures}
        save_file(tensors, tmp_path / "old", metadata={"geoinv": json.dumps(header)})
        back = load_held_out(tmp_path / "old")
        assert back.yaws_deg == YAWS_DEG[:views] and back.known is None and back.head(0).known is None
        assert back.head(0).color.shape == (views, 3, 256, 256) and back.codes == codes
        old, new = back.head(0).depth - 1.5, heads.head(0).depth - 1.5
        assert torch.allclose(old * 3e-4 * 65535.0 / 2.5, new, atol=1e-5)

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
        save_file({"a": torch.zeros(1)}, tmp_path / "heads.safetensors")
        with pytest.raises(CheckpointError, match="not a file of held-out heads"):
            load_held_out(tmp_path / "heads.safetensors")


class TestShippedHeads:
    def test_contents(self):
        heads = load_held_out()
        assert len(heads) == 48 and heads.yaws_deg == YAWS_DEG[: len(heads.yaws_deg)]
        turned = [view for view, yaw in enumerate(heads.yaws_deg) if yaw != BEHIND_DEG]
        yaws_deg = [heads.yaws_deg[view] for view in turned]
        poses = [CameraPose.from_cam2world(matrices[turned], FACE_ORBIT).as_vector() for matrices in heads.cam2world]
        for vectors in poses:
            assert abs(vectors[0, 0]) < np.radians(25.1)
            assert torch.rad2deg(vectors[:, 0] - vectors[0, 0]).tolist() == pytest.approx(yaws_deg, abs=0.01)
            assert torch.allclose(vectors[1:, 1:], vectors[:1, 1:].expand(len(turned) - 1, -1), atol=1e-4)

    def test_views_by_angle(self):
        head = load_held_out().head(0)
        assert head.views_at(0, 30) == [0, 1, 2] and head.views_at(45) == [5, 6] and head.views_at(7) == []
        views = len(head.yaws_deg)
        assert head.color.shape == (views, 3, 256, 256) and head.alpha.shape == (views, 1, 256, 256)

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


def test_cameras():
    """All but the one behind turn about the pivot of the face; that one looks at the middle of the head."""
    one, other = (held_out_cameras(np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one, other) and one.shape == (10, 4, 4)
    vectors = CameraPose.from_cam2world(one, FACE_ORBIT).as_vector()
    assert torch.rad2deg(vectors[:-1, 0] - vectors[0, 0]).tolist() == pytest.approx(YAWS_DEG[:-1], abs=0.01)
    assert torch.allclose(vectors[1:-1, 1:], vectors[:1, 1:].expand(8, -1), atol=1e-4)
    to_middle = torch.from_numpy(HEAD_MIDDLE) - one[-1, :3, 3]
    assert torch.allclose(to_middle, 3.2 * one[-1, :3, 2], atol=1e-4)
    assert (one[-1, :3, 2] @ one[0, :3, 2]).item() < -0.8


def test_background():
    wall = soft_background(3, 64)
    assert wall.shape == (1, 3, 64, 64) and wall.min() >= 0.0 and wall.max() <= 1.0
    assert torch.equal(wall, soft_background(3, 64)) and not torch.equal(wall, soft_background(4, 64))
