"""``idiolect bench``: how good the measures are, on data whose truth is known.

Knows the command line. Knows nothing of how anything is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idiolect.cli.options import AsJson, report
from idiolect.cli.progress import bars, stage
from idiolect.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from idiolect.evaluation.statistics import Measure
    from idiolect.evaluation.style_bench import StyleBench

__all__ = ["bench"]

bench = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_TITLES = {
    "unlabelled": "known and new texts, subjects not known",
    "same": "known and new texts on the same subjects",
    "different": "new texts on a subject that no known text has",
    "swapped": "own texts on a new subject against others' on the known ones",
}


_NAMES = (
    "baseline, prompt, few_shot, prompt_optimized, sft, sft_synthetic, sft_both, sft_prompted, spin, rlaif, ditto, ditto_prompted, "
    "ditto_fallback, sft_rlaif_ditto"
)
_ABLATIONS = "ditto_attention, ditto_no_replay, ditto_no_between, ditto_one_round"


@bench.callback()
def _bench() -> None:
    """Measure the measures, on data whose truth is known."""


@bench.command()
def style(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of authors and texts: DIR/<author>/<text>.txt")],
    topics: Annotated[
        Path | None,
        typer.Option(help="CSV lines author/text.txt,subject; else <subject>_1.txt says the subject.", show_default="none"),
    ] = None,
    known: Annotated[int, typer.Option(help="At most so many known texts of an author.")] = 50,
    new: Annotated[int, typer.Option(help="At most so many new texts of an author.")] = 10,
    words: Annotated[int | None, typer.Option(help="Take only the first so many words of a new text.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(help="Chooses known and new texts.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask the verifier who wrote texts whose authors are known, beside Burrows's Delta and the cosine of character 4-grams."""
    from idiolect.evaluation.authors import read_authors
    from idiolect.evaluation.style_bench import bench_style

    for name, value in (("--known", known), ("--new", new), ("--words", words)):
        if value is not None and value < 1:
            raise InputError(f"{value} cannot be", where=name, hint="Give a number from 1 up")
    collection = read_authors(folder, topics)
    with bars() as progress:
        told = stage(progress, "Verifying authors")
        result = bench_style(collection, known=known, new=new, words=words, seed=seed, on_progress=told)
    if as_json:
        report(True, result.model_dump(mode="json"), "")
        return
    _print(result)


@bench.command()
def methods(
    out: Annotated[Path, typer.Option(help="Where each author's work lies and the result is written.")] = Path("bench-methods"),
    authors: Annotated[int, typer.Option(min=1, help="Simulated authors.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each method for each author.")] = 3,
    requests: Annotated[int, typer.Option(min=1, max=50, help="Held-out requests of each author.")] = 20,
    demonstrations: Annotated[int, typer.Option(min=1, help="Texts of each author that the methods learn from.")] = 7,
    first: Annotated[int, typer.Option(min=0, help="Number of the first author.")] = 0,
    split: Annotated[str, typer.Option(help="heldout, or development to choose settings.")] = "heldout",
    method: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {_NAMES}, or of the ablations {_ABLATIONS}; again for more.", show_default="all but the ablations"),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="The folder of what was measured already, and is now.", show_default="OUT/scores")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Authors at once, each on its share of the cores.", show_default="one a core")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run every method for many simulated authors and count who wins; run again, it goes on."""
    from idiolect.cli.local_engine import connected
    from idiolect.pocket.methods_bench import METHODS, Plan, bench_methods
    from idiolect.workspace import write_json

    plan = Plan(split, first, authors, seeds, requests, demonstrations, tuple(method or METHODS))
    with bars() as progress:
        result = bench_methods(out.expanduser().resolve(), plan, connected, progress, scores, jobs)
    write_json(out / "methods.json", result)
    report(as_json, result, f"{_ranked(result)}\nWritten to {out / 'methods.json'}")


def _ranked(result: dict) -> str:
    """A line for each method, by its mean win rate over its match-ups."""
    rates = {name: [one["mean"] for one in found.values()] for name, found in result["win_rate"].items()}
    mean = {name: sum(found) / len(found) if found else 0.5 for name, found in rates.items()}
    lines = [f"{result['authors']} authors, {result['seeds']} seeds"]
    for name in sorted(mean, key=lambda one: -mean[one]):
        found = result["methods"][name]
        shown = "  ".join(f"{measure} {found[measure]['mean']:.3f}" for measure in ("style", "traits", "habits", "facts"))
        lines.append(f"{name:15} wins {mean[name]:.3f}  {shown}")
    return "\n".join(lines)


def _print(result: StyleBench) -> None:
    from rich.console import Console

    console = Console()
    console.print(
        f"{result.authors} authors, {result.texts} texts; {result.known:g} known texts of an author, {result.words:.0f} words in a new"
        f" text, {result.too_short} new texts too short to tell in use. 95 % intervals over authors."
    )
    for setting, condition in result.conditions.items():
        console.print()
        console.print(_table(f"{_TITLES[setting]}: {condition.own} own, {condition.others} others'", condition.methods))
        for name, gain in condition.gains.items():
            console.print(f"AUC of the verifier less that of {name}: {_shown(gain)}")


def _table(title: str, methods: dict) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("method")
    for name in ("AUC", "equal error rate", "attribution", "ECE", "Brier"):
        table.add_column(name, justify="right")
    for name, found in methods.items():
        table.add_row(name, *(_shown(one) for one in (found.auc, found.eer, found.attribution, found.ece, found.brier)))
    return table


def _shown(measure: Measure | None) -> str:
    return "–" if measure is None else f"{measure.mean:.3f} [{measure.low:.3f}, {measure.high:.3f}]"
