"""What the parts of a long run have in common: starting over, lines for people, weights that ship."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...files import atomic_path
from ...progress import Say
from ..engine.loop import Report
from ..engine.run import Run
from ..engine.run_folder import RunFolder


def earlier(run: Run) -> Path | None:
    """Best weights of a run that was started over, if there are any."""
    earlier = RunFolder(run.out).earlier
    return earlier if earlier.exists() else None


def start_over_for(run: Run, base: Mapping[str, str], say: Say) -> None:
    """Begin a stage anew if what it builds on has learned more since, as it does in a larger budget."""
    folder = RunFolder(run.out)
    record = folder.record()
    if record is not None and record["base"] != base:
        say("what it builds on has changed: starting over")
        folder.start_over()


def prefixed(part: str, say: Say) -> Say:
    """A function for lines that begin with the part's name."""
    return lambda text: say(f"{part}: {text}")


def reporting(say: Say) -> Report:
    """A report of training as lines for people."""
    return lambda progress, text: say(f"{100.0 * progress:5.1f} %  {text}")


def ship(best: Path, target: Path) -> None:
    """Put weights where they ship from, whole or not at all."""
    with atomic_path(target, durable=True) as temporary:
        temporary.write_bytes(best.read_bytes())
