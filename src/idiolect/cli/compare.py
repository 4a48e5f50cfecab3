"""``idiolect compare``: all writers on the held-out requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.cli.progress import bars
from idiolect.evaluation.compare import choose_writers
from idiolect.evaluation.compare import compare as measure

__all__ = ["compare"]


def compare(
    writers: Annotated[list[str] | None, typer.Argument(help="Names of writers; the baseline always joins.", show_default="all")] = None,
    workspace: Folder = Path(),
    requests: Annotated[int | None, typer.Option(help="Take only the first so many held-out requests.", show_default="all")] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Also measure what each writer gives away of its training mail.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure all writers on the held-out requests."""
    from rich.console import Console

    from idiolect.report import build_report, results_table

    place, settings = open_workspace(workspace)
    chosen = choose_writers(place, settings, writers)
    models = list(dict.fromkeys(writer.base_model for writer in chosen.values()))
    with bars() as progress, connected(settings, place, models) as connection:
        results = measure(
            place,
            settings,
            connection,
            writers=writers,
            requests=requests,
            audit=audit,
            on_progress=lambda name, done, total: progress(name if name.startswith("audit") else f"Drafts of {name}", done, total),
        )
    written = build_report(place, prices=settings.prices)
    if as_json:
        report(True, results.model_dump(mode="json"), "")
        return
    console = Console()
    console.print(results_table(results))
    for name, found in results.leakage.items():
        console.print(f"{name}: {found.sentence}", highlight=False)
    told = f"Results: {place.results / 'compare.json'}\nReport:  {written.html}\nPDF:     {written.pdf}"
    console.print(told, soft_wrap=True, highlight=False)
