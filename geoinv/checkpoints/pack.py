"""Weights in half the space: ``python -m geoinv.checkpoints.pack MODEL OUT encoder details``.

Writes parts of a model, by name or file, into the folder OUT with their large tensors in 8 bits. Each file names the
others by their hashes, so those that are packed together stay together. Measure before and after (``geoinv eval``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..folders import sha256_of
from .model_files import generator_path, model_file
from .model_format import Kind, save_packed

_HASHES: dict[Kind, str] = {"generator": "generator_sha256", "encoder": "encoder_sha256"}
_ORDER: tuple[Kind, ...] = ("generator", "encoder", "details")  # each names those before it


def pack_model(model: str, out: Path, parts: Sequence[str]) -> list[Path]:
    """Write parts of a model into a folder, in 8 bits.

    Args:
        model: Name or file of the generator.
        out: Folder to write to; files in it are replaced.
        parts: Some of ``generator``, ``encoder`` and ``details``.

    Returns:
        The files that were written.

    Raises:
        UsageError: No or other parts, or files that name one that is packed and would not fit it any more.
        CheckpointError: A file is missing, damaged, or holds something else.
    """
    kinds = [kind for kind in _ORDER if kind in parts]
    if not kinds or len(kinds) != len(parts):
        raise UsageError(f"cannot pack {', '.join(parts) or 'nothing'}", f"name some of {', '.join(_ORDER)}")
    files = {kind: generator_path(model) if kind == "generator" else model_file(model, kind) for kind in _ORDER}
    left = [kind for kind in _ORDER[_ORDER.index(kinds[0]) + 1 :] if kind not in kinds and files[kind].is_file()]
    if left:
        raise UsageError(f"{files[left[0]]} names the file that is packed by its hash", f"pack {left[0]} as well")
    out.mkdir(parents=True, exist_ok=True)
    changed: dict[str, str] = {}
    written = []
    for kind in kinds:
        path = out / files[kind].name
        save_packed(files[kind], path, kind, extra=changed)
        if kind in _HASHES:
            changed[_HASHES[kind]] = sha256_of(path)
        written.append(path)
    return written


if __name__ == "__main__":
    for made in pack_model(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]):
        print(made)
