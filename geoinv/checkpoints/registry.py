"""Which encoder and local branch belong to which generator: those beside its file, or those in the indexes of weights.

An entry of an index says by hashes what its file was trained for, so that a generator finds its encoder wherever either
of them lies. Encoders that a user trains or converts are registered in the user's own index.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

from ..errors import CheckpointError, UsageError
from ..files import atomic_path, one_process_at_a_time
from ..folders import sha256_of
from .index import Entry, load_index, own_index, own_index_path
from .model_files import generator_path, model_file
from .model_format import read_model_header

NetworkPart = Literal["encoder", "details"]
NETWORK_PARTS: tuple[NetworkPart, ...] = ("encoder", "details")


def encoder_file(model: str, named: str | None = None) -> Path:
    """The encoder's file of a generator, which may be missing.

    Args:
        model: Name or file of the generator.
        named: File or registered name of another than the usual one, which lies beside the generator or else is the
            last that was registered for it.

    Raises:
        CheckpointError: No such generator, or the registered file is another by now.
        UsageError: No encoder of that name is registered.
    """
    if named is not None:
        return _named_file(named, "encoder")
    beside = model_file(model, "encoder")
    if beside.is_file():
        return beside
    generator = sha256_of(generator_path(model))
    return _last(entry for entry in registered("encoder", generator)) or beside


def details_file(model: str, encoder: Path, named: str | None = None) -> Path:
    """The local branch's file of a generator and the encoder that is used, which may be missing or not belong to them.

    Args:
        model: Name or file of the generator.
        encoder: File of the encoder.
        named: File or registered name of another than the usual one: that beside the generator or beside the encoder,
            or else the last that was registered for both.

    Raises:
        CheckpointError: No such generator, or the registered file is another by now.
        UsageError: No local branch of that name is registered.
    """
    if named is not None:
        return _named_file(named, "details")
    beside = model_file(model, "details")
    if encoder == model_file(model, "encoder") or not encoder.is_file():
        return beside
    sha256 = sha256_of(encoder)
    beside_encoder = encoder.with_name(f"{encoder.stem.removesuffix('-encoder')}-details.safetensors")
    for path in (beside, beside_encoder):
        if path.is_file() and read_model_header(path, "details")[1].get("encoder_sha256") == sha256:
            return path
    generator = sha256_of(generator_path(model))
    return _last(entry for entry in registered("details", generator) if entry.encoder_sha256 == sha256) or beside


def files_elsewhere(model: str, encoder: str | None = None, details: str | None = None) -> dict[NetworkPart, Path]:
    """The files that a generator is used with and that do not lie beside it; what is missing is left out.

    Arguments and errors are those of :func:`encoder_file` and :func:`details_file`.
    """
    of_encoder = encoder_file(model, encoder)
    used: dict[NetworkPart, Path] = {"encoder": of_encoder, "details": details_file(model, of_encoder, details)}
    return {part: path for part, path in used.items() if path != model_file(model, part) and path.is_file()}


def registered(part: NetworkPart, generator_sha256: str) -> list[Entry]:
    """Entries of the indexes that were trained for a generator and whose files are here, the last registered last."""
    entries = load_index().values()
    # os.path, because a damaged index may name what is no path at all
    return [e for e in entries if e.part == part and e.generator_sha256 == generator_sha256 and os.path.isfile(e.path)]


def register(file: Path, part: NetworkPart, name: str, *, source: str, licence: str) -> str:
    """Add an encoder or a local branch to the user's own index, so that its generator finds it.

    Args:
        file: The network's file, whose header says what it was trained for.
        part: Part of the model that it is.
        name: Name to register it by. An earlier entry of that name for the same generator is replaced.
        source: Who made it.
        licence: Licence of the weights.

    Returns:
        The name: with the generator's first digits, where ``name`` is taken by another file.

    Raises:
        CheckpointError: The file is damaged, or does not say which generator it was trained for.
        UsageError: The index cannot be written.
    """
    extra = read_model_header(file, part)[1]
    generator = extra.get("generator_sha256")
    if type(generator) is not str:
        raise CheckpointError(f"{file} does not say which generator it was trained for", "train or convert it again")
    entry = Entry(
        name,
        str(file.resolve()),
        licence,
        source,
        size=file.stat().st_size,
        sha256=sha256_of(file),
        part=part,
        generator_sha256=generator,
        encoder_sha256=extra.get("encoder_sha256"),
        is_registered=True,
    )
    with one_process_at_a_time(own_index_path()):  # two runs that end together would lose an entry
        taken = load_index().get(name)
        if taken is not None and not (taken.is_registered and taken.generator_sha256 == generator):
            entry = replace(entry, name=f"{name}-{generator[:8]}")
        _write([*(old for old in own_index().values() if old.name != entry.name), entry])
    return entry.name


def _named_file(named: str, part: NetworkPart) -> Path:
    if named.endswith(".safetensors") or os.sep in named or Path(named).is_file():
        return Path(named)
    index = load_index()
    for name in (named, f"{named}-{part}"):
        if name in index and index[name].part == part:
            return _unchanged(index[name])
    names = [entry.name for entry in index.values() if entry.part == part]
    what = "encoder" if part == "encoder" else "local branch"
    raise UsageError(
        f"no {what} is registered as {named!r}", f"there are: {', '.join(names) or 'none'}; or give a file"
    )


def _last(entries: Iterable[Entry]) -> Path | None:
    found = list(entries)
    return _unchanged(found[-1]) if found else None


def _unchanged(entry: Entry) -> Path:
    """The file of an entry, as it was registered; it may be missing."""
    if os.path.isfile(entry.path) and entry.sha256 != (now := sha256_of(entry.path)):
        raise CheckpointError(
            f"{entry.path}, registered as {entry.name}, is another file by now "
            f"(sha256 {now[:12]}, not {str(entry.sha256)[:12]})",
            "train or convert it again, or name a file",
        )
    return entry.path


_HEADER = "# Encoders and local branches that were trained or converted on this machine, and whose they are.\n"


def _write(entries: list[Entry]) -> None:
    path = own_index_path()
    # strings of JSON are strings of TOML, where nothing outside of ASCII is escaped
    text = _HEADER
    for entry in entries:
        text += f"\n[{json.dumps(entry.name, ensure_ascii=False)}]\n"
        for field in fields(Entry):
            value = getattr(entry, field.name)
            if field.name not in ("name", "is_registered") and value not in (None, (), False):
                text += f"{field.name} = {json.dumps(value, ensure_ascii=False)}\n"
    try:
        contents = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{entries[-1].file!a} cannot be registered: its name is not UTF-8", "rename it") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "GEOINV_CACHE names another folder") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(contents)
