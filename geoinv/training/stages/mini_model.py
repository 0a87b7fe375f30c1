"""The configuration of ``mini`` for the synthetic heads: the sampler says where z hides discrete choices."""

from __future__ import annotations

from ...models.anchor import head_model_id
from ...models.config import GeneratorConfig
from ...models.presets import anchored, mini
from ...synth.look import LOOK_SIZE
from ...synth.sampler import HeadSampler


def mini_for_heads() -> GeneratorConfig:
    """``mini`` whose mapping network sees the sampler's categories, switches and ramps."""
    sampler = HeadSampler()
    return mini(sampler.z_dim, *_choices(sampler))


def anchored_for_heads() -> GeneratorConfig:
    """``anchored`` in the same way, on the shipped head model."""
    sampler = HeadSampler()
    return anchored(sampler.z_dim, head_model_id(), LOOK_SIZE, *_choices(sampler))


def _choices(
    sampler: HeadSampler,
) -> tuple[
    tuple[tuple[int, int, tuple[float, ...]], ...], tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]
]:
    """Categories, switches and ramps as a mapping network is told them."""
    return (
        tuple((c.start, c.stop, tuple(c.bias)) for c in sampler.categories),
        tuple((s.index, s.threshold) for s in sampler.switches),
        sampler.ramps,
    )
