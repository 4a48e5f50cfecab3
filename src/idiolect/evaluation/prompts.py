"""Which prompt is best, and why: variants side by side, what each line earns, and the search for a better one.

Knows prompting, development requests and the search, and puts them in order. Held-out requests are not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.evaluation.development import Development, LineResult, VariantResult, explained, side_by_side, without_line
from idiolect.methods.baseline import plain_writer
from idiolect.methods.examples import with_examples
from idiolect.methods.optimizing import Judged, LineEditor, OptimizeConfig, Reflect, optimize
from idiolect.methods.prompting import PromptingConfig, described_lines, described_style, edited, joined
from idiolect.methods.run import open_run
from idiolect.prompts import render
from idiolect.service import Connection, Model, Writer, complete, derive_seed, renderer_name
from idiolect.settings import Settings, pocket_model
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, read_text, write_json

__all__ = ["Lines", "Search", "Variants", "compare_variants", "explain_prompt", "improve_prompt"]

Progress = Callable[[str, int, int], None]
_REFLECTION_TOKENS = 1024


class Variants(NamedTuple):
    """Prompts side by side, the plain one first."""

    found: dict[str, VariantResult]
    requests: int
    """Development requests that they were measured on."""


class Lines(NamedTuple):
    """What each line of a prompt earns."""

    lines: list[LineResult]
    whole: VariantResult
    """The prompt with all of its lines."""
    requests: int


class Search(NamedTuple):
    """What a search for a better prompt brought."""

    writer: Writer
    start: VariantResult
    best: VariantResult
    """With its differences from the start."""
    requests: int


async def compare_variants(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    *,
    development: int | None = None,
    progress: Progress,
) -> Variants:
    """No prompt, the description, and examples chosen in three ways without it and with it; saved in ``results/prompts.json``.

    Description and examples come from the demonstrations that are not measured on. A prompt.md that a person wrote or changed takes
    part as it is; one that was written from all demonstrations would have seen the requests.
    """
    measure = Development.of(workspace, connection, demonstrations, settings.seed, development)
    plain = plain_writer(workspace, settings, name="plain", temperature=config.temperature)
    style = await described_style(
        connection,
        workspace,
        settings,
        measure.learn,
        config,
        on_progress=lambda done, total: progress("Describing the style", done, total),
    )
    described = plain.model_copy(update={"name": "described", "system_prompt": joined(plain.system_prompt, style)})
    writers = [plain, described]
    if edited(workspace):
        own = joined(plain.system_prompt, read_text(workspace.prompt).strip())
        writers.append(plain.model_copy(update={"name": "prompt.md", "system_prompt": own}))
    for base in (plain, described):
        for selection in ("diverse", "similar", "fixed"):
            named = base.model_copy(update={"name": selection if base is plain else f"described+{selection}"})
            writers.append(await with_examples(connection, named, measure.learn, config.examples, selection))
    judged = {
        writer.name: await measure.judge(
            writer, on_progress=lambda done, total, name=writer.name: progress(f"Drafts of {name}", done, total)
        )
        for writer in writers
    }
    found = side_by_side(judged, settings.seed)
    write_json(
        workspace.results / "prompts.json",
        {"schema": 1, "development": len(measure.rows), "variants": {name: one.model_dump(mode="json") for name, one in found.items()}},
    )
    return Variants(found, len(measure.rows))


async def explain_prompt(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    *,
    development: int | None = None,
    progress: Progress,
) -> Lines:
    """What each line of prompt.md earns, by leaving it out; saved in ``results/prompt-lines.json``. ``InputError`` without a prompt.

    Measured on all demonstrations: nothing is learnt from them here, and what they gave to the prompt they gave to every line of it.
    """
    if not workspace.prompt.is_file():
        raise InputError("there is no prompt yet", where=str(workspace.prompt), hint="Run `idiolect prompt` first, or write one")
    prompt = read_text(workspace.prompt).strip()
    measure = Development.whole(workspace, connection, demonstrations, settings.seed, development)
    plain = plain_writer(workspace, settings, name="line", temperature=config.temperature)

    async def judged(text: str) -> list[Judged]:
        return await measure.judge(plain.model_copy(update={"system_prompt": joined(plain.system_prompt, text) or None}))

    whole, without = await judged(prompt), {}
    lines = without_line(prompt)
    for number, (line, rest) in enumerate(lines.items(), 1):
        without[line] = await judged(rest)
        progress("Leaving out a line", number, len(lines))
    found, all_in = explained(whole, without, settings.seed), side_by_side({"whole": whole}, settings.seed)["whole"]
    rows = [{"line": one.line, "verdict": one.verdict, **one.model_dump(mode="json", include={"earned"})} for one in found]
    write_json(
        workspace.results / "prompt-lines.json",
        {
            "schema": 1,
            "development": len(measure.rows),
            "prompt": prompt,
            "whole": all_in.model_dump(mode="json", include={"measures"}),
            "lines": rows,
        },
    )
    return Lines(found, all_in, len(measure.rows))


def improve_prompt(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    search: OptimizeConfig,
    *,
    development: int | None = None,
    progress: Progress,
) -> Search:
    """The writer ``optimized`` with the prompt that gepa finds, and what the search gained on the development requests.

    It starts from the description of the texts that are not measured on. The teacher reflects; for the pocket model, which cannot,
    lines are edited. Not a coroutine: gepa is synchronous and asks for one judgement after the other.
    """
    task = load_task(settings.task, workspace)
    measure = Development.of(workspace, connection, demonstrations, settings.seed, development)
    plain = plain_writer(workspace, settings, name="optimized", temperature=config.temperature)
    start = connection.run(described_style(connection, workspace, settings, measure.learn, config))
    pool = connection.run(described_lines(connection, workspace, settings, measure.learn, config))
    run = open_run(workspace, "optimized", {
        **search.model_dump(mode="json"), "seed": settings.seed, "start": start, "writer": plain.model_dump(mode="json"),
        "teacher": settings.teacher, "learn": [row.output for row in measure.learn], "development": [row.output for row in measure.rows],
    })  # fmt: skip

    def told(prompt: str) -> Writer:
        return plain.model_copy(update={"system_prompt": joined(plain.system_prompt, prompt) or None})

    def judge(prompt: str, rows: Sequence[Demonstration]) -> list[Judged]:
        return connection.run(measure.judge(told(prompt), rows))

    able = settings.teacher != pocket_model()
    if not run.finished:
        best = optimize(
            run, start, measure.rows, judge, search, seed=settings.seed,
            propose=None if able else LineEditor([line for lines in pool for line in lines], settings.seed),
            reflect=_reflecting(connection, settings) if able else None,
            template=render("reflect", many=task.many) if able else None,
            on_progress=lambda done, total: progress("Looking for a better prompt", done, total),
        )  # fmt: skip
        run.finish(told(best))
    best = read_text(run.folder / "prompt.md").strip()
    found = side_by_side({"start": judge(start, measure.rows), "best": judge(best, measure.rows)}, settings.seed)
    return Search(run.writer(), found["start"], found["best"], len(measure.rows))


def _reflecting(connection: Connection, settings: Settings) -> Reflect:
    """The teacher as the model that reads drafts and feedback and writes a better prompt."""
    teacher = Model(settings.teacher, renderer_name(settings.teacher, settings.teacher_renderer))

    def reflect(question: str) -> str:
        work = complete(
            connection, teacher, [[{"role": "user", "content": question}]], max_tokens=_REFLECTION_TOKENS, temperature=0.7,
            seed=derive_seed(settings.seed, "reflect"),
        )  # fmt: skip
        return connection.run(work)[0][0].text

    return reflect
