"""Several processes: gradients are averaged, the first one's clock counts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from geoinv.errors import UsageError
from geoinv.training.engine.processes import (
    average_gradients,
    device_of_process,
    joined_processes,
    of_first_process,
    rank,
    seed_of_step,
    start_alike,
)

CPU = torch.device("cpu")


def test_alone_everything_is_free() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    with joined_processes(CPU):
        average_gradients([parameter])
        assert (rank(), of_first_process(3.5)) == (0, 3.5)
    assert parameter.grad.tolist() == [1.0, 2.0]


def test_steps_have_seeds_of_their_own() -> None:
    assert len({seed_of_step(seed, step) for seed in range(3) for step in range(100)}) == 300


def test_each_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    assert device_of_process(cuda) == cuda
    assert device_of_process(torch.device("cuda:1")) == torch.device("cuda:1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of_process(cuda) == torch.device("cuda:1")
    assert device_of_process(CPU) == CPU
    with pytest.raises(UsageError, match="one GPU for several processes"):
        device_of_process(torch.device("cuda:0"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="there are 1 GPUs for more processes"):
        device_of_process(cuda)


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda:1", "nccl")])
def test_gradients_are_averaged_where_they_lie(monkeypatch: pytest.MonkeyPatch, device: str, backend: str) -> None:
    """Also where there is a GPU that this run does not use."""
    asked: list[str] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.distributed, "init_process_group", asked.append)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    with joined_processes(torch.device(device)):
        assert asked == [backend]


def _work(index: int, port: int, folder: Path) -> None:
    import os

    os.environ.update(WORLD_SIZE="2", RANK=str(index), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    with joined_processes(CPU):
        first, second, unused, once = (nn.Parameter(torch.zeros(shape)) for shape in ((2,), (1, 3), (4,), (5,)))
        first.grad, second.grad = torch.full((2,), 1.0 + index), torch.full((1, 3), 10.0 * index)
        if index:  # a draw of this process alone
            once.grad = torch.full((5,), 8.0)
        average_gradients([once, first, second, unused])
        model = nn.Linear(2, 1)
        nn.init.constant_(model.weight, 1.0 + index)
        start_alike(model)
        seen = (rank(), of_first_process(100.0 + index), first.grad, second.grad, unused.grad, once.grad, model.weight)
        torch.save(seen, folder / f"{index}.pt")


def test_two_processes_agree(tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_work, (port, tmp_path), nprocs=2)
    for index in range(2):
        found, clock, first, second, unused, once, weight = torch.load(tmp_path / f"{index}.pt", weights_only=True)
        assert (found, clock) == (index, 100.0)
        assert first.tolist() == [1.5, 1.5]
        assert second.tolist() == [[5.0, 5.0, 5.0]]
        assert unused is None
        assert once.tolist() == [4.0] * 5  # as if the other's were zeros
        assert weight.tolist() == [[1.0, 1.0]]
