"""``idiolect prompt``: writers with a style prompt and with examples, and which prompt is best and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, demonstrations_of, open_workspace, ready_demonstrations, report, with_config
from idiolect.cli.progress import bars, stage
from idiolect.errors import InputError
from idiolect.evaluation.development import LineResult, VariantResult
from idiolect.evaluation.prompts import compare_variants, explain_prompt, improve_prompt
from idiolect.methods.optimizing import OptimizeConfig
from idiolect.methods.prompting import PromptingConfig, prompting
from idiolect.service import Writer

__all__ = ["prompt"]

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
        int | None, typer.Option(help="How many of the newest demonstrations to set apart as development requests.", show_default="a third")
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
            values, text = _told_variants(connection.run(compare_variants(*given, development=development, progress=progress)))
        elif explain:
            values, text = _told_lines(connection.run(explain_prompt(*given, development=development, progress=progress)))
        elif optimize:
            search = OptimizeConfig(budget=budget)
            values, text = _told_search(*improve_prompt(*given, search, development=development, progress=progress))
        else:
            writers = connection.run(prompting(*given, rewrite=rewrite, on_progress=stage(progress, "Describing the style")))
            values = {name: writer.model_dump(mode="json") for name, writer in writers.items()}
            text = f"{writers['prompt'].system_prompt}\n\nEdit it in {place.prompt}; an edited prompt is kept."
    report(as_json, values, text)


Told = tuple[dict[str, Any], str]


def _told_variants(found: dict[str, VariantResult]) -> Told:
    first = next(iter(found))
    lines = [f"{'prompt':22} {'score':24} {'likelihood of own text':24} {'facts kept':24} score less that of {first}"]
    for name, one in found.items():
        cells = [f"{_interval(one.measures[measure]):24}" for measure in ("score", "fit", "facts")]
        lines.append(f"{name:22} {' '.join(cells)} {_interval(one.differences['score']) if one.differences else ''}".rstrip())
    return {name: one.model_dump(mode="json") for name, one in found.items()}, "\n".join(lines)


def _told_lines(found: list[LineResult]) -> Told:
    ordered = sorted(found, key=lambda one: -(one.earned["score"].mean or 0.0))
    lines = [f"{_interval(one.earned['score'], '+'):26} {one.verdict:15} {one.line}" for one in ordered]
    values = {"lines": [{"verdict": one.verdict, **one.model_dump(mode="json")} for one in found]}
    return values, "\n".join(["What the score loses without the line (95 % interval):", *lines])


def _told_search(writer: Writer, gained: VariantResult) -> Told:
    found = _interval(gained.differences["score"], "+")
    text = (
        f"{writer.system_prompt}\n\nOn the development requests, on which it was chosen, its score is higher by {found}.\n"
        "It is the writer `optimized`; `idiolect compare` measures it on the held-out requests."
    )
    return {"writer": writer.model_dump(mode="json"), "gained": gained.model_dump(mode="json")}, text


def _interval(one: Any, sign: str = "") -> str:
    if one.mean is None:
        return "-"
    form: Callable[[float | None], str] = lambda value: "?" if value is None else f"{value:{sign}.3f}"  # noqa: E731
    return f"{form(one.mean)} [{form(one.low)}, {form(one.high)}]"
