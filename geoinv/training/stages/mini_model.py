"""The configuration of ``mini`` for the synthetic heads: the sampler says where z hides discrete choices."""

from __future__ import annotations

from ...models.config import GeneratorConfig, mini
from ...synth.sampler import HeadSampler


def mini_for_heads() -> GeneratorConfig:
    """``mini`` whose mapping network sees the sampler's categories, switches and ramps."""
    sampler = HeadSampler()
    return mini(
        sampler.z_dim,
        categories=tuple((c.start, c.stop, tuple(c.bias)) for c in sampler.categories),
        switches=tuple((s.index, s.threshold) for s in sampler.switches),
        ramps=sampler.ramps,
    )
