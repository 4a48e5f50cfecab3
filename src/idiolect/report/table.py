"""The results as a table for the terminal.

Knows the result file. Knows nothing of workspaces.
"""

from __future__ import annotations

from rich import box
from rich.table import Table

from idiolect.evaluation.results import Measure, Results

__all__ = ["COLUMNS", "format_measure", "results_table"]

COLUMNS: dict[str, str] = {
    "style": "style",
    "facts": "facts kept",
    "invented": "invents",
    "placeholders": "slots",
    "win_rate_vs_baseline": "beats baseline",
    "length_ratio": "length",
    "verbatim_overlap": "copied",
}
"""Headings of the measures, short enough for a terminal."""


def format_measure(measure: Measure) -> str:
    """``0.94 [0.92, 0.96]``; a dash where the sample cannot tell, no brackets where it gives no interval."""
    if measure.mean is None:
        return "–"
    if measure.low is None or measure.high is None:
        return f"{measure.mean:.2f}"
    return f"{measure.mean:.2f} [{measure.low:.2f}, {measure.high:.2f}]"


def results_table(results: Results) -> Table:
    """Writers × measures, each mean over its 95 % interval."""
    caption = f"{results.heldout} held-out requests · 95 % intervals, paired bootstrap · style by {_JUDGES[results.judge]}"
    table = Table(title=f"Writing as {results.author}", caption=caption, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    table.add_column("writer", style="bold", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", min_width=len("0.00"))
    table.add_column("seconds", justify="right")
    for name, writer in results.writers.items():
        cells = [format_measure(getattr(writer, measure)).replace(" [", "\n[") for measure in COLUMNS]
        table.add_row(name, *cells, f"{writer.seconds:.1f}")
    return table


_JUDGES = {"truth": "the author's true traits", "verifier": "the authorship verifier"}
