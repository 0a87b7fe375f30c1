"""Inputs of commands besides photos: inversions, named or the newest, angles and attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import console

if TYPE_CHECKING:
    from ..inversion import Inversion


def load_inversion(path: Path | None, folder: Path) -> tuple[Inversion, Path]:
    """Load the inversion that is named, or the newest one in ``folder`` and say on stderr which."""
    from ..inversion import Inversion

    chosen = path if path is not None else newest_inversion(folder)
    inversion = Inversion.load(chosen)
    if path is None:
        console.talk(f"using {chosen}, the newest inversion in {folder}")
    return inversion, chosen


def newest_inversion(folder: Path) -> Path:
    """The .geoinv file last written in a folder.

    Raises:
        UsageError: There is none.
    """
    found = sorted(folder.glob("*.geoinv"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    found = [path for path in found if path.is_file() and not path.name.startswith(".")]
    if not found:
        raise UsageError(f"no inversion in {folder}", "make one with `geoinv invert PHOTO`, or name a .geoinv file")
    return found[-1]


def parse_angles(text: str | None, option: str, limit: float) -> list[float] | None:
    """Read ``-30,0,30`` as numbers.

    Args:
        text: Value of the option.
        option: The option, as it is written.
        limit: Largest angle in degrees, to either side.

    Raises:
        UsageError: Not a list of numbers, or one beyond the limit.
    """
    if text is None:
        return None
    angles = []
    for part in text.split(","):
        number = _number(part)
        if number is None:
            raise UsageError(
                f"{option} {text!r}: {part!r} is not a number of degrees", f"for instance {option} -30,0,30"
            )
        if abs(number) > limit:
            raise UsageError(
                f"{option} {text!r}: {number:g} is not between -{limit:g} and {limit:g} degrees",
                f"for instance {option} -30,0,30",
            )
        angles.append(number)
    return angles


def parse_attributes(texts: Sequence[str], strength: float | None) -> dict[str, float]:
    """Read ``smile`` and ``age=-0.5`` as strengths by name.

    Args:
        texts: Values of --attr.
        strength: Strength of attributes without one of their own; 1 if None.

    Raises:
        UsageError: No attribute, one twice, a strength that is no number, or a ``strength`` that nothing needs.
    """
    strengths: dict[str, float] = {}
    is_strength_used = False
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.lower().replace("-", "_").replace(" ", "_")
        if not name:
            raise UsageError(f"--attr {text!r} names no attribute", "for instance --attr smile or --attr age=-0.5")
        number = _number(value) if equals else 1.0 if strength is None else strength
        if number is None:
            raise UsageError(f"--attr {text}: {value!r} is not a finite number", f"for instance --attr {name}=0.5")
        if name in strengths:
            raise UsageError(f"--attr {name} is given twice", "give each attribute once")
        is_strength_used |= not equals
        strengths[name] = number
    if not strengths:
        raise UsageError("no attribute to edit", "for instance --attr smile; `geoinv edit --list` names them all")
    if strength is not None and not is_strength_used:
        raise UsageError("--strength changes nothing", "every --attr has a strength of its own")
    return strengths


def _number(text: str) -> float | None:
    """Return a finite number, None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
