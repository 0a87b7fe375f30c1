"""Contents of the files that StyleSDF and E3DGE released, as plain data: which file is which, and tensors by name.

``ffhq1024x1024.pt`` (and the toon generator) has the generator as ``g_ema``, ``ffhq_vol_renderer.pt`` the pose network
as ``d``, ``E3DGE_Full_Runner.pt`` (and the 2D-only and toon models) the encoder and the local branch. Everything else
in them, such as the states of optimisers, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .e3dge_layout import without_wrapper
from .torch_pickles import StoredTensor, printable

Tensors = dict[str, StoredTensor]

_GENERATOR_MARK = "decoder.conv1.conv.weight"  # g_ema of ffhq_vol_renderer.pt has no decoder
_POSE_MARK = "final_conv.conv.weight"  # d of ffhq1024x1024.pt is another discriminator
_LOCAL = ("netLocal", "grid_align", "Fuse_sft_block")


@dataclass(frozen=True)
class StoredModel:
    """The parts of a model, of one to three files.

    Args:
        generator: Tensors of ``g_ema``.
        pose: Tensors of ``d``; None without an encoder.
        encoder: Tensors of ``encoder``; None where only a generator is converted.
        local: Tensors of ``netLocal``, ``grid_align`` and, for hybrid alignment, ``Fuse_sft_block``; empty where the
            model has no local branch.
        sources: The files.
        left_out: Entries of each file that are not used, by the file's name.
    """

    generator: Tensors
    pose: Tensors | None
    encoder: Tensors | None
    local: dict[str, Tensors]
    sources: tuple[Path, ...]
    left_out: dict[str, list[str]]


def stored_model(files: Mapping[Path, dict[Any, Any]]) -> StoredModel:
    """The model whose parts lie in files.

    Args:
        files: Entries by path.

    Raises:
        CheckpointError: A file of something else, two of one kind, or one that is missing.
    """
    parts: dict[str, Tensors] = {}
    left_out: dict[str, list[str]] = {}
    for path, root in files.items():
        found = _used(path, root)
        if twice := set(found) & set(parts):
            raise CheckpointError(f"{path}: another file has {sorted(twice)[0]} too", "give one file of each kind")
        parts |= found
        left_out[path.name] = sorted(printable(name) for name in root if name not in found)
    local = {name: parts[name] for name in _LOCAL if name in parts}
    if "g_ema" not in parts:
        raise CheckpointError("no generator is among the files", "give ffhq1024x1024.pt too, or the toon generator")
    if "encoder" in parts and "d" not in parts:
        raise CheckpointError("no pose network is among the files", "give ffhq_vol_renderer.pt too")
    if "d" in parts and "encoder" not in parts:
        raise CheckpointError(
            "no encoder is among the files, which the pose network belongs to", "give E3DGE_Full_Runner.pt too"
        )
    if local and not {"netLocal", "grid_align"} <= set(local):
        raise CheckpointError(f"the local branch is not whole: there is only {', '.join(local)}")
    return StoredModel(parts["g_ema"], parts.get("d"), parts.get("encoder"), local, tuple(files), left_out)


def _used(path: Path, root: dict[Any, Any]) -> dict[str, Tensors]:
    """Entries of a file that are used.

    Raises:
        CheckpointError: None is, or one holds something other than tensors.
    """
    used: dict[str, Tensors] = {}
    for name, mark in (("g_ema", _GENERATOR_MARK), ("d", _POSE_MARK)):
        entry = root.get(name)
        if type(entry) is dict and (mark in entry or f"module.{mark}" in entry):
            used[name] = _tensors(path, name, entry)
    for name in ("encoder", *_LOCAL):
        if name in root:
            used[name] = _tensors(path, name, root[name])
    if not used:
        raise CheckpointError(
            f"{path} is no file of StyleSDF or E3DGE that is needed",
            "give ffhq1024x1024.pt, ffhq_vol_renderer.pt and E3DGE_Full_Runner.pt",
        )
    return used


def _tensors(path: Path, entry: str, values: Any) -> Tensors:
    if type(values) is not dict:
        raise CheckpointError(f"{path}: {entry} holds no tensors")
    stray = [name for name, value in values.items() if type(name) is not str or type(value) is not StoredTensor]
    if stray:
        raise CheckpointError(f"{path}: {entry} has {printable(stray[0])}, which is no tensor")
    plain = without_wrapper(values)
    if len(plain) != len(values):
        raise CheckpointError(f"{path}: {entry} has names with and without the prefix module.")
    return plain
