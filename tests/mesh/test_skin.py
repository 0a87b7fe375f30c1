"""Surfaces of marching cubes whose skin is put onto the head mesh."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geoinv.conventions import MM_PER_UNIT
from geoinv.heads import AnchoredHead
from geoinv.mesh.extract import head_density, head_surface, marching_cubes
from geoinv.mesh.head_mesh import is_watertight
from geoinv.mesh.skin import outer_triangles, put_on_skin
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.shape import HeadCodes, load_head_model
from geoinv.shape.inner_mouth import mouth_bag
from tests.tiny_models import tiny_anchored_config

RADIUS = 0.3


def ball(fineness: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    made = trimesh.creation.icosphere(subdivisions=fineness, radius=RADIUS)
    return np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int64)


def radii(vertices: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.linalg.norm(vertices.astype(np.float64), axis=1)


def rough_ball() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A ball with rings half a millimetre high, and on its top a cap of hair, 10 mm thick."""
    vertices, faces = ball(6)
    height = vertices[:, 1] / RADIUS
    rings = 0.5 / MM_PER_UNIT * np.sign(np.sin(60.0 * height))
    hair = 10.0 / MM_PER_UNIT * np.clip((height - 0.8) * 20.0, 0.0, 1.0)
    return (vertices * (1.0 + (rings + hair) / RADIUS)[:, None]).astype(np.float32), faces


def test_rings_go_and_hair_stays() -> None:
    vertices, faces = rough_ball()
    moved = put_on_skin(vertices, faces, *ball(5))
    skin, hair = vertices[:, 1] < 0.75 * RADIUS, vertices[:, 1] > 0.87 * RADIUS
    assert radii(vertices[skin]).std() * MM_PER_UNIT == pytest.approx(0.5, abs=0.02)
    assert radii(moved[skin]).std() * MM_PER_UNIT < 0.02
    assert radii(moved[skin]).mean() == pytest.approx(RADIUS, abs=0.1 / MM_PER_UNIT)
    assert np.array_equal(moved[hair], vertices[hair])


def test_a_surface_elsewhere_stays() -> None:
    vertices, faces = ball(4)
    assert np.array_equal(put_on_skin(1.1 * vertices, faces, *ball(4)), 1.1 * vertices)


def test_a_wall_behind_the_skin_is_none_of_it() -> None:
    """The inside of a thin shell looks the other way."""
    vertices, faces = ball(4)
    inside = np.float32(1.0 - 0.7 / MM_PER_UNIT / RADIUS) * vertices
    assert np.array_equal(put_on_skin(inside, faces[:, ::-1].copy(), *ball(5)), inside)


def test_outer_skin_is_not_within_mouth_and_eyes() -> None:
    model = load_head_model()
    triangles = outer_triangles(model)
    assert not mouth_bag(model).numpy()[triangles].all(axis=1).any()
    assert triangles.max() < model.parts["skin"].vertices.stop
    whole = len(model.triangles[model.parts["skin"].triangles])
    assert 0.7 * whole < len(triangles) < whole


def test_skin_of_a_head_is_that_of_its_mesh() -> None:
    torch.manual_seed(0)
    generator = AnchoredGenerator(tiny_anchored_config()).eval().requires_grad_(False)
    head = AnchoredHead(generator, generator.mapping(torch.zeros(1, 8)), codes=HeadCodes.zeros(96))
    density = head_density(head, resolution=128)
    raw, _ = marching_cubes(density, head.volume.level, box_side=head.volume.box_side)
    vertices, faces = head_surface(head, resolution=128)
    assert is_watertight(faces) and len(vertices) == len(raw)
    way = np.linalg.norm(vertices - raw, axis=1) * MM_PER_UNIT
    assert way.max() < 1.6 and (way > 0.05).mean() > 0.3, (way.max(), (way > 0.05).mean())
    template = trimesh.Trimesh(generator.vertices(head.codes)[0].numpy(), outer_triangles(load_head_model()))
    fine = template.subdivide_loop(iterations=2)  # whose vertices are at most a millimetre apart
    chosen = np.flatnonzero(way > 0.05)
    nearest = cKDTree(fine.vertices).query(raw[chosen])[1]
    before, after = (
        np.abs(((each[chosen] - fine.vertices[nearest]) * fine.vertex_normals[nearest]).sum(axis=1))
        for each in (raw, vertices)
    )
    assert np.median(after) < 0.3 * np.median(before)
