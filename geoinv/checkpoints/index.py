"""The index of weights: what ships and what can be fetched, from ``index.toml`` beside the shipped files, and what this
user has registered, from the one in the cache (:mod:`.registry`)."""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..errors import CheckpointError, UsageError
from ..folders import cache_dir, weights_dir


@dataclass(frozen=True)
class Entry:
    """One file of weights.

    Args:
        name: The name that `geoinv weights` takes and, for generators that are fetched, ``--model``.
        file: Path in the folder of shipped weights, or in that of fetched ones where there is a ``url``.
        licence: The licence of the weights.
        source: Who made them.
        size: Bytes, where known.
        sha256: Hex digest of the file, where known.
        url: Address that they are fetched from; what ships has none.
        licence_url: Address of the licence's text.
        non_commercial: Whether the licence allows no commercial use, so that it has to be accepted.
        crop: "eg3d-face" where `geoinv align` crops as the model wants, otherwise what it was trained on.
        attributes: Edits that come with it.
        needed_for: What does not work without the file, as a phrase for people.
        required: Whether `geoinv invert` cannot work without it.
        part: Part of a model that the file is, where it goes with a generator.
        generator_sha256: Hash of the generator's file that it was trained for.
        encoder_sha256: Hash of the encoder's file that it was trained for; local branches have one.
        is_registered: Whether it is in the user's own index.
    """

    name: str
    file: str
    licence: str
    source: str
    size: int | None = None
    sha256: str | None = None
    url: str | None = None
    licence_url: str | None = None
    non_commercial: bool = False
    crop: str | None = None
    attributes: tuple[str, ...] = ()
    needed_for: str | None = None
    required: bool = False
    part: Literal["encoder", "details"] | None = None
    generator_sha256: str | None = None
    encoder_sha256: str | None = None
    is_registered: bool = False

    @property
    def is_shipped(self) -> bool:
        """Whether the file comes with geoinv."""
        return self.url is None and not self.is_registered

    @property
    def path(self) -> Path:
        """Path of the file, which may be missing."""
        return (weights_dir() if self.url is None else cache_dir()) / self.file

    @property
    def converted(self) -> Path | None:
        """Path of the generator made of a fetched pickle, which may be missing."""
        is_pickle = self.url is not None and self.file.endswith(".pkl")
        return cache_dir() / f"{self.name}-generator.safetensors" if is_pickle else None


def load_index() -> dict[str, Entry]:
    """All entries by name, what ships first; of what ships none where the folder of weights has no index, as one of a
    user's own may.

    Raises:
        CheckpointError: An index cannot be read.
    """
    shipped = _read(weights_dir() / "index.toml", "reinstall geoinv")
    own = own_index_path()
    registered = _read(own, f"mend or remove {own}", is_registered=True)
    return {**shipped, **{name: entry for name, entry in registered.items() if name not in shipped}}


def own_index_path() -> Path:
    """The user's own index, which may be missing."""
    return cache_dir() / "index.toml"


def own_index() -> dict[str, Entry]:
    """The entries of the user's own index by name, the newest last.

    Raises:
        CheckpointError: It cannot be read.
    """
    return {name: entry for name, entry in load_index().items() if entry.is_registered}


def _read(path: Path, hint: str, *, is_registered: bool = False) -> dict[str, Entry]:
    if not path.is_file():
        return {}
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        tables = toml.loads(path.read_text(encoding="utf-8"))
        return {name: _entry(name, table, is_registered=is_registered) for name, table in tables.items()}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"the index {path} cannot be read: {error}", hint) from error


def existing_index() -> dict[str, Entry]:
    """All entries by name.

    Raises:
        CheckpointError: There is no index, or it cannot be read.
    """
    entries = load_index()
    if not any(not entry.is_registered for entry in entries.values()):
        raise CheckpointError(
            f"no index of weights at {weights_dir() / 'index.toml'}", "reinstall geoinv, or mend GEOINV_WEIGHTS"
        )
    return entries


_TYPES: dict[str, type] = {"size": int, "non_commercial": bool, "required": bool, "attributes": list}
"""Types of what is no text."""


def _entry(name: str, table: dict[str, Any], *, is_registered: bool) -> Entry:
    known = {field.name for field in fields(Entry)} - {"name", "is_registered"}
    if unknown := set(table) - known:
        raise ValueError(f"{name} has {sorted(unknown)[0]!r}, which no entry has")
    for key, value in table.items():
        if not isinstance(value, _TYPES.get(key, str)) or (key == "part" and value not in ("encoder", "details")):
            raise ValueError(f"{name} has another {key} than entries have")
    attributes = tuple(table.get("attributes", ()))
    return Entry(name=name, **{**table, "attributes": attributes}, is_registered=is_registered)


def entry_named(name: str) -> Entry:
    """The entry of a name.

    Raises:
        UsageError: There is none; the hint names near ones, or all that can be fetched.
        CheckpointError: There is no index.
    """
    index = existing_index()
    if name in index:
        return index[name]
    near = difflib.get_close_matches(name, index, n=3, cutoff=0.5)
    fetchable = [entry.name for entry in index.values() if entry.url is not None]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(fetchable)}"
    raise UsageError(f"unknown weights {name!r}", f"{hint} (geoinv weights list shows all)")
