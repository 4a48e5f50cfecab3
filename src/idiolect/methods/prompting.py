"""Personalizing by prompt: a style description written from the demonstrations, and examples of the person's texts.

Knows demonstrations and the model's own reading of them. Trains nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.errors import InputError, ServiceError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.examples import Selection, with_examples
from idiolect.methods.run import open_run
from idiolect.prompts import render
from idiolect.service.connect import Connection, Model, renderer_name
from idiolect.service.datums import prompt_tokens
from idiolect.service.sampling import complete, derive_seed
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings
from idiolect.tasks import Task, load_task
from idiolect.workspace import Workspace, read_json, read_text, write_atomic, write_json

__all__ = [
    "PromptingConfig",
    "agreed",
    "described_lines",
    "described_style",
    "edited",
    "is_borne_out",
    "joined",
    "prompting",
    "style_prompt",
    "teacher_writer",
    "trait_lines",
    "tuned_writer",
]

_ANSWER_TOKENS = 384
_QUOTED = re.compile(r'["“„«]([^"“”„«»]+)["”»]')
_PLACEHOLDER = re.compile(r"\bNAME\b|\[[^\]]*\]|\{[^}]*\}|<[^>]*>")
_AVOIDED = re.compile(r"\b(?:no|not|never|avoids?|rarely|seldom|without|instead|rather than)\b|n['’]t\b", re.IGNORECASE)


class PromptingConfig(BaseModel):
    """A system prompt from the person's texts, and a few of the texts as examples."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    emails_per_call: int = Field(default=5, ge=1)
    """Texts that the model reads at a time when it describes the style."""
    calls: int = Field(default=5, ge=1)
    """Times that it describes the style, each time from other texts; what most descriptions say is kept."""
    examples: int = Field(default=5, ge=1)
    """Texts that the few-shot writer shows."""
    selection: Selection = "diverse"
    """Which texts: diverse (unlike each other), similar (those with the requests most like the new one) or fixed (the first ones)."""
    described: bool = False
    """Whether the few-shot writer is given the style description as well."""
    temperature: float = Field(default=TEMPERATURE, ge=0)
    """Sampling temperature of the drafts."""


async def prompting(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig | None = None,
    *,
    rewrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Writer]:
    """The ``prompt`` and ``few_shot`` writers. An edited prompt.md is used as it stands, unless ``rewrite`` is set."""
    config = config or PromptingConfig()
    style = await style_prompt(connection, workspace, settings, demonstrations, config, rewrite=rewrite, on_progress=on_progress)
    plain = plain_writer(workspace, settings, name="prompt", temperature=config.temperature)
    prompt = plain.model_copy(update={"system_prompt": joined(plain.system_prompt, style)})
    base = prompt if config.described else plain
    few_shot = base.model_copy(update={"name": "few_shot"})
    few_shot = await with_examples(connection, few_shot, demonstrations, config.examples, config.selection)
    return {writer.name: _saved(workspace, writer) for writer in (prompt, few_shot)}


async def tuned_writer(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    plain: Writer,
    *,
    prompted: bool,
) -> Writer:
    """``plain`` as an adapter is trained and then writes: without any prompt, or if ``prompted`` with the style description before it."""
    if not prompted:
        return plain.model_copy(update={"system_prompt": None})
    style = await style_prompt(connection, workspace, settings, demonstrations, PromptingConfig())
    return plain.model_copy(update={"system_prompt": joined(plain.system_prompt, style)})


async def teacher_writer(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    style: str,
    config: PromptingConfig,
) -> Writer:
    """The teacher with the engineered prompt: the described style and examples."""
    task = load_task(settings.task, workspace)
    writer = Writer(
        name="teacher",
        base_model=settings.teacher,
        renderer=renderer_name(settings.teacher, settings.teacher_renderer),
        system_prompt=joined(task.instruction if settings.instructed else None, style),
        max_tokens=task.checks.max_tokens,
    )
    return await with_examples(connection, writer, demonstrations, config.examples, config.selection)


