"""Several processes that train one model (``torchrun --nproc-per-node 2 -m geoinv train generator ...``).

Each draws its own batches; gradients are averaged, so the weights stay the same everywhere. The first process keeps the
clock, measures, logs and saves. One process alone needs none of it, and every function here is then free.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def joined_processes() -> Iterator[None]:
    """Join the processes that torchrun started; nothing where it did not."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Which process this is; the first is 0."""
    return dist.get_rank() if _are_several() else 0


def seed_of_step(seed: int, step: int) -> int:
    """A seed of a step of a run in this process: a resumed run draws what the whole one would have drawn."""
    return (seed * 1_000_003 + step) * 1_009 + rank()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their mean over the processes."""
    if not _are_several():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def of_first_process(value: float) -> float:
    """The first process's value, in all: clocks differ, and a schedule must not."""
    if not _are_several():
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    if torch.cuda.is_available():
        shared = shared.cuda()
    dist.broadcast(shared, 0)
    return shared.item()


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized()
