import numpy as np
import pytest
import torch

from geoinv.conventions import MM_PER_UNIT
from geoinv.errors import GeoinvError, UsageError
from geoinv.heads.volume import SURFACE_LEVEL, Volume
from geoinv.mesh.density import density_grid, solid_head, within_bust
from geoinv.mesh.export import to_trimesh
from geoinv.mesh.extract import extract_head
from tests.ellipsoid_head import DENSITY, EllipsoidGenerator, EllipsoidHead

LEVEL = DENSITY / 2.0  # where the ellipsoid's surface is exact


def test_surface_level_is_half_opaque_over_a_centimetre():
    assert np.exp(-SURFACE_LEVEL * 10.0 / MM_PER_UNIT) == pytest.approx(0.5)


class TestExtractHead:
    def test_hand_computed(self):
        mesh = extract_head(EllipsoidHead(volume=Volume(LEVEL)), resolution=64)
        assert np.abs(mesh.vertices).max(axis=0) == pytest.approx([0.2, 0.3, 0.25], abs=0.003)
        volume = 4.0 / 3.0 * np.pi * 0.2 * 0.3 * 0.25 * MM_PER_UNIT**3
        assert mesh.volume_mm3 == pytest.approx(volume, rel=0.01)
        inward_colors = (mesh.vertices + 0.5) * 255.0
        assert np.abs(mesh.colors - inward_colors).max() < 3.0  # 2 mm inside, 0.7 levels a millimetre

    def test_closed_single_piece_for_trimesh(self):
        mesh = to_trimesh(extract_head(EllipsoidHead(), resolution=48))
        assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
        assert mesh.body_count == 1

    def test_capped_at_the_box(self):
        mesh = to_trimesh(extract_head(EllipsoidHead(EllipsoidGenerator(centre=-0.4), Volume(LEVEL)), resolution=48))
        assert mesh.is_watertight
        assert mesh.bounds[0, 1] == pytest.approx(-0.5 * MM_PER_UNIT, abs=5.0)

    def test_simplify(self):
        mesh = extract_head(EllipsoidHead(volume=Volume(LEVEL)), resolution=64, simplify=1500)
        assert 1200 <= len(mesh.faces) <= 1500
        assert to_trimesh(mesh).is_watertight and to_trimesh(mesh).body_count == 1
        assert np.abs(mesh.vertices).max(axis=0) == pytest.approx([0.2, 0.3, 0.25], abs=0.006)
        assert len(mesh.colors) == len(mesh.vertices)

    def test_coarse_to_fine_equals_dense(self):
        field = EllipsoidHead()
        grid = density_grid(field, 40, level=LEVEL)
        ticks = torch.linspace(-0.5, 0.5, 41)
        points = torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), dim=-1).reshape(1, -1, 3)
        dense = field.query(points)[0].reshape(41, 41, 41).numpy()
        near = np.abs(dense / DENSITY - 0.5) < 0.49
        assert np.allclose(grid[near], dense[near], rtol=1e-4)
        outside = np.abs(dense / DENSITY - 0.5) > 0.01  # not decided by rounding
        assert ((grid > LEVEL) == (dense > LEVEL))[outside].all()

    def test_progress_rises_to_the_end(self):
        told = []
        extract_head(EllipsoidHead(), resolution=64, on_progress=told.append)
        assert len(told) > 3
        assert told == sorted(told)
        assert told[0] > 0.0 and told[-1] == 1.0

    @pytest.mark.parametrize("resolution", [0, 15, 513])
    def test_rejects_resolution(self, resolution):
        with pytest.raises(UsageError, match="resolution"):
            extract_head(EllipsoidHead(), resolution=resolution)

    def test_rejects_too_few_faces(self):
        with pytest.raises(UsageError, match="at least 100 faces"):
            extract_head(EllipsoidHead(), resolution=32, simplify=99)

    def test_rejects_empty_density(self):
        with pytest.raises(GeoinvError, match="no surface"):
            extract_head(EllipsoidHead(volume=Volume(2.0 * DENSITY)), resolution=32)


class TestSolidHead:
    def test_hand_computed(self):
        density = np.zeros((9, 9, 9), dtype=np.float32)
        density[2:7, 2:7, 2:7] = 5.0
        density[4, 4, 4] = 0.0  # a hollow
        density[4, 2:5, 4] = 0.0  # now open below
        density[0, 0, 0] = 5.0  # a floater
        result = solid_head(density, 1.0)
        expected = np.zeros((9, 9, 9), dtype=bool)
        expected[2:7, 2:7, 2:7] = True
        assert ((result > 1.0) == expected).all()


def test_what_no_bust_can_fill_is_empty():
    kept = within_bust(np.ones((41, 41, 41), dtype=np.float32))

    def at(x: float, y: float, z: float) -> float:
        return float(kept[tuple(round((value + 0.5) * 40) for value in (x, y, z))])

    assert at(0.0, 0.0, 0.3) == at(0.0, 0.4, 0.0) == at(-0.3, -0.4, 0.0) == 1.0  # nose, crown, shoulder
    assert at(0.0, 0.1, -0.45) == at(0.45, 0.3, 0.0) == at(0.5, -0.2, 0.0) == 0.0  # behind, corner, side
