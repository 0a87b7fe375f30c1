import numpy as np
import pytest
import trimesh

from geoinv.errors import UsageError
from geoinv.mesh.export import FORMATS, write_mesh
from geoinv.mesh.extract import extract_mesh
from tests.ellipsoid_head import EllipsoidHead


@pytest.fixture(scope="module")
def mesh():
    return extract_mesh(EllipsoidHead(), resolution=32)


def colors_of(mesh):
    return np.asarray(mesh.visual.vertex_colors)[:, :3].astype(int)


class TestWriteMesh:
    @pytest.mark.parametrize("suffix", [*FORMATS, ".PLY"])
    def test_read_back(self, mesh, tmp_path, suffix):
        path = tmp_path / f"head{suffix}"
        write_mesh(path, mesh)
        back = trimesh.load(path, force="mesh")
        assert back.is_watertight and back.body_count == 1
        units_per_mm = {"mm": 1.0, "m": 0.001}[FORMATS[suffix.lower()].unit]
        bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]) * units_per_mm
        assert back.bounds == pytest.approx(bounds, abs=0.01 * units_per_mm)
        assert [item.name for item in tmp_path.iterdir()] == [path.name]

    @pytest.mark.parametrize("suffix", [".ply", ".obj"])
    def test_colors(self, mesh, tmp_path, suffix):
        write_mesh(tmp_path / f"head{suffix}", mesh)
        back = trimesh.load(tmp_path / f"head{suffix}", force="mesh", process=False)
        assert back.visual.kind == "vertex"
        assert np.abs(back.visual.vertex_colors[:, :3].astype(int) - colors_of(mesh)).max() <= 1

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_same_bytes(self, mesh, suffix):
        assert FORMATS[suffix].encode(mesh) == FORMATS[suffix].encode(mesh)

    def test_a_head_in_glb_is_as_tall_as_a_head(self, mesh, tmp_path):
        write_mesh(tmp_path / "head.glb", mesh)
        height_m = trimesh.load(tmp_path / "head.glb", force="mesh").extents[1]
        assert 0.2 < height_m < 0.3

    def test_rejects_suffix(self, mesh, tmp_path):
        with pytest.raises(UsageError, match="head.fbx"):
            write_mesh(tmp_path / "head.fbx", mesh)
        assert not list(tmp_path.iterdir())