async def style_prompt(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    *,
    rewrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """The text of prompt.md: written from the demonstrations, and left alone once a person has edited it."""
    if not demonstrations:
        raise InputError("there are no demonstrations", where=str(workspace.demonstrations), hint="Run `idiolect import` first")
    if edited(workspace) and not rewrite:
        return read_text(workspace.prompt).strip()
    text = await described_style(connection, workspace, settings, demonstrations, config, on_progress=on_progress)
    write_atomic(workspace.prompt, text + "\n")
    return text


async def described_style(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """The style description that the policy writes from these texts: what most of its readings say."""
    answers = await described_lines(connection, workspace, settings, demonstrations, config, on_progress=on_progress)
    return render("style", traits=agreed(answers), many=load_task(settings.task, workspace).many)


async def described_lines(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: PromptingConfig,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[list[str]]:
    """The trait lines of each reading of these texts; what is read already is not read again."""
    task = load_task(settings.task, workspace)
    model = Model(settings.policy, renderer_name(settings.policy, settings.renderer))
    texts = [row.output for row in demonstrations]
    run = open_run(workspace, "describe", {
        "base_model": model.base_model, "renderer": model.renderer, "seed": settings.seed, "emails_per_call": config.emails_per_call,
        "calls": config.calls, "texts": hashlib.sha256("\0".join(texts).encode()).hexdigest(), "many": task.many,
    })  # fmt: skip
    readings, described = run.folder / "readings.json", run.folder / "described.md"
    if not described.exists():
        answers = await _descriptions(connection, model, task, texts, config, settings.seed, on_progress)
        write_json(readings, answers)
        write_atomic(described, render("style", traits=agreed(answers), many=task.many) + "\n")
    return read_json(readings)


def edited(workspace: Workspace) -> bool:
    """Whether there is a prompt.md that a person wrote or changed: it is not as some description left it."""
    if not workspace.prompt.is_file():
        return False
    current = read_text(workspace.prompt)
    return all(read_text(path) != current for path in workspace.runs.glob("describe-*/described.md"))


async def _descriptions(
    connection: Connection,
    model: Model,
    task: Task,
    texts: Sequence[str],
    config: PromptingConfig,
    seed: int,
    on_progress: Callable[[int, int], None] | None,
) -> list[list[str]]:
    """Trait lines of several descriptions, each of another group of texts, without those that quote what the person never wrote.

    At least one of them says something.
    """
    limit = await connection.context_length(model.base_model)
    renderer = connection.renderer(model)
    chats = []
    for group in _groups(texts, config.emails_per_call, config.calls):
        chat = _describe_chat(task, group)
        while limit and len(group) > 1 and prompt_tokens(renderer, chat) + _ANSWER_TOKENS > limit:
            group = group[:-1]
            chat = _describe_chat(task, group)
        chats.append(chat)
    answers = await complete(
        connection, model, chats, max_tokens=_ANSWER_TOKENS, temperature=0.0, seed=derive_seed(seed, "describe"), on_progress=on_progress
    )
    said = [trait_lines(first.text) for first, *_ in answers]
    borne_out = [[line for line in lines if is_borne_out(line, texts)] for lines in said]
    found = borne_out if any(borne_out) else said
    if not any(found):
        raise ServiceError(
            "the model did not describe the style", where=model.base_model, hint="Write prompt.md yourself, or name another model"
        )
    return found


def _describe_chat(task: Task, group: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": "user", "content": render("describe", emails=list(group), many=task.many)}]


def _groups(texts: Sequence[str], size: int, calls: int) -> list[list[str]]:
    """``calls`` groups of ``size`` texts, spread over all of them; one group if they fit into it."""
    if len(texts) <= size:
        return [list(texts)]
    starts = [round(call * len(texts) / calls) for call in range(calls)]
    return [[texts[(start + offset) % len(texts)] for offset in range(size)] for start in starts]


def trait_lines(answer: str) -> list[str]:
    """The lines of an answer that describe a trait: its list items, or all lines if it has none."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    items = [re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", line) for line in lines if re.match(r"(?:[-*•]|\d+[.)])\s+\S", line)]
    return list(dict.fromkeys(items or lines))


def is_borne_out(line: str, texts: Sequence[str]) -> bool:
    """Whether for all that a trait line puts in quotation marks there is a text that has it, or half of its words.

    A person's habits bend words ("Say hello tae the family"). What a line says is avoided is in no text, so such lines pass.
    """
    if _AVOIDED.search(_QUOTED.sub(" ", line)):
        return True
    quotes = [_PLACEHOLDER.sub(" ", quote).strip().casefold() for quote in _QUOTED.findall(line)]
    lowered = [text.casefold() for text in texts]
    return all(any(_has(text, quote) for text in lowered) for quote in quotes if quote.strip(",:!"))


def _has(text: str, quote: str) -> bool:
    if re.search(rf"(?<![a-z0-9]){re.escape(quote)}(?![a-z0-9])", text):
        return True
    words, there = re.findall(r"\w+", quote), set(re.findall(r"\w+", text))
    return bool(words) and 2 * sum(word in there for word in words) >= len(words)


def agreed(answers: Sequence[list[str]]) -> list[str]:
    """The lines that at least half of the answers have, in their usual order.

    A model that words each description anew repeats no line; then the longest description stands for all.
    """
    counts = Counter(line for lines in answers for line in lines)
    usual = [line for line, count in counts.items() if 2 * count >= len(answers)]
    if not usual or (len(answers) > 1 and max(counts.values()) == 1):
        return max(answers, key=len)
    place = {line: sum(lines.index(line) / len(lines) for lines in answers if line in lines) / counts[line] for line in usual}
    return sorted(usual, key=lambda line: place[line])


def joined(instruction: str | None, style: str) -> str:
    """A system prompt: the task's instruction, where the model needs one, before the style."""
    return f"{instruction}\n\n{style}" if instruction else style


def _saved(workspace: Workspace, writer: Writer) -> Writer:
    run = open_run(workspace, writer.name, {"writer": writer.model_dump(mode="json")})
    return run.writer() if run.finished else run.finish(writer)
