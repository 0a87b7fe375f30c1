"""The start of a generator's training: its warp fitted to the flows of a data set, in closed form and half a minute.

Learned from pictures alone, flows and paintings would have to find each other. The flows of meshes are known: their
principal components become the fields of the warp, and mapping and warp learn how much of each a head has.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.generator import TriPlaneGenerator
from ...models.plane_warp import PlaneWarp
from ..data.head_shards import HeadShards

_BATCH = 256
_MOST_HEADS = 12_000  # with flows of 49 KB each
_COMPONENT_HEADS = 3000  # which the components are found from


def fit_warp(generator: TriPlaneGenerator, data: HeadShards, *, steps: int, seed: int) -> float:
    """Fit mapping and warp, in place.

    Args:
        generator: With a warp whose fields are of the flows' side.
        data: Heads with flows, more of them than the warp has fields.
        steps: Steps of mapping and warp; fields are found directly.
        seed: Seed of the batches.

    Returns:
        Fraction of the flows' variance that is left unexplained, over the last batches.
    """
    warp = generator.warp
    z, flows = data.flows(_MOST_HEADS)
    components, amounts = _components(warp, flows)
    random = torch.Generator().manual_seed(seed)
    power = components.square().mean(dim=1) / components.square().mean()
    weight = 0.3 + 0.7 * power  # the larger a component the more it counts, but none is left to chance
    optimizer = torch.optim.Adam(
        [{"params": generator.backbone["mapping"].parameters()}, {"params": warp.net.parameters()}], lr=2e-3
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    left: list[float] = []
    for _ in range(steps):
        index = torch.randint(len(z), (_BATCH,), generator=random)
        w = generator.mapping(z[index])[:, :1]
        error = (warp.amounts(w) - amounts[index]).square()
        optimizer.zero_grad(set_to_none=True)
        (error * weight).mean().backward()
        optimizer.step()
        schedule.step()
        left.append(((error.detach() * power).sum() / (amounts[index].square() * power).sum()).item())
    last = left[-100:]
    return sum(last) / max(len(last), 1)


@torch.no_grad()
def _components(warp: PlaneWarp, flows: Tensor) -> tuple[Tensor, Tensor]:
    """Set mean and fields from flows [N, D]: the fields [K, D], and how much of each every head has [N, K], both so
    that amounts have a spread of 1."""
    rank, some = len(warp.fields), flows[:_COMPONENT_HEADS].float()
    mean = some.mean(dim=0)
    _, _, axes = torch.svd_lowrank(some - mean, q=min(rank + 16, *some.shape), niter=3)
    axes = axes[:, :rank]  # [D, K]
    amounts = torch.cat([(part.float() - mean) @ axes for part in torch.split(flows, 1000)])
    spread = amounts.std(dim=0)
    fields = axes.T * spread[:, None]
    warp.set_fields(mean, fields)
    return fields, amounts / spread
