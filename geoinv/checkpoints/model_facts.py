"""Facts of weights without loading them: the index's entry and a file's header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError
from ..folders import sha256_of
from .index import Entry, entry_named, load_index
from .model_files import model_file
from .model_format import read_header
from .registry import NETWORK_PARTS, encoder_file, registered


def entry_facts(entry: Entry) -> dict[str, Any]:
    """Facts in the index, and whether the file is here."""
    is_here = os.path.isfile(entry.path)
    state = "here" if is_here else "missing" if entry.url is None else "not fetched"
    state = "registered" if is_here and entry.is_registered else state
    return {
        "name": entry.name,
        "state": state,
        "size": entry.size if entry.size is not None or not is_here else entry.path.stat().st_size,
        "licence": entry.licence,
        "licence_url": entry.licence_url,
        "non_commercial": entry.non_commercial,
        "source": entry.source,
        "needed_for": entry.needed_for,
        "crop": entry.crop,
        "attributes": list(entry.attributes),
        "url": entry.url,
        "sha256": entry.sha256,
        "part": entry.part,
        "generator_sha256": entry.generator_sha256,
        "encoder_sha256": entry.encoder_sha256,
        "path": entry.path,
    }


def weights_facts(name: str) -> dict[str, Any]:
    """Facts of an entry, of a model by name, or of a generator's file.

    Raises:
        CheckpointError: A file that is not geoinv's.
        UsageError: An unknown name.
    """
    index = load_index()
    entry = index.get(name) or index.get(f"{name}-generator")
    listed = {} if entry is None else entry_facts(entry)
    if model_file(name, "generator").is_file() or name.endswith(".safetensors"):
        read = generator_facts(name)
        return {"name": name, **listed, **read, "crop": listed.get("crop") or read["crop"]}
    return listed or entry_facts(entry_named(name))


_CROPS = {"face": "eg3d-face", "ffhq": "ffhq"}


def generator_facts(model: str) -> dict[str, Any]:
    """Facts in the header of a generator's file, and the attributes that can be edited."""
    path = model_file(model, "generator")
    header = read_header(path)
    if not isinstance(header.get("config"), dict) or "kind" not in header:
        raise CheckpointError(
            f"{path} holds no model of geoinv", "EG3D's pickles are converted by `geoinv weights convert`"
        )
    config, extra = header["config"], header.get("extra", {})
    orbit = config.get("orbit")
    directions = model_file(model, "directions")
    facts = {
        "kind": header["kind"],
        "file": path,
        "file_sha256": sha256_of(path),
        "resolution": config.get("resolution"),
        "ray_grid": config.get("neural_resolution"),
        "crop": _CROPS.get(str(config.get("crop", "face")), "none of geoinv's"),
        "encoder": encoder_file(model).is_file(),
        "registered": [entry.name for part in NETWORK_PARTS for entry in registered(part, sha256_of(path))],
        "attributes": _tensor_names(directions) if directions.is_file() else [],
    }
    if orbit is not None:
        facts["camera"] = orbit
    notes = {key: value for key, value in extra.items() if isinstance(value, str | int | float)}
    return {**facts, **({"notes": notes} if notes else {})}


def _tensor_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return sorted(file.keys())
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "make it again: geoinv train directions") from error
