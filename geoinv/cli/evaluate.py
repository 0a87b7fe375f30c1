"""``geoinv eval``: figures on held-out heads or on photos."""

from __future__ import annotations

import typer


def evaluate() -> None:
    """Measure."""
    raise typer.Exit(1)
