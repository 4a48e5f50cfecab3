"""The results as a table for the terminal.

Knows the result file. Knows nothing of workspaces.
"""

from __future__ import annotations

from rich import box
from rich.table import Table

from idiolect.evaluation.results import Measure, Results

__all__ = ["MEASURE_NAMES", "results_table"]

MEASURE_NAMES: dict[str, str] = {
    "style": "style",
    "facts": "facts kept",
    "invented": "invents",
    "placeholders": "open slots",
    "win_rate_vs_baseline": "beats baseline",
    "length_ratio": "length ratio",
    "verbatim_overlap": "copied run",
}
"""The measures' names for people."""
_JUDGES = {"truth": "the author's true traits", "verifier": "the authorship verifier"}


def results_table(results: Results) -> Table:
    """Measures × writers, each mean over its 95 % interval; six writers fit into 90 columns."""
    caption = f"{results.heldout} held-out requests, 95 % intervals by paired bootstrap, style by {_JUDGES[results.judge]}"
    table = Table(title=f"Writing as {results.author}", caption=caption, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    table.add_column("", no_wrap=True)
    for name in results.writers:
        table.add_column(name, justify="right", no_wrap=True, header_style="bold")
    for measure, told in MEASURE_NAMES.items():
        table.add_row(told, *(_cell(getattr(writer, measure)) for writer in results.writers.values()))
    table.add_section()
    table.add_row("seconds", *(f"{writer.seconds:.1f}" for writer in results.writers.values()))
    table.add_row("tokens", *(f"{writer.tokens:,}" for writer in results.writers.values()))
    return table


def _cell(measure: Measure) -> str:
    """The mean over its interval; a dash where the sample cannot tell, no second line where it gives no interval."""
    if measure.mean is None:
        return "–"
    if measure.low is None or measure.high is None:
        return f"{measure.mean:.2f}"
    return f"{measure.mean:.2f}\n[dim]{measure.low:.2f}–{measure.high:.2f}[/dim]"
