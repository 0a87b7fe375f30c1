"""Many photos in one run: done ones are skipped, one bad photo does not stop the rest."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import typer

from .. import notices
from ..errors import GeoinvError, PhotoError, UsageError
from . import console
from .photo_files import Found, PhotoFile, find_photos
from .targets import check_outputs, check_writable


@dataclass(frozen=True)
class Result:
    """The result of one photo.

    Args:
        summary: One line for people.
        values: Values for ``--json``.
        files: Files that were written.
        ends_run: Whether to leave the remaining photos alone: the work was interrupted, and what it had was kept.
    """

    summary: str
    values: dict[str, Any]
    files: list[Path]
    ends_run: bool = False


Tools = TypeVar("Tools")


@dataclass(frozen=True)
class Job(Generic[Tools]):
    """The work of a command on photos.

    Args:
        label: Text before the progress bar.
        outputs_of: Function from a photo to the files of its result; the last one is written last.
        record_of: Function from a photo to the JSON file among these that keeps :meth:`provenance`.
        settings_of: Function from a photo to the settings that decide what its result looks like.
        prepare: Function that loads what the work needs, once, when the first photo needs it; its errors end the run.
        work: Function that does one photo and writes its files.
        is_complete: Function that says whether what lies outside of the photo's own files is there too.
    """

    label: str
    outputs_of: Callable[[PhotoFile], list[Path]]
    record_of: Callable[[PhotoFile], Path]
    settings_of: Callable[[PhotoFile], Mapping[str, Any]]
    prepare: Callable[[], Tools]
    work: Callable[[Tools, PhotoFile], Result]
    is_complete: Callable[[PhotoFile], bool] = lambda photo: True


def provenance(photo: PhotoFile, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record keeps to know a result again: the hash of the photo's bytes, and the settings."""
    return {"photo_sha256": photo.sha256(), "settings": dict(settings)}


def is_done(job: Job[Any], photo: PhotoFile) -> bool:
    """Whether all files of the photo's result are there, made from the same bytes with the same settings.

    Raises:
        UsageError: There is a result of the same name that was made from another photo or with other settings.
    """
    last, record_path = job.outputs_of(photo)[-1], job.record_of(photo)
    replace = "give another --out, or --overwrite to replace it"
    if not os.path.lexists(record_path):
        if os.path.lexists(last):
            raise UsageError(f"{last} exists, and nothing says what it was made from", replace)
        return False
    record = _read_record(record_path)
    if record.get("photo_sha256") != photo.sha256():
        raise UsageError(f"{record_path} exists, made from another photo or from another version of this one", replace)
    settings = json.loads(json.dumps(dict(job.settings_of(photo))))
    earlier = record.get("settings")
    if earlier != settings:
        raise UsageError(f"{record_path} exists, made with {_difference(earlier, settings)}", replace)
    return all(os.path.isfile(output) for output in job.outputs_of(photo)) and job.is_complete(photo)


@dataclass
class _Tally:
    results: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)


def run_photos(
    job: Job[Any],
    paths: Sequence[Path],
    *,
    overwrite: bool,
    as_json: bool,
    recursive: bool = False,
    face: int | None = None,
) -> None:
    """Do every photo and print the results.

    Args:
        job: What to do.
        paths: Photos, folders, patterns and pipes.
        overwrite: Whether to replace results that exist. Without it, of many photos the done ones are skipped.
        as_json: Whether to print one object; for many photos with ``results``, ``skipped`` and ``failed``.
        recursive: Whether folders in folders are looked into.
        face: Number of the face where one was chosen, which becomes part of the results' names.

    Raises:
        GeoinvError: The error of the photo, where a single one was named.
        typer.Exit: With code 1, where some of many failed.
    """
    found = find_photos(paths, recursive=recursive, face=face)
    if found.is_single:
        _run_one(job, found.photos[0], overwrite=overwrite, as_json=as_json)
        return
    for folder in {output.parent for photo in found.photos for output in job.outputs_of(photo)}:
        check_writable(folder)
    for path, kept in found.same:
        console.talk(f"{path} is the same photo as {kept}: done once")
    tally = _Tally()
    for path, error in found.failed:
        _fail(tally, path, error)
    tools: list[Any] = []
    with console.progress(job.label, len(found.photos)) as update:
        for done, photo in enumerate(found.photos, start=1):
            result = _run_one_of_many(job, tools, photo, tally, overwrite=overwrite, as_json=as_json)
            if result is not None and result.ends_run:
                break
            update(done)
    _close(tally, found, as_json)


