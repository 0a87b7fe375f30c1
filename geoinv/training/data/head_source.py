"""What training looks at: heads whose code, cameras, pictures and shape are known, wherever they come from.

Two kinds: synthetic heads on the disk (:class:`.HeadShards`), and a generator's own samples (:class:`.OwnSamples`),
which any tri-plane generator can make. Batches are drawn from either in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...conventions import Orbit
from ...errors import UsageError
from ...models.anchored_generator import AnchoredGenerator
from ...models.families import OfPlanes
from ...models.latent_space import frontal_label
from .head_shards import HeadShards, RayBatch
from .own_samples import OwnSamples, OwnSettings


class HeadSource(Protocol):
    """Heads, numbered from 0, in a few views each."""

    resolution: int
    """Side of the pictures in pixels."""
    num_views: int
    face_views: int
    """Number of views that see the face; they come first."""
    has_twins: bool
    """Whether heads ``2 i`` and ``2 i + 1`` differ by an edit alone and are seen by the same cameras."""
    orbit: Orbit
    """Where their cameras stand."""
    knows_w: bool
    """Whether ``z`` of its batches is w already, as the generator took it; else the mapping's input."""

    def __len__(self) -> int: ...

    def at_step(self, step: int) -> None:
        """Take up the heads that are there, or belong, to a step."""

    def check_enough(self, heads: int) -> None:
        """Refuse to draw more different heads in a step than there are."""

    def describe(self) -> dict[str, Any]:
        """Plain values that say which heads these are, for the record of a run."""

    def view(self, head: int, view: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """rgba uint8 [R, R, 4], depth [R, R], cam2world [4, 4], z of one view."""

    def over_grey(self, head: int, view: int) -> NDArray[Any]:
        """[H, H, 3] in [0, 1], one view as a generator's rays should show it, over grey."""

    def landmarks(self, head: int, view: int) -> NDArray[Any]:
        """[73, 2] of one view, normalised."""

    def landmarks_and_cameras(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Landmarks [count, 73, 2] and cam2world [count, 4, 4] of random views."""

    def rays_of(
        self, rng: np.random.Generator, heads_views: list[tuple[int, list[int]]], *, rays_per_view: int
    ) -> RayBatch:
        """Random rays of given views of given heads, with their truth."""


def head_sources(
    data: Path | OwnSettings, validation: Path | None, generator: OfPlanes, *, seed: int, twins: bool = False
) -> tuple[HeadSource, HeadSource]:
    """Heads to train on and others to measure on.

    Args:
        data: Data set, or how the generator's own samples are drawn.
        validation: Data set to measure on; None with own samples, which need none.
        generator: The generator.
        seed: Seed of own samples.
        twins: Whether own samples come as twins.

    Raises:
        UsageError: No heads in a data set, or one of the two is a data set and the other is not given; or the heads are
            of another version than those that the generator learned from, or lack what one on the head mesh needs.
    """
    if isinstance(data, OwnSettings):
        if isinstance(generator, AnchoredGenerator):
            hint = "give --data and --validation"
            raise UsageError("a generator on the head mesh knows more of synthetic heads than of its own samples", hint)
        if validation is not None:
            raise UsageError("own samples are measured on own samples", "leave out --validation")
        return OwnSamples(generator, data, seed=seed, twins=twins), OwnSamples.held_out(generator, data, seed=seed)
    if validation is None:
        raise UsageError("heads to measure on are missing", "give --validation, or --self for the generator's samples")
    return heads_in(data, generator), heads_in(validation, generator)


def heads_in(folder: Path, generator: OfPlanes) -> HeadShards:
    """Heads of a data set that a generator's networks can learn from.

    Raises:
        UsageError: There are none, or they are of another version than those that the generator learned from, or lack
            what one on the head mesh needs.
    """
    heads = HeadShards(folder)
    heads.check_fits(generator.config.z_dim)
    if isinstance(generator, AnchoredGenerator):
        heads.check_on_mesh(generator.anchor_config.head_model)
    return heads


def codes_of(generator: OfPlanes, z: Tensor, *, knows_w: bool) -> Tensor:
    """[B, w_dim] w of heads, of what their source knows of them: w itself, or z [B, z_dim]."""
    if knows_w:
        return z
    with torch.no_grad():
        return generator.mapping(z, frontal_label(generator, len(z)))[:, 0]
