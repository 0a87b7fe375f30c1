"""Many photos in one run: done ones are skipped, one bad photo does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import typer

from .. import notices
from ..errors import GeoinvError, PhotoError, UsageError
from . import console
from .inputs import expand_photos, is_single
from .targets import check_outputs


@dataclass(frozen=True)
class Result:
    """What a command made of one photo: a line for people, values for ``--json``, and files.

    ``ends_run`` leaves the remaining photos alone: the work was interrupted, and what it had was kept.
    """

    summary: str
    values: dict[str, Any]
    files: list[Path]
    ends_run: bool = False


Tools = TypeVar("Tools")


@dataclass(frozen=True)
class Job(Generic[Tools]):
    """What a command does with photos.

    Args:
        label: For the progress bar.
        outputs_of: The files that a photo's result will have; the last one is written last and stands for all.
        prepare: Loads what the work needs, once, when the first photo needs it; its errors end the run.
        work: Does one photo and writes its files.
    """

    label: str
    outputs_of: Callable[[Path], list[Path]]
    prepare: Callable[[], Tools]
    work: Callable[[Tools, Path], Result]


@dataclass
class _Tally:
    results: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)


def run_photos(job: Job[Any], paths: Sequence[Path], *, overwrite: bool, as_json: bool) -> None:
    """Do every photo and print the results.

    Args:
        job: What to do.
        paths: Photos and folders.
        overwrite: Whether to replace results that exist. Without it, of many photos the done ones are skipped.
        as_json: One object; for many photos ``results``, ``skipped`` and ``failed``.

    Raises:
        GeoinvError: That of the photo, where a single one was named.
        typer.Exit: With code 1, where some of many failed.
    """
    photos = expand_photos(paths)
    if is_single(paths):
        _run_one(job, photos[0], overwrite=overwrite, as_json=as_json)
        return
    tally = _Tally()
    owners: dict[Path, Path] = {}
    tools: list[Any] = []
    with console.progress(job.label, len(photos)) as update:
        for done, photo in enumerate(photos, start=1):
            outputs = job.outputs_of(photo)
            owner = owners.setdefault(outputs[-1], photo)
            if owner != photo:
                _fail(tally, photo, UsageError(f"{photo} would overwrite the results of {owner}", "rename one of them"))
            elif outputs[-1].is_file() and not overwrite:
                tally.skipped.append(str(photo))
            else:
                check_outputs(outputs, overwrite=True)  # what is there without the last is of a run cut short
                if not tools:
                    tools.append(job.prepare())
                result = _run_one_of_many(job, tools[0], photo, tally, as_json=as_json)
                if result is not None and result.ends_run:
                    break
            update(done)
    _close(tally, as_json)


def _run_one(job: Job[Any], photo: Path, *, overwrite: bool, as_json: bool) -> None:
    check_outputs(job.outputs_of(photo), overwrite=overwrite)
    if not photo.is_file():
        from ..images import read_image

        read_image(photo)  # tells what is wrong before weights are loaded
    start = time.perf_counter()
    tools = job.prepare()
    try:
        result = job.work(tools, photo)
    except (PhotoError, UsageError) as error:
        raise _named(error, photo) from error
    _print(result, start, as_json)


def _run_one_of_many(job: Job[Any], tools: Any, photo: Path, tally: _Tally, *, as_json: bool) -> Result | None:
    """The result, None where the photo failed."""
    start = time.perf_counter()
    try:
        result = job.work(tools, photo)
    except (PhotoError, UsageError) as error:
        _fail(tally, photo, _named(error, photo))
        return None
    if not as_json:
        _print(result, start, as_json)
    tally.results.append({**result.values, "seconds": _seconds_since(start)})
    return result


def _named(error: GeoinvError, photo: Path) -> GeoinvError:
    """The error with the photo's name in front, unless its message has it: a detector knows pixels, not files."""
    return error if photo.stem in error.message else type(error)(f"{photo}: {error.message}", error.hint)


def _fail(tally: _Tally, photo: Path, error: GeoinvError) -> None:
    tally.failed.append({"photo": str(photo), "error": error.message, "hint": error.hint, "exit_code": error.exit_code})


def _print(result: Result, start: float, as_json: bool) -> None:
    values = {**result.values, "seconds": _seconds_since(start)}
    console.print_result(result.summary, values, result.files, as_json=as_json)


def _seconds_since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _close(tally: _Tally, as_json: bool) -> None:
    if as_json:
        values = {"results": tally.results, "skipped": tally.skipped, "failed": tally.failed}
        console.print_json({**values, "warnings": notices.given()})
    if tally.skipped:
        console.talk(f"skipped {len(tally.skipped)} that are done; --overwrite does them again")
    for failure in tally.failed:
        console.print_error(failure["error"], failure["hint"])
    if tally.failed:
        total = len(tally.failed) + len(tally.results) + len(tally.skipped)
        console.print_error(f"{len(tally.failed)} of {total} photos failed", None)
        raise typer.Exit(1)
