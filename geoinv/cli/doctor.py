"""``geoinv doctor``: what is missing on this machine, and what it costs."""

from __future__ import annotations

from dataclasses import asdict

import typer

from . import console
from .options import JsonOpt, ModelOpt


def doctor(model: ModelOpt = "mini", json_output: JsonOpt = False) -> None:
    """Name everything that is missing on this machine and what it costs; exit 1 if `invert` cannot work."""
    from .._version import __version__
    from ..doctor import examine, is_usable

    checks = examine(model)
    if json_output:
        values = {"geoinv": __version__, "usable": is_usable(checks), "checks": [asdict(check) for check in checks]}
        console.print_json(values)
    else:
        console.line(f"geoinv {__version__}")
        for check in checks:
            console.line(f"{check.state:<8} {check.name}: {check.detail}")
            if check.state != "ok":
                console.line(f"{'':<8}   costs: {check.cost}")
                console.line(f"{'':<8}   mend:  {check.fix}")
        missing = [check.name for check in checks if check.state != "ok"]
        console.line("everything is there" if not missing else f"not there: {', '.join(missing)}")
    if not is_usable(checks):
        raise typer.Exit(1)
