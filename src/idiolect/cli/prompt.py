"""``idiolect prompt``: writers with a style prompt and with examples, and which prompt is best and why."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, demonstrations_of, open_workspace, ready_demonstrations, report, with_config
from idiolect.cli.progress import bars, stage
from idiolect.errors import InputError
from idiolect.evaluation.development import LEVEL
from idiolect.evaluation.prompts import Lines, Search, Variants, compare_variants, explain_prompt, improve_prompt
from idiolect.evaluation.statistics import Difference, Measure
from idiolect.methods.optimizing import OptimizeConfig
from idiolect.methods.prompting import PromptingConfig, prompting

__all__ = ["prompt", "told_lines", "told_search", "told_variants"]

_BUDGET = OptimizeConfig.model_fields["budget"]


@with_config(PromptingConfig)
def prompt(
    config: PromptingConfig,
    workspace: Folder = Path(),
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Write prompt.md anew even if you have edited it.")] = False,
    variants: Annotated[bool, typer.Option("--variants", help="Measure several prompts side by side, on development requests.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Measure what each line of prompt.md earns, on development requests.")] = False,
    optimize: Annotated[
        bool, typer.Option("--optimize", help="Look for a better prompt on development requests; becomes the writer `optimized`.")
    ] = False,
    budget: Annotated[int, typer.Option(min=1, help=f"With --optimize: {_BUDGET.description}")] = _BUDGET.default,
    development: Annotated[
        int | None,
        typer.Option(help="How many of the newest demonstrations are development requests.", show_default="a third; all with --explain"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a system prompt from the person's texts, and choose examples."""
    if variants + explain + optimize > 1:
        raise InputError("only one at a time", where="--variants, --explain, --optimize", hint="Run the command once for each")
    place, settings = open_workspace(workspace)
    demonstrations_of(place)
    with bars() as progress, connected(settings, place, [settings.policy, settings.teacher]) as connection:
        rows = connection.run(ready_demonstrations(connection, place, settings, progress))
        given = (connection, place, settings, rows, config)
        if variants:
            values, text = told_variants(connection.run(compare_variants(*given, development=development, progress=progress)))
        elif explain:
            values, text = told_lines(connection.run(explain_prompt(*given, development=development, progress=progress)))
        elif optimize:
            search = OptimizeConfig(budget=budget)
            values, text = told_search(improve_prompt(*given, search, development=development, progress=progress))
        else:
            writers = connection.run(prompting(*given, rewrite=rewrite, on_progress=stage(progress, "Describing the style")))
            values = {name: writer.model_dump(mode="json") for name, writer in writers.items()}
            text = f"{writers['prompt'].system_prompt}\n\nEdit it in {place.prompt}; an edited prompt is kept."
    report(as_json, values, text)


Told = tuple[dict[str, Any], str]
_SCORE = (
    "The score: how likely the person's own text is (geometric mean probability of a token), times the share of\n"
    "the request's facts that a draft keeps, halved where it has another fault. Means with 95 % intervals; p is\n"
    "of the score's difference, after Holm's correction."
)


def told_variants(given: Variants) -> Told:
    """Prompts side by side, for programs and for people."""
    found, requests = given
    first = next(iter(found))
    head = ("prompt", "score", "likelihood", "facts kept", f"score, more than {first}", "p")
    rows = [
        (
            name,
            _interval(one.measures["score"]),
            f"{one.measures['fit'].mean:.4f}",
            _interval(one.measures["facts"], digits=2),
            *((_interval(one.differences["score"], "+"), _p(one.differences["score"])) if one.differences else ("", "")),
        )
        for name, one in found.items()
    ]
    best = max(found, key=lambda name: found[name].measures["score"].mean or 0.0)
    said = f"Highest: {best}"
    if found[best].differences:
        said += ", more than chance above" if _sure(found[best].differences["score"]) else ", by no more than chance above"
        said += f" {first}.{_how_to_take(best)}"
    else:
        said += ": nothing does better than no prompt."
    lines = [f"On {requests} development requests, from the newest demonstrations; descriptions and examples are of the others.", _SCORE]
    text = [*lines, "", *_columns([head, *rows]), "", said, *_too_few(requests, len(found) - 1)]
    return {name: one.model_dump(mode="json") for name, one in found.items()}, "\n".join(text)


def _how_to_take(name: str) -> str:
    """The command that makes a writer of a variant."""
    described, _, selection = name.rpartition("+")
    if name in ("described", "prompt.md"):
        return " It is the writer `prompt`, which `idiolect prompt` makes."
    return f" `idiolect prompt --selection {selection}{' --described' if described else ''}` makes it the writer `few_shot`."


def told_lines(given: Lines) -> Told:
    """What each line earns, most first, for programs and for people."""
    found, whole, requests = given
    score = whole.measures["score"]
    ordered = sorted(found, key=lambda one: -(one.earned["score"].mean or 0.0))
    rows = [
        (_interval(one.earned["score"], "+"), _share(one.earned["score"], score), _p(one.earned["score"]), one.verdict, one.line)
        for one in ordered
    ]
    lines = [
        f"On {requests} requests of the demonstrations. The whole prompt's score is {_interval(score)}.",
        _SCORE,
        "",
        *_columns([("the line earns", "of the score", "p", "", "line"), *rows]),
        "",
        "What a line earns is the score with it less the score without it.",
        *_too_few(requests, len(found)),
    ]
    return {"lines": [{"verdict": one.verdict, **one.model_dump(mode="json")} for one in found]}, "\n".join(lines)


def told_search(found: Search) -> Told:
    """The prompt that was found and what it gained, for programs and for people."""
    gained = found.best.differences["score"]
    sure = "more than chance" if _sure(gained) else "no more than chance"
    best, start = (_interval(one.measures["score"]) for one in (found.best, found.start))
    text = (
        f"{found.writer.system_prompt}\n\n"
        f"On the {found.requests} development requests, on which it was chosen, its score is {best}, that of the start {start}:\n"
        f"{_interval(gained, '+')} more, p {_p(gained)}, {sure}, and flattered by the choice.\n"
        "It is the writer `optimized`; `idiolect compare` measures it on the held-out requests."
    )
    return {"writer": found.writer.model_dump(mode="json"), "gained": found.best.model_dump(mode="json")}, text


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _too_few(requests: int, prompts: int) -> list[str]:
    """How many requests it takes before as many differences can be more than chance, where there are fewer."""
    needed = next(count for count in itertools.count(2) if prompts * 2.0 ** (1 - count) < LEVEL)
    if requests >= needed:
        return []
    return [f"{requests} requests are too few to tell {prompts} differences from chance, however large; {needed} could: import more texts."]


def _sure(one: Difference) -> bool:
    return one.p_holm is not None and one.p_holm < LEVEL


def _p(one: Difference) -> str:
    return "-" if one.p_holm is None else "<0.001" if one.p_holm < 0.0005 else f"{one.p_holm:.3f}"


def _share(part: Measure, whole: Measure) -> str:
    return "-" if part.mean is None or not whole.mean else f"{round(100 * part.mean / whole.mean) + 0:+d} %"


def _interval(one: Measure, sign: str = "", digits: int = 4) -> str:
    if one.mean is None:
        return "-"
    # Adding 0.0 turns a negative zero into one without a sign.
    mean, low, high = (
        "?" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}" for value in (one.mean, one.low, one.high)
    )
    return f"{mean} [{low}, {high}]"
