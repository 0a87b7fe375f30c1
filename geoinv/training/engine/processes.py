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
from torch import Tensor, nn

from ...errors import UsageError


def device_of_process(device: torch.device) -> torch.device:
    """The device of this process: of several on ``cuda``, each takes the GPU of its own number.

    Raises:
        UsageError: Several processes and one GPU for all of them, or fewer GPUs than processes.
    """
    if device.type != "cuda" or not _were_started():
        return device
    if device.index is not None:
        raise UsageError(f"--device {device} is one GPU for several processes", "use --device cuda")
    own = int(os.environ.get("LOCAL_RANK", "0"))
    if own >= torch.cuda.device_count():
        raise UsageError(
            f"there are {torch.cuda.device_count()} GPUs for more processes",
            "start as many processes as there are GPUs, or use --device cpu",
        )
    return torch.device("cuda", own)


@contextmanager
def joined_processes(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started; does nothing where it did not.

    Args:
        device: Device of this process: gradients on the CPU are averaged by gloo, those on GPUs by nccl.
    """
    if not _were_started():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process; the first is 0."""
    return dist.get_rank() if _are_several() else 0


def number_of_processes() -> int:
    """Number of processes that train one model."""
    return dist.get_world_size() if _are_several() else 1


def seed_of_step(seed: int, step: int) -> int:
    """A seed for one step of a run in this process: a resumed run draws what the whole one would have drawn."""
    return (seed * 1_000_003 + step) * 1_009 + rank()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their mean over the processes.

    Where a parameter has a gradient in some processes only, the others count as zeros, so that all processes go on with
    the same weights whatever each of them drew.
    """
    if not _are_several():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    has_gradient = _flags([parameter.grad is not None for parameter in trained])
    dist.all_reduce(has_gradient, dist.ReduceOp.MAX)
    used = [parameter for parameter, has in zip(trained, has_gradient.tolist(), strict=True) if has]
    if not used:
        return
    for parameter in used:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in used if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


@torch.no_grad()
def start_alike(model: nn.Module) -> None:
    """Give every process the first one's parameters and buffers: what is fitted before may differ by rounding."""
    if _are_several():
        for tensor in (*model.parameters(), *model.buffers()):
            sent = tensor.detach().contiguous()  # a copy where it lies in memory another way
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


def of_first_process(value: float) -> float:
    """The first process's value, in all: clocks differ, and a schedule must not."""
    if not _are_several():
        return value
    sent = torch.tensor([value], dtype=torch.float64, device=_device())
    dist.broadcast(sent, 0)
    return sent.item()


def _were_started() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized()


def _flags(values: list[bool]) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8, device=_device())


def _device() -> torch.device:
    """Device of tensors that go from process to process: nccl knows those on GPUs alone."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
