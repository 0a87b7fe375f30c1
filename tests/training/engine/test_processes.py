"""Several processes: gradients are averaged, the first one's clock counts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from geoinv.training.engine.processes import average_gradients, joined_processes, of_first_process, rank, seed_of_step


def test_alone_everything_is_free() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    with joined_processes():
        average_gradients([parameter])
        assert (rank(), of_first_process(3.5)) == (0, 3.5)
    assert parameter.grad.tolist() == [1.0, 2.0]


def test_steps_have_seeds_of_their_own() -> None:
    assert len({seed_of_step(seed, step) for seed in range(3) for step in range(100)}) == 300


def _work(index: int, port: int, folder: Path) -> None:
    import os

    os.environ.update(WORLD_SIZE="2", RANK=str(index), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    with joined_processes():
        first, second, unused = (nn.Parameter(torch.zeros(shape)) for shape in ((2,), (1, 3), (4,)))
        first.grad, second.grad = torch.full((2,), 1.0 + index), torch.full((1, 3), 10.0 * index)
        average_gradients([first, second, unused])
        seen = (rank(), of_first_process(100.0 + index), first.grad, second.grad, unused.grad)
        torch.save(seen, folder / f"{index}.pt")


def test_two_processes_agree(tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_work, (port, tmp_path), nprocs=2)
    for index in range(2):
        found, clock, first, second, unused = torch.load(tmp_path / f"{index}.pt", weights_only=True)
        assert (found, clock) == (index, 100.0)
        assert first.tolist() == [1.5, 1.5]
        assert second.tolist() == [[5.0, 5.0, 5.0]]
        assert unused is None
