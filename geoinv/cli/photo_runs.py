"""Runs of one photo or of many: in this process, or beside it by a crew of workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from .. import notices
from ..errors import PhotoError, UsageError
from . import console
from .crew import Crew, outcomes_of
from .manifest import Manifest
from .photo_files import Found, PhotoFile, Share, find_photos
from .photo_worker import Job, Outcome, PhotoWorker, Result, failure_of, named, was_cut_short
from .targets import check_outputs, check_writable


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
    share: Share | None = None,
    crew: Callable[[int], Crew] | None = None,
) -> None:
    """Do every photo and print the results.

    Args:
        job: What to do.
        paths: Photos, folders, lists, archives, patterns and pipes.
        overwrite: Whether to replace results that exist. Without it, of many photos the done ones are skipped.
        as_json: Whether to print one object; for many photos with ``results``, ``skipped`` and ``failed``.
        recursive: Whether folders in folders are looked into.
        face: Number of the face where one was chosen, which becomes part of the results' names.
        share: Part of the photos to do; all of them by default.
        crew: Function that makes the workers for a number of photos; by default this process does all.

    Raises:
        GeoinvError: The error of the photo, where a single one was named.
        typer.Exit: With code 1, where some of many failed.
    """
    run_found(
        job,
        find_photos(paths, recursive=recursive, face=face, share=share),
        overwrite=overwrite,
        as_json=as_json,
        share=share,
        crew=crew,
    )


def run_found(
    job: Job[Any],
    found: Found,
    *,
    overwrite: bool,
    as_json: bool,
    share: Share | None = None,
    crew: Callable[[int], Crew] | None = None,
) -> None:
    """Do all photos that were found, as :func:`run_photos` does."""
    if found.is_single:
        _run_one(job, found.photos[0], overwrite=overwrite, as_json=as_json)
        return
    folders = {output.parent for photo in found.photos for output in job.outputs_of(photo)}
    for folder in folders:
        check_writable(folder)
    for path, kept in found.same:
        console.talk(f"{path} is the same photo as {kept}: done once")
    tally = _Tally(failed=[failure_of(path, error) for path, error in found.failed])
    manifest = Manifest.beside(folders, share)
    with console.progress(job.label, len(found.photos)) as update:
        for done, (photo, outcome) in enumerate(_outcomes(job, found.photos, overwrite, crew), start=1):
            manifest.add(photo, outcome)
            _count(tally, photo, outcome, as_json)
            update(done)
            if outcome.result is not None and outcome.result.ends_run:
                break
    _close(tally, found, as_json)


def _outcomes(
    job: Job[Any], photos: list[PhotoFile], overwrite: bool, make_crew: Callable[[int], Crew] | None
) -> Iterator[tuple[PhotoFile, Outcome]]:
    if make_crew is None:
        worker = PhotoWorker(job, overwrite=overwrite)
        for photo in photos:
            yield photo, worker.do(photo)
    elif photos:
        yield from outcomes_of(make_crew(len(photos)), photos)


def _run_one(job: Job[Any], photo: PhotoFile, *, overwrite: bool, as_json: bool) -> None:
    check_outputs(job.outputs_of(photo), overwrite=overwrite or was_cut_short(job, photo))
    if photo.data is None and not os.path.isfile(photo.path):
        photo.read()  # says what is wrong before weights are loaded
    start = time.perf_counter()
    tools = job.prepare()
    try:
        result = job.work(tools, photo)
    except (PhotoError, UsageError) as error:
        raise named(error, photo) from error
    _print(result, round(time.perf_counter() - start, 3), as_json)


def _count(tally: _Tally, photo: PhotoFile, outcome: Outcome, as_json: bool) -> None:
    """Keep what became of a photo, and say it."""
    for line in outcome.said:
        console.talk(line)
    if outcome.failure is not None:
        tally.failed.append(outcome.failure)
    elif outcome.result is None:
        tally.skipped.append(str(photo.path))
    else:
        if not as_json:
            _print(outcome.result, outcome.seconds, as_json)
        tally.results.append({**outcome.result.values, "path": str(photo.path), "seconds": outcome.seconds})


def _print(result: Result, seconds: float, as_json: bool) -> None:
    console.print_result(result.summary, {**result.values, "seconds": seconds}, result.files, as_json=as_json)


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
