"""Fetching weights: resumed, verified, and in place whole or not at all."""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .._version import __version__
from ..errors import CheckpointError, UsageError, reason_of
from ..files import one_process_at_a_time
from ..folders import sha256_of
from .index import Entry

_BLOCK = 1 << 18
_TIMEOUT_S = 30.0

Progress = Callable[[int, "int | None"], None]


def fetch(entry: Entry, *, accept_licence: bool = False, on_progress: Progress | None = None) -> Path:
    """Bring an entry's file into the cache, or find it there.

    A download that was cut lies beside it as ``FILE.part`` and is gone on with, where the server still has the same
    file. Where the index knows no hash, that of the first download is kept in ``FILE.sha256`` for :func:`verify`.

    Args:
        entry: Entry of the index.
        accept_licence: Whether the licence has been read and is accepted; needed where it forbids commercial use.
        on_progress: Called with the bytes that are here and of all, if the server tells.

    Raises:
        UsageError: The licence is not accepted, or the cache cannot be written to.
        CheckpointError: No network, an answer that is not the file, a cut connection, or another hash.
    """
    if entry.url is None:
        raise UsageError(f"{entry.name} ships with geoinv", "there is nothing to fetch")
    if entry.non_commercial and not accept_licence:
        raise UsageError(
            f"{entry.name} is under the {entry.licence}, which allows no commercial use",
            f"read it at {entry.licence_url or entry.source}, then: geoinv weights fetch {entry.name} --accept-licence",
        )
    if _is_here(entry):
        return entry.path
    part = entry.path.with_name(entry.path.name + ".part")
    with one_process_at_a_time(part):  # two would write into one part
        if _is_here(entry):
            return entry.path
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            _download(entry.url, part, on_progress)
            _check(entry, part)
            if entry.sha256 is None:
                _hash_file(entry.path).write_text(sha256_of(part) + "\n")
            os.replace(part, entry.path)
            _validator_file(part).unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot write {entry.path}: {reason_of(error)}", "GEOINV_CACHE names another folder"
            ) from error
    return entry.path


def _is_here(entry: Entry) -> bool:
    return entry.path.is_file() and verify(entry) in ("ok", "unknown hash")


def verify(entry: Entry) -> str:
    """``ok``, ``missing``, ``unknown hash`` (there, but nothing to compare with), or what is wrong with the file."""
    path = entry.path
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"damaged: {size} bytes, not {entry.size}"
    expected = entry.sha256
    if expected is None and _hash_file(path).is_file():
        expected = _text_of(_hash_file(path))
    if expected is None:
        return "unknown hash"
    digest = sha256_of(path)
    return "ok" if digest == expected else f"damaged: sha256 {digest[:12]}, not {expected[:12]}"


def _hash_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _validator_file(part: Path) -> Path:
    """The server's name of the version that a part belongs to."""
    return part.with_name(part.name + ".etag")


def _text_of(path: Path) -> str:
    """The one line of a small file; of a damaged one whatever can be read, which is no hash and no version then."""
    return path.read_bytes()[:1024].decode("ascii", errors="replace").strip()


def _download(url: str, part: Path, on_progress: Progress | None) -> None:
    """Fill ``part`` with the file at ``url``, from where it ends if the server can."""
    validator = _text_of(_validator_file(part)) if _validator_file(part).is_file() else ""
    have = (
        part.stat().st_size if part.is_file() and validator and validator.isascii() and validator.isprintable() else 0
    )
    headers = {"User-Agent": f"geoinv/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        headers["If-Range"] = validator
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S) as answer:
            _receive(answer, part, have, on_progress)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # the part is longer than the file: it is of another one
            part.unlink()
            return _download(url, part, on_progress)
        raise CheckpointError(
            f"{url} answers {error.code} {error.reason}", "it may have moved; see the source in `geoinv weights info`"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        host = urlsplit(url).hostname
        raise CheckpointError(
            f"no network: {host} cannot be reached ({_reason(error)})",
            f"download {url} elsewhere, then: geoinv weights convert FILE.pkl OUT.safetensors",
        ) from error


def _receive(answer: http.client.HTTPResponse, part: Path, have: int, on_progress: Progress | None) -> None:
    """Append what is answered to ``part``, or begin it anew where the server does not go on."""
    goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if answer.status == 206 and not goes_on:
        raise CheckpointError("the server answers with another part of the file", "run it again later")
    done = have if goes_on else 0
    length = answer.headers.get("Content-Length", "")
    total = done + int(length) if length.isdigit() else None
    validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if not goes_on:
        _validator_file(part).unlink(missing_ok=True)
    with part.open("ab" if goes_on else "wb") as file:
        if validator and not validator.startswith("W/"):
            _validator_file(part).write_text(validator)
        _check_space(part, None if total is None else total - done)
        while block := _next_block(answer):
            file.write(block)
            done += len(block)
            if on_progress is not None:
                on_progress(done, total)
    if block is None or (total is not None and done < total):
        raise CheckpointError(
            f"the connection was cut after {done} of {total or 'unknown'} bytes",
            "run it again: it goes on from there if the server can",
        )


def _next_block(answer: http.client.HTTPResponse) -> bytes | None:
    """The next bytes, empty at the end; None where the connection breaks."""
    try:
        return answer.read(_BLOCK)
    except (http.client.HTTPException, OSError):
        return None


def _check_space(part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed > free:
        raise UsageError(
            f"{needed >> 20} MiB do not fit: {free >> 20} MiB are free", "GEOINV_CACHE names another folder"
        )


def _check(entry: Entry, part: Path) -> None:
    """Refuse, and remove, what is not the file of the index."""
    size = part.stat().st_size
    is_wrong_size = entry.size is not None and size != entry.size
    digest = sha256_of(part)
    if is_wrong_size or (entry.sha256 is not None and digest != entry.sha256):
        part.unlink()
        _validator_file(part).unlink(missing_ok=True)
        what = f"{size} bytes, not {entry.size}" if is_wrong_size else f"sha256 {digest}, not {entry.sha256}"
        raise CheckpointError(f"{entry.url} is not the file of the index: {what}", "it was removed; do not use it")


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(getattr(cause, "strerror", None) or cause).lower()
