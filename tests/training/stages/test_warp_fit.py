"""The warp's start: flows that z tells are found, fields and amounts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.stages.generator import flow_loss
from geoinv.training.stages.warp_fit import fit_warp
from tests.tiny_models import tiny_config
from tests.training.conftest import write_shard

CELLS = tiny_config().backbone.warp_side


@pytest.fixture
def flowing(tmp_path: Path) -> HeadShards:
    """Heads whose flow is a sum of three fields, as much of each as z says."""
    rng = np.random.default_rng(0)
    fields = rng.standard_normal((3, 6 * CELLS * CELLS))
    for shard in range(20):
        write_shard(tmp_path, f"{shard:05d}", shard)
        z = np.load(tmp_path / f"{shard:05d}_z.npy")
        flow = 0.02 + 0.01 * z[:, :3] @ fields
        np.save(tmp_path / f"{shard:05d}_flow.npy", flow.reshape(len(z), 3, 2, CELLS, CELLS).astype(np.float16))
    return HeadShards(tmp_path)


def generator_of_flows() -> TriPlaneGenerator:
    torch.manual_seed(0)
    return TriPlaneGenerator(tiny_config())


def test_known_flows_are_found(flowing: HeadShards) -> None:
    generator = generator_of_flows()
    left = fit_warp(generator, flowing, steps=600, seed=0)
    assert left < 0.05
    z, flows = flowing.flows(100)
    told = generator.backbone["synthesis"].warp.flow(generator.mapping(z)).flatten(1)  # type: ignore[operator]
    error = (told - flows.float()).square().mean() / (flows.float() - flows.float().mean(dim=0)).square().mean()
    assert error < 0.08


def test_steps_learn(flowing: HeadShards) -> None:
    """What is left unexplained falls: fields alone do not know whose head it is."""
    first, last = (fit_warp(generator_of_flows(), flowing, steps=steps, seed=0) for steps in (5, 300))
    assert last < 0.5 * first


def test_rays_come_with_their_flows(flowing: HeadShards) -> None:
    batch = flowing.rays(np.random.default_rng(0), heads=4, views=2, rays_per_view=8)
    assert batch.flow is not None and batch.flow.shape == (4, 3, 2, CELLS, CELLS)
    z, flows = flowing.flows(len(flowing))
    index = int((z == batch.z[0]).all(dim=1).nonzero()[0])
    assert torch.equal(batch.flow[0].flatten(), flows[index].float())


def test_data_without_flows_have_none(discs: Path) -> None:
    data = HeadShards(discs)
    assert not data.has_flows
    assert data.rays(np.random.default_rng(0), heads=2, views=1, rays_per_view=8).flow is None


def test_flow_loss_by_hand() -> None:
    """A percent of the box is two hundredths of its half."""
    flow = torch.zeros(1, 3, 2, 4, 4)
    assert flow_loss(flow + 0.02, flow).item() == pytest.approx(1.0)
