"""The file of a network as plain data: what pickles of NVlabs, of StyleSDF and of E3DGE name, and nothing else."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, reason_of
from .pickle_reader import Class, Function, Instance
from .torch_pickles import read_torch_file, unknown_global

_PERSISTENCE_VERSION = 6
# Modules that EG3D does not save with their source.
_PLAIN_CLASSES = {
    "training.triplane.OSGDecoder",
    "training.volumetric_rendering.renderer.ImportanceRenderer",
    "training.volumetric_rendering.ray_marcher.MipRayMarcher2",
    "training.volumetric_rendering.ray_sampler.RaySampler",
}

HINT = "give a network of EG3D, such as ffhq512-128.pkl, or the files of StyleSDF and E3DGE"


def read_network_file(path: Path) -> dict[Any, Any]:
    """The entries of a file; tensors are :class:`~geoinv.checkpoints.torch_pickles.StoredTensor`, not read yet.

    Raises:
        CheckpointError: No such file, cut, damaged, naming something that is not allowed, or without entries.
    """
    try:
        with path.open("rb") as file:
            # private, so that tensors can be made of its bytes; never written to
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        reason = "it is empty" if isinstance(error, ValueError) else reason_of(error)
        raise CheckpointError(f"cannot read {path}: {reason}", HINT) from error
    try:
        root = read_torch_file(data, _resolve)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error.message}", error.hint or HINT) from error
    if type(root) is not dict:
        raise CheckpointError(f"{path}: the file holds no network", HINT)
    return root


def _resolve(module: str, name: str) -> Class | Function:
    full = f"{module}.{name}"
    if full == "torch_utils.persistence._reconstruct_persistent_obj":
        return Function(full, _persistent_object)
    if full in ("dnnlib.util.EasyDict", "dnnlib.EasyDict"):
        return Class(full, is_dict=True)
    if full in _PLAIN_CLASSES:
        return Class(full)
    raise unknown_global(module, name)


def _persistent_object(meta: Any, *extra: Any) -> Instance:
    """The class's name and state; the source that came along is not looked at."""
    if type(meta) is not dict or extra or meta.get("type") != "class" or meta.get("version") != _PERSISTENCE_VERSION:
        raise CheckpointError("the file has an object of an unknown version of torch_utils.persistence")
    name, state = meta.get("class_name"), meta.get("state")
    if type(name) is not str or type(state) is not dict:
        raise CheckpointError("the file has an object without a class or state")
    return Instance(name, state)
