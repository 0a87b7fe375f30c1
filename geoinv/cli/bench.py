"""``geoinv bench``: how much faster the native operations are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import console
from .options import JsonOpt, QuietOpt

if TYPE_CHECKING:
    from ..bench import BenchReport


def bench(json_output: JsonOpt = False, quiet: QuietOpt = False) -> None:
    """Time every operation and whole jobs by the plain torch reference and by the native kernels; takes minutes."""
    console.command(quiet, json_output)
    from ..bench import run_bench

    report = run_bench(lambda what: console.talk(f"measuring {what}"))
    if json_output:
        console.print_json(report.figures())
        return
    _print_table(report)


def _print_table(report: BenchReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("job", *("reference s", "native s", "ratio", "GFLOP/s", "of matrix rate"), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for c in report.comparisons:
        fraction = f"{100.0 * c.gflops / report.matrix_gflops:.0f} %"
        table.add_row(
            c.label, f"{c.reference_s:.3f}", f"{c.native_s:.3f}", f"{c.ratio:.2f}", f"{c.gflops:.0f}", fraction
        )
    console = Console()
    console.print(table)
    for text in (
        f"matrix products: {report.matrix_gflops:.0f} GFLOP/s with {report.threads} threads; work is counted as the "
        "reference does it, so skipped work shows as speed",
        f"one 512 px view: {report.peak_mib_view512:.0f} MiB at its peak above the loaded program "
        f"(reference {report.peak_mib_view512_reference:.0f} MiB)",
        f"compiling all native operations: {report.build_s:.0f} s, once",
        f"many photos: {_photos_line(report.photos_per_s)}",
    ):
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _photos_line(rates: dict[int, float]) -> str:
    """``0.61 a second by one worker on one core, 1.14 by two on two: 1.87 times as many``."""
    line = f"{rates[1]:.2f} a second by one worker on one core"
    return f"{line}, {rates[2]:.2f} by two on two: {rates[2] / rates[1]:.2f} times as many" if 2 in rates else line
