"""Flows of planes: none for the average head, and at a vertex of another head the way to where the average has it."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.errors import MissingDependencyError
from geoinv.synth.geometry import HeadGeometry, HeadShape
from geoinv.synth.plane_flow import FLOW_SHAPE, FLOW_SIDE, Flow, PlaneFlow
from geoinv.synth.sampler import HeadSampler


@pytest.fixture(scope="module")
def geometry() -> HeadGeometry:
    from geoinv.synth.assets import find_base_data

    try:
        return HeadGeometry(find_base_data(), [])
    except MissingDependencyError as error:
        pytest.skip(error.message)


def head_of(geometry: HeadGeometry, seed: int) -> HeadShape:
    sampler = HeadSampler()
    parameters = sampler(np.random.default_rng(seed).standard_normal(sampler.z_dim))
    return geometry.shape(parameters.targets, parameters.expression)


def at(flow: Flow, plane: int, column: float, row: float) -> np.ndarray:
    """[2] flow in the cell at a place in world units, in world units."""
    cells = [min(int((value + 0.5) * FLOW_SIDE), FLOW_SIDE - 1) for value in (column, row)]
    return flow[plane, :, cells[1], cells[0]] / 2.0


def test_the_average_head_stays(geometry: HeadGeometry) -> None:
    flow = PlaneFlow(geometry)(geometry.average())
    assert flow.shape == FLOW_SHAPE and flow.dtype == np.float32
    assert np.abs(flow).max() < 1e-6


def test_features_of_the_face_are_brought_home(geometry: HeadGeometry) -> None:
    """Most of the way of nose, eyes and mouth is covered, over twelve heads; of the mouth's corners and the eyes' as
    well, each by itself. What is left is where several depths share a place."""
    average, flow_of = geometry.average().landmarks, PlaneFlow(geometry)
    left, moved = np.zeros(68), np.zeros(68)
    for seed in range(12):
        head = head_of(geometry, seed)
        flow = flow_of(head)
        for landmark in range(27, 68):
            x, y, _ = head.landmarks[landmark]
            wanted = average[landmark, :2] - [x, y]
            left[landmark] += np.abs(at(flow, 0, x, y) - wanted).max()
            moved[landmark] += np.abs(wanted).max()
    assert moved[48] / 12 > 0.01  # else nothing is tried
    corners = [36, 39, 42, 45, 48, 54]
    assert left[27:].sum() < 0.4 * moved[27:].sum()
    assert (left[corners] < 0.4 * moved[corners]).all()


def test_flows_are_smooth(geometry: HeadGeometry) -> None:
    """Neighbouring places of the face keep their order: no fold from cell to cell."""
    flow = PlaneFlow(geometry)(head_of(geometry, 3))[0]
    cell = 2.0 / FLOW_SIDE
    face = (slice(20, 44), slice(20, 44))
    assert np.abs(np.diff(flow[0], axis=1)[face]).max() < cell
    assert np.abs(np.diff(flow[1], axis=0)[face]).max() < cell
