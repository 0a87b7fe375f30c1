"""Networks that a stage begins with: a new one or earlier weights, and the frozen generator below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...checkpoints.store import ModelInfo, load_generator, load_generator_of_planes, sha256_of
from ...conventions import FACE_ORBIT
from ...errors import UsageError
from ...models.families import OfPlanes
from ...models.generator import TriPlaneGenerator

Network = TypeVar("Network", bound=nn.Module)


def network_to_train(
    config: Any, build: Callable[[Any], Network], start: Path | None, load: Callable[[Path], Network], *, seed: int
) -> Network:
    """A network with random weights, or with those to go on from.

    Args:
        config: Configuration of the network.
        build: Makes the network from it.
        start: Weights to go on from; None for random ones.
        load: Reads a network from such a file.
        seed: Seed of the random weights.

    Raises:
        UsageError: ``start`` is another network.
        CheckpointError: ``start`` is missing or damaged.
    """
    if start is None:
        with seeded(seed):
            return build(config)
    network = load(start)
    if network.config != config:
        raise UsageError(f"{start} is another network than the one to train", "leave out --from to start anew")
    return network.train().requires_grad_(True)


def take_over(network: nn.Module, seen: Mapping[str, Tensor], *, but: tuple[str, ...], kind: str) -> None:
    """Give a network the weights of one that was trained for another generator, in place.

    Args:
        network: The network; what is not taken over stays.
        seen: Weights by name.
        but: Beginnings of the names that are not taken over.
        kind: Kind of the network, for people.

    Raises:
        UsageError: The other network has other widths.
    """
    own = network.state_dict()
    names = [name for name in own if not name.startswith(but)]
    wrong = [name for name in names if name not in seen or own[name].shape != seen[name].shape]
    if wrong:
        raise UsageError(
            f"the {kind} to start from has other widths ({wrong[0]})", "leave out --from to start with random weights"
        )
    network.load_state_dict(own | {name: seen[name] for name in names})


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw by a seed meanwhile; the caller's random numbers are not used up."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def frozen_generator(
    model: str, device: torch.device, *, with_heads: bool = True
) -> tuple[TriPlaneGenerator, ModelInfo]:
    """The generator that a stage builds on, by name or file.

    Args:
        model: Name or file.
        device: Device of its weights.
        with_heads: Whether it is trained with synthetic heads, and so needs their cameras.

    Raises:
        CheckpointError: No such model, or a damaged file.
        UsageError: Its cameras are not those that synthetic heads are rendered with.
    """
    generator, info = load_generator(model, device)
    _check_cameras(model, generator, with_heads=with_heads)
    return generator, info


def frozen_generator_of_planes(
    model: str, device: torch.device, *, with_heads: bool = True
) -> tuple[OfPlanes, ModelInfo]:
    """As :func:`frozen_generator`, or a generator on the head mesh."""
    generator, info = load_generator_of_planes(model, device)
    _check_cameras(model, generator, with_heads=with_heads)
    return generator, info


def _check_cameras(model: str, generator: OfPlanes, *, with_heads: bool) -> None:
    if with_heads and generator.config.orbit != FACE_ORBIT:
        raise UsageError(
            f"model {model!r} is seen by other cameras than synthetic heads",
            "train with a generator of faces, or on its own samples: --self",
        )


def described_start(start: Path | None) -> str | None:
    """SHA-256 of the weights to go on from, for the record of a run; None where it begins with random ones."""
    return None if start is None else sha256_of(start)
