import numpy as np
import pytest
import torch
import trimesh

from geoinv.errors import UsageError
from geoinv.mesh.export import encode_mesh, write_mesh
from geoinv.mesh.extract import extract_mesh
from tests.ellipsoid_head import EllipsoidHead


@pytest.fixture(scope="module")
def mesh():
    return extract_mesh(EllipsoidHead(), torch.zeros(1, 3, 1, 2, 2), resolution=32)


def colors_of(mesh):
    return np.asarray(mesh.visual.vertex_colors)[:, :3].astype(int)


class TestWriteMesh:
    @pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl", ".PLY"])
    def test_read_back(self, mesh, tmp_path, suffix):
        path = tmp_path / f"head{suffix}"
        write_mesh(path, mesh)
        back = trimesh.load(path, force="mesh")
        assert back.is_watertight and back.body_count == 1
        assert back.bounds == pytest.approx(np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]), abs=0.01)
        assert [item.name for item in tmp_path.iterdir()] == [path.name]

    @pytest.mark.parametrize("suffix", [".ply", ".obj"])
    def test_colors(self, mesh, tmp_path, suffix):
        write_mesh(tmp_path / f"head{suffix}", mesh)
        back = trimesh.load(tmp_path / f"head{suffix}", force="mesh", process=False)
        assert back.visual.kind == "vertex"
        assert np.abs(back.visual.vertex_colors[:, :3].astype(int) - colors_of(mesh)).max() <= 1

    def test_glb_colors_are_linear(self, mesh, tmp_path):
        write_mesh(tmp_path / "head.glb", mesh)
        back = trimesh.load(tmp_path / "head.glb", force="mesh", process=False)
        index = int(np.abs(colors_of(mesh)[:, 0] - 128).argmin())
        assert colors_of(mesh)[index, 0] == pytest.approx(128, abs=1)
        assert back.visual.vertex_colors[index, 0] == pytest.approx(55, abs=1)  # ((0.502 + 0.055) / 1.055)^2.4 = 0.216

    @pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl"])
    def test_same_bytes(self, mesh, suffix):
        assert encode_mesh(mesh, suffix) == encode_mesh(mesh, suffix)

    def test_rejects_suffix(self, mesh, tmp_path):
        with pytest.raises(UsageError, match="head.fbx"):
            write_mesh(tmp_path / "head.fbx", mesh)
        assert not list(tmp_path.iterdir())
