"""Weights in half the space: ``python -m geoinv.checkpoints.pack MODEL OUT encoder``.

Writes parts of a model, by name or file, into the folder OUT with their large tensors in 8 bits. Files name those that
they were trained for by hashes, so those that name a packed one are written as well, in 16 bits. Measure before and
after: ``geoinv eval --json``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..folders import sha256_of
from .model_files import generator_path, model_file
from .model_format import Kind, save_anew

_HASHES: dict[Kind, str] = {"generator": "generator_sha256", "encoder": "encoder_sha256"}
_ORDER: tuple[Kind, ...] = ("generator", "encoder", "details")  # each names those before it


def pack_model(model: str, out: Path, parts: Sequence[str]) -> list[Path]:
    """Write parts of a model into a folder in 8 bits, and those that name them in 16.

    Args:
        model: Name or file of the generator.
        out: Folder to write to; files in it are replaced.
        parts: Some of ``generator``, ``encoder`` and ``details``.

    Returns:
        The files that were written.

    Raises:
        UsageError: No parts, or others.
        CheckpointError: A file is missing, damaged, or holds something else.
    """
    if not parts or not set(parts) <= set(_ORDER):
        raise UsageError(f"cannot pack {', '.join(parts) or 'nothing'}", f"name some of {', '.join(_ORDER)}")
    files = {kind: generator_path(model) if kind == "generator" else model_file(model, kind) for kind in _ORDER}
    out.mkdir(parents=True, exist_ok=True)
    changed: dict[str, str] = {}
    written = []
    for kind in _ORDER:
        if kind not in parts and not (changed and files[kind].is_file()):
            continue
        path = out / files[kind].name
        save_anew(files[kind], path, kind, in_8_bits=kind in parts, extra=changed)
        if kind in _HASHES:
            changed[_HASHES[kind]] = sha256_of(path)
        written.append(path)
    return written


if __name__ == "__main__":
    for made in pack_model(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]):
        print(made)
