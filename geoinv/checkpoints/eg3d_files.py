"""Contents of a file of an EG3D network, as plain data: arguments, tensors by name, and the planes' axes.

Two layouts: pickles of NVlabs' ``torch_utils.persistence`` (``G``, ``D``, ``G_ema`` with their modules' source, of
which only ``G_ema`` is taken, without source), and the ``G_ema`` or ``state_dict`` with ``init_kwargs`` that users of
TriPlaneNet and GOAE have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .network_files import HINT, read_network_file
from .pickle_reader import Instance
from .torch_pickles import StoredTensor, printable

_POSITIONAL = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_MAX_MODULES = 4096  # EG3D's generator has about 120
_MAX_DEPTH = 16


@dataclass(frozen=True)
class StoredNetwork:
    """A generator as its file has it.

    Args:
        arguments: Arguments of its constructor, by name.
        rendering: ``rendering_kwargs`` in use, which may differ from those it was made with.
        ray_side: Side of its ray grid, if the file tells.
        plane_axes: [3, 3, 3] of its renderer, if the file tells.
        tensors: Parameters and buffers by their full names.
    """

    arguments: dict[str, Any]
    rendering: dict[str, Any]
    ray_side: int | None
    plane_axes: StoredTensor | None
    tensors: dict[str, StoredTensor]


def read_eg3d_file(path: Path) -> StoredNetwork:
    """The generator in a file.

    Raises:
        CheckpointError: No such file, cut, damaged, naming something that is not allowed, or without a generator.
    """
    root = read_network_file(path)
    try:
        return _network(root)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error.message}", error.hint or HINT) from error


def is_eg3d(root: dict[Any, Any]) -> bool:
    """Whether the entries of a file may be an EG3D network's."""
    return "G_ema" in root or "state_dict" in root


def _network(root: dict[Any, Any]) -> StoredNetwork:
    network = root.get("G_ema", root.get("state_dict"))
    if type(network) is Instance:
        return _persistent_network(network)
    if type(network) is dict:
        return _state_dict_network(root, network)
    raise CheckpointError("the file has neither G_ema nor state_dict", HINT)


def _persistent_network(network: Instance) -> StoredNetwork:
    if network.class_name != "TriPlaneGenerator" or type(network.state) is not dict:
        raise CheckpointError(f"G_ema is a {printable(network.class_name)}, not EG3D's TriPlaneGenerator", HINT)
    state = network.state
    given, arguments = state.get("_init_args", ()), state.get("_init_kwargs")
    if type(arguments) is not dict or type(given) is not tuple or len(given) > len(_POSITIONAL):
        raise CheckpointError("G_ema has no arguments of its constructor")
    arguments = {**dict(zip(_POSITIONAL, given, strict=False)), **arguments}
    side = state.get("neural_rendering_resolution")
    return StoredNetwork(
        arguments,
        _rendering(state.get("rendering_kwargs", arguments.get("rendering_kwargs"))),
        side if type(side) is int else None,
        _plane_axes(state),
        dict(_named_tensors(network)),
    )


def _state_dict_network(root: dict[str, Any], tensors: dict[str, Any]) -> StoredNetwork:
    arguments = root.get("init_kwargs")
    if type(arguments) is not dict:
        raise CheckpointError(
            "the file has a state_dict but no init_kwargs, so that its rendering is not known",
            "convert the .pkl that it was made from",
        )
    side = root.get("neural_rendering_resolution")
    stray = [name for name, value in tensors.items() if type(name) is not str or type(value) is not StoredTensor]
    if stray:
        raise CheckpointError(f"the state_dict has {printable(stray[0])}, which is no tensor")
    rendering = _rendering(root.get("rendering_kwargs", arguments.get("rendering_kwargs")))
    return StoredNetwork(arguments, rendering, side if type(side) is int else None, None, tensors)


def _rendering(values: Any) -> dict[str, Any]:
    if type(values) is not dict:
        raise CheckpointError("the network has no rendering_kwargs")
    return values


def _plane_axes(state: dict[str, Any]) -> StoredTensor | None:
    modules = state.get("_modules")
    renderer = modules.get("renderer") if type(modules) is dict else None
    axes = renderer.state.get("plane_axes") if type(renderer) is Instance and type(renderer.state) is dict else None
    return axes if type(axes) is StoredTensor else None


def _named_tensors(network: Instance) -> Iterator[tuple[str, StoredTensor]]:
    """Parameters and buffers of all modules, named as ``state_dict`` does."""
    waiting: list[tuple[str, Any, int]] = [("", network, 0)]
    seen = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        seen += 1
        state = module.state if type(module) is Instance else None
        if type(state) is not dict or seen > _MAX_MODULES or depth > _MAX_DEPTH:
            raise CheckpointError(f"the module {prefix[:60] or 'G_ema'!r} is no module, or one of far too many")
        for kind in ("_parameters", "_buffers"):
            for name, tensor in _entries(state, kind):
                if type(tensor) is StoredTensor:
                    yield prefix + name, tensor
                elif tensor is not None:
                    raise CheckpointError(f"{(prefix + name)[:80]} is no tensor")
        for name, child in _entries(state, "_modules"):
            if child is not None:
                waiting.append((f"{prefix}{name}.", child, depth + 1))


def _entries(state: dict[str, Any], kind: str) -> list[tuple[str, Any]]:
    entries = state.get(kind, {})
    if type(entries) is not dict or any(type(name) is not str or len(name) > 80 for name in entries):
        raise CheckpointError(f"a module's {kind} are damaged")
    return list(entries.items())
