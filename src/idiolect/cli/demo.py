"""``idiolect demo``: the whole product on a simulated person."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, report
from idiolect.cli.progress import bars
from idiolect.workspace import Workspace

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="The workspace to make.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, help="Another seed takes another simulated person.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Personalize the pocket model for a simulated person, and show what it brought."""
    from rich.console import Console

    from idiolect.pocket.demo import prepare, run
    from idiolect.report import results_table

    place = Workspace(out.expanduser().resolve())
    settings = prepare(place, seed)
    with bars() as progress, connected(settings, place, [settings.policy]) as connection:
        done = run(place, connection, seed=seed, progress=progress)
    if as_json:
        report(True, done.results.model_dump(mode="json"), "")
        return
    # A pipe or a log has no width of its own, and the table must not be cut there.
    console = Console(width=None if os.isatty(1) else 140)
    console.print(results_table(done.results))
    told = f"Results: {place.results / 'compare.json'}\nReport:  {done.report.html}\nPDF:     {done.report.pdf}"
    console.print(told, soft_wrap=True, highlight=False)