def _run_one(job: Job[Any], photo: PhotoFile, *, overwrite: bool, as_json: bool) -> None:
    check_outputs(job.outputs_of(photo), overwrite=overwrite)
    if photo.data is None and not os.path.isfile(photo.path):
        photo.read()  # says what is wrong before weights are loaded
    start = time.perf_counter()
    tools = job.prepare()
    try:
        result = job.work(tools, photo)
    except (PhotoError, UsageError) as error:
        raise _named(error, photo) from error
    _print(result, start, as_json)


def _run_one_of_many(
    job: Job[Any], tools: list[Any], photo: PhotoFile, tally: _Tally, *, overwrite: bool, as_json: bool
) -> Result | None:
    """Do one photo; returns None where it was done before or has failed.

    Args:
        tools: What ``job.prepare`` gave, once it was called.
    """
    start = time.perf_counter()
    try:
        if not overwrite and is_done(job, photo):
            tally.skipped.append(str(photo.path))
            return None
        check_outputs(job.outputs_of(photo), overwrite=True)  # what is there without the last is of a run cut short
    except (PhotoError, UsageError) as error:
        _fail(tally, photo.path, _named(error, photo))
        return None
    if not tools:
        tools.append(job.prepare())
    try:
        result = job.work(tools[0], photo)
    except (PhotoError, UsageError) as error:
        _fail(tally, photo.path, _named(error, photo))
        return None
    if not as_json:
        _print(result, start, as_json)
    tally.results.append({**result.values, "path": str(photo.path), "seconds": _seconds_since(start)})
    return result


def _read_record(path: Path) -> dict[str, Any]:
    """Return the values of a record; none where it is damaged, as no result is known by such a one."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _difference(earlier: object, settings: Mapping[str, Any]) -> str:
    """Name the first setting that an earlier run had otherwise."""
    if not isinstance(earlier, dict):
        return "other settings"
    for name, value in settings.items():
        if earlier.get(name) != value:
            if isinstance(value, str | int | float | bool | None) and len(str(earlier.get(name))) < 20:
                return f"another setting: {name} was {earlier.get(name)}, now it is {value}"
            return f"another {name}"
    return "more settings"


def _named(error: GeoinvError, photo: PhotoFile) -> GeoinvError:
    """The error with the photo's path in front, unless its message has it: a detector knows pixels, not files."""
    is_named = str(photo.path) in error.message and len(str(photo.path)) > 1
    return error if is_named else type(error)(f"{photo.path}: {error.message}", error.hint)


def _fail(tally: _Tally, path: Path, error: GeoinvError) -> None:
    tally.failed.append({"photo": str(path), "error": error.message, "hint": error.hint, "exit_code": error.exit_code})


def _print(result: Result, start: float, as_json: bool) -> None:
    values = {**result.values, "seconds": _seconds_since(start)}
    console.print_result(result.summary, values, result.files, as_json=as_json)


def _seconds_since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _close(tally: _Tally, found: Found, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "results": tally.results,
                "skipped": tally.skipped,
                "failed": tally.failed,
                "left_out": dict(found.left_out),
                "warnings": notices.given(),
            }
        )
    if tally.skipped:
        console.talk(f"skipped {len(tally.skipped)} that are done; --overwrite does them again")
    if found.left_out:
        console.talk(f"left out: {found.left_out_line}")
    for failure in tally.failed:
        console.print_error(failure["error"], failure["hint"])
    if tally.failed:
        total = len(tally.failed) + len(tally.results) + len(tally.skipped)
        console.print_error(f"{len(tally.failed)} of {total} photos failed", None)
        raise typer.Exit(1)
