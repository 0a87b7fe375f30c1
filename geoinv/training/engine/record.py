"""The record of a run: everything that decides its weights, for ``run.json`` and the headers of weights."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..._version import __version__
from ...errors import UsageError
from .processes import number_of_processes
from .run import Stage

_MAY_CHANGE = ("budget", "device", "processes", "versions")
"""Entries that may differ between the parts of a resumed run."""
_GROW = ("heads", "shards", "dataset_sha256")
"""Entries of data sets that may differ, because data sets may grow while a run trains, or for a larger budget."""


def record_of(stage: Stage[Any]) -> dict[str, Any]:
    """Stage, settings, seed, data, other weights and versions of a run, as values that JSON can hold."""
    run = stage.run
    record = {
        "stage": stage.name,
        **stage.describe(),
        "learning_rate": run.learning_rate,
        "average_decay": run.average_decay,
        "seed": run.seed,
        **({"accumulate": run.accumulate} if run.accumulate > 1 else {}),
        "budget": {"unit": run.budget.unit, **asdict(run.budget)},
        "device": str(run.device),
        "processes": number_of_processes(),
        "versions": versions(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))  # tuples become lists, as in the file
    return plain


def versions() -> dict[str, str]:
    """Versions of geoinv, torch and Python."""
    return {"geoinv": __version__, "torch": torch.__version__, "python": platform.python_version()}


def check_unchanged(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], hint: str | None = None) -> None:
    """Refuse to go on with a run whose record differs.

    Args:
        folder: Folder of the run, for the message.
        before: Record that it began with.
        now: Record that it would go on with.
        hint: What to do about a difference.

    Raises:
        UsageError: They differ; the first difference is named.
    """
    difference = first_difference(before, now)
    if difference is not None:
        name, old, new = ("none" if part is None else str(part) for part in difference)
        raise UsageError(
            f"the run in {folder} began with {name} {old}, not {new}",
            hint or "go on with what it began with, or give another --out",
        )


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first entry in which two records differ, of those that may not change between the parts of a run.

    Returns:
        Name (``settings.heads_per_step``), value before and value now; None where there is no difference.
    """
    first, second = dict(_entries(before)), dict(_entries(now))
    for name in [*second, *(name for name in first if name not in second)]:
        if first.get(name) != second.get(name):
            return name, first.get(name), second.get(name)
    return None


def _entries(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{above}{key}"
        if name in _MAY_CHANGE or (name.startswith("data.") and key in _GROW):
            continue
        if isinstance(value, Mapping):
            yield from _entries(value, f"{name}.")
        else:
            yield name, value
