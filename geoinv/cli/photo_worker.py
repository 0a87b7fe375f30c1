"""One photo after another: what was done before is left alone, and a bad photo is an outcome, not the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import GeoinvError, PhotoError, UsageError
from ..made_once import made_once
from . import console
from .photo_files import PhotoFile
from .targets import check_outputs


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


def _is_all_there(photo: PhotoFile) -> bool:
    """Of a job that writes nothing beside the photo's own files; a job must be able to go to other processes."""
    return True


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
    is_complete: Callable[[PhotoFile], bool] = _is_all_there


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


def was_cut_short(job: Job[Any], photo: PhotoFile) -> bool:
    """Whether an earlier run began with this photo and these settings, and was ended before all was written."""
    try:
        return os.path.lexists(job.record_of(photo)) and not is_done(job, photo)
    except (PhotoError, UsageError):  # another photo's result, or no photo
        return False


@dataclass(frozen=True)
class Outcome:
    """What became of a photo. Can be sent from one process to another.

    Args:
        result: The result, if there is a new one.
        failure: Why there is none, for people and ``--json``.
        sha256: Hash of the photo's bytes; None where they cannot be read.
        seconds: Time that it took.
        said: Lines for the person at the terminal.
    """

    result: Result | None = None
    failure: dict[str, Any] | None = None
    sha256: str | None = None
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def is_skipped(self) -> bool:
        """Whether the photo was done before."""
        return self.result is None and self.failure is None


class PhotoWorker:
    """Does photos of a run of many, with weights that are loaded once, when the first photo needs them.

    Args:
        job: What to do.
        overwrite: Whether what was done before is done again.
    """

    def __init__(self, job: Job[Any], *, overwrite: bool) -> None:
        self._job, self._overwrite = job, overwrite

    @made_once
    def _tools(self) -> Any:
        return self._job.prepare()

    def do(self, photo: PhotoFile) -> Outcome:
        """Do one photo.

        Raises:
            GeoinvError: An error that is not of this photo alone, such as missing weights; it ends the run.
        """
        start = time.perf_counter()
        with console.collected() as said:
            sha256, result, failure = None, None, None
            try:
                sha256 = photo.sha256()
                is_wanted = self._is_wanted(photo)
            except (PhotoError, UsageError) as error:
                is_wanted, failure = False, failure_of(photo.path, named(error, photo))
            if is_wanted:
                tools = self._tools  # its errors are not of this photo
                try:
                    result = self._job.work(tools, photo)
                except (PhotoError, UsageError) as error:
                    failure = failure_of(photo.path, named(error, photo))
        return Outcome(result, failure, sha256, round(time.perf_counter() - start, 3), said)

    def _is_wanted(self, photo: PhotoFile) -> bool:
        if not self._overwrite and is_done(self._job, photo):
            return False
        # what is there without the last is of a run cut short
        check_outputs(self._job.outputs_of(photo), overwrite=True)
        return True


def failure_of(path: Path, error: GeoinvError) -> dict[str, Any]:
    """Return an error as the values of a photo that failed."""
    return {"photo": str(path), "error": error.message, "hint": error.hint, "exit_code": error.exit_code}


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


def named(error: GeoinvError, photo: PhotoFile) -> GeoinvError:
    """The error with the photo's path in front, unless its message has it: a detector knows pixels, not files."""
    is_named = str(photo.path) in error.message and len(str(photo.path)) > 1
    return error if is_named else type(error)(f"{photo.path}: {error.message}", error.hint)
