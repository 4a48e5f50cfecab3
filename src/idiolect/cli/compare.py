"""``idiolect compare``: all writers on the held-out requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, open_workspace, remind, report, with_config
from idiolect.cli.progress import bars
from idiolect.evaluation import choose_writers
from idiolect.evaluation.compare import JudgeName
from idiolect.evaluation.compare import compare as measure
from idiolect.methods.reward_model import load_judge
from idiolect.methods.tracking import Tracking

__all__ = ["compare"]

_WRITERS = (
    "Names of the workspace's writers, and others as [NAME=]SOURCE: run:FOLDER, model:NAME[+prompt], drafts:FILE (JSONL, JSON or CSV with "
    "request and draft), openai:URL#MODEL[+prompt]. The baseline always joins."
)
_JUDGE = (
    "Who decides the win rates: style (the authorship verifier), facts (fewer faults), truth (a simulated author's traits) or rubric "
    "(the trained judge)."
)


@with_config(Tracking)
def compare(
    tracking: Tracking,
    writers: Annotated[list[str] | None, typer.Argument(help=_WRITERS, show_default="all of the workspace's")] = None,
    workspace: Folder = Path(),
    requests: Annotated[int | None, typer.Option(help="Take only the first so many held-out requests.", show_default="all")] = None,
    judge: Annotated[JudgeName | None, typer.Option(help=_JUDGE, show_default="truth, or style for a real person")] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Also measure what each writer gives away of its training texts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure all writers on the held-out requests."""
    from rich.console import Console

    from idiolect.report import build_report, results_table, track_comparison

    place, settings = open_workspace(workspace)
    chosen = choose_writers(place, settings, writers)
    for name, url in chosen.addresses.items():
        typer.echo(f"{name}: the held-out requests and its prompt are sent to {url}", err=True)
    models = [*chosen.models, *([load_judge(place).base_model] if judge == "rubric" else [])]
    with bars() as progress, connected(settings, place, models, chosen.states) as connection:
        results = measure(
            place,
            settings,
            connection,
            contenders=chosen,
            requests=requests,
            judge=judge,
            audit=audit,
            on_progress=lambda name, done, total: progress(name if name.startswith("audit") else f"Drafts of {name}", done, total),
        )
    for name, about in results.about["writers"].items():
        if about.get("missing") or about.get("extra"):
            told = f"{about['missing']} of {results.heldout} requests have no draft, {about['extra']} drafts are for other requests"
            typer.echo(f"{name}: {told}", err=True)
    written = build_report(place, prices=settings.prices)
    track_comparison(place, tracking)
    remind(tracking)
    if as_json:
        report(True, results.model_dump(mode="json"), "")
        return
    console = Console()
    console.print(results_table(results))
    for name, found in results.leakage.items():
        console.print(f"{name}: {found.sentence}", highlight=False)
    told = f"Results: {place.results / 'compare.json'}\nReport:  {written.html}\nPDF:     {written.pdf}"
    console.print(told, soft_wrap=True, highlight=False)
