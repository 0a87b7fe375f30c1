"""Losses of all stages on another device than the CPU: nothing that they make on the way is left behind there.

The device is torch's ``meta``, which every machine has: it has shapes and no values, and refuses what mixes devices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geoinv.models.encoder import GlobalEncoder
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import LatentSpace
from geoinv.models.local_branch import LocalBranch
from geoinv.training.data.face_photos import FacePhotoBatch
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.data.photo_batches import PhotoCounts, photo_batch
from geoinv.training.data.view_pairs import head_pairs
from geoinv.training.engine.devices import moved
from geoinv.training.losses.encoder import encoder_losses, portrait_losses
from geoinv.training.losses.local import PatchSampling, middle_pictures, portrait_likeness, query_heads, true_middles
from geoinv.training.losses.rays import SampleCounts, guided_distances, ray_losses, twin_loss
from tests.tiny_models import tiny_config, tiny_details, tiny_encoder_config

ELSEWHERE = torch.device("meta")
Losses = Callable[[HeadShards], dict[str, Tensor]]


@pytest.fixture(autouse=True)
def pretend_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this device lacks: reduced precision, and an answer to whether anything is not 0."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(Tensor, "__bool__", lambda self: True, raising=False)


def networks() -> tuple[TriPlaneGenerator, GlobalEncoder, LatentSpace]:
    config = tiny_config()
    small = tiny_encoder_config(config)
    with ELSEWHERE:
        space = LatentSpace(torch.zeros(config.w_dim), torch.eye(config.w_dim))
        return TriPlaneGenerator(config).requires_grad_(False), GlobalEncoder(small), space


def of_generator(data: HeadShards) -> dict[str, Tensor]:
    generator, _, _ = networks()
    rays = moved(data.rays(np.random.default_rng(0), heads=2, views=2, rays_per_view=8, twin_pairs=1), ELSEWHERE)
    random = torch.Generator().manual_seed(0)
    distances = guided_distances(rays.origins, rays.directions, rays.distance, 1.0, SampleCounts(), random)
    planes = generator.planes(generator.mapping(rays.z))
    output = generator.march(planes, rays.origins, rays.directions, distances)
    return {**ray_losses(output, rays, distances), "twin": twin_loss(output, rays, 1)}


def of_encoder(data: HeadShards) -> dict[str, Tensor]:
    generator, encoder, space = networks()
    return encoder_losses(
        encoder,
        generator,
        moved(photo_batch(data, np.random.default_rng(0), PhotoCounts(3, 2, 1, 8, 4)), ELSEWHERE),
        space,
        torch.Generator().manual_seed(0),
        samples=SampleCounts(),
        shape_points=8,
        with_geometry=True,
        renders=True,
    )


def of_portraits(data: HeadShards) -> dict[str, Tensor]:
    del data
    generator, encoder, space = networks()
    shapes = ((2, 3, 32, 32), (2, 5), (2, 5, 2), (2, 9, 2), (2, 9, 3), (2, 3, 32, 32), (2, 1, 32, 32), (2, 1, 32, 32))
    shapes += ((2, 7, 2), (2, 7, 3), (2, 7))
    batch = FacePhotoBatch(*(torch.zeros(shape, device=ELSEWHERE) for shape in shapes))
    random = torch.Generator().manual_seed(0)
    return portrait_losses(encoder, generator, batch, space, random, samples=SampleCounts())


def of_local_branch(data: HeadShards) -> dict[str, Tensor]:
    generator, encoder, _ = networks()
    with ELSEWHERE:
        branch = LocalBranch(tiny_details().config)
    rng, patch = np.random.default_rng(0), PatchSampling(16)
    pairs = moved(head_pairs(data, rng, 2, same_view=False), ELSEWHERE)
    heads = query_heads(encoder, generator, branch, dataclasses.replace(pairs, z=None))
    aligned = heads.head.features(heads.query)
    made, label = middle_pictures(heads, aligned, patch, rng)
    true, _ = true_middles(pairs, heads, patch, own_view=True)
    likeness = portrait_likeness(pairs, heads, aligned, patch, rng)
    return {"likeness": likeness, "made": made, "label": label, "true": true}


@pytest.mark.parametrize("losses", [of_generator, of_encoder, of_portraits, of_local_branch])
def test_losses_stay_where_the_batch_is(twins: Path, losses: Losses) -> None:
    terms = losses(HeadShards(twins))
    assert len(terms) >= 4
    assert {name: term.device for name, term in terms.items()} == dict.fromkeys(terms, ELSEWHERE)
