"""Synthetic demonstrations: seed topics × requests, and a teacher's text for each.

Every answer is appended to a log as it comes, and what is kept is a function of the logs alone, so a killed
run goes on where it was and ends with the same rows. Knows nothing of how the teacher was made or who learns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.errors import ServiceError
from idiolect.prompts import render
from idiolect.service.connect import Connection
from idiolect.service.sampling import Completion, complete, derive_seed
from idiolect.service.writer import Writer
from idiolect.synthesis.filters import Outcome, Unlike, request_fault, request_line, text_fault
from idiolect.synthesis.log import AnswerLog
from idiolect.synthesis.teaching import THINKING_TOKENS, read_answer, revised, thinking_messages
from idiolect.tasks import Spelling, Task, asked_facts, usual_facts, usually_repeated
from idiolect.workspace import Workspace, read_json, write_json

__all__ = ["SynthesisConfig", "synthesize"]

_ROUNDS = 4
_WITH_EXAMPLES = 2
"""Attempts that show the teacher own texts; a teacher that loses its way among them may still write by the prompt alone."""


class SynthesisConfig(BaseModel):
    """Synthetic requests about the task's seed topics, each with a text by the teacher."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    per_topic: int = Field(default=10, ge=1)
    """Requests a topic."""
    attempts: int = Field(default=3, ge=1)
    """Texts that the teacher may try for one request."""
    temperature: float = Field(default=0.7, ge=0)
    """Sampling temperature of the texts."""
    request_temperature: float | None = Field(default=None, ge=0)
    """Sampling temperature of the requests; by default 1, and 0.7 for the pocket model, whose rarer samples are garbled."""
    think: bool = False
    """Have the teacher think about how the person would answer before it writes. For general models: the pocket model never learnt to."""
    critique: bool = False
    """Have the teacher criticize and rewrite its draft; the one truer to the request is kept. Not for the pocket model either."""

    def values(self) -> dict[str, Any]:
        """What the texts depend on. Options that are off are left out, so that what was made before there were any still counts."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not False}


Progress = Callable[[str, int, int], None]


async def synthesize(
    connection: Connection,
    workspace: Workspace,
    task: Task,
    teacher: Writer,
    demonstrations: Sequence[Demonstration],
    heldout: Sequence[Demonstration],
    *,
    config: SynthesisConfig,
    seed: int,
    instructed: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Demonstration], dict[str, Any]]:
    """Synthetic demonstrations, and how many candidates were dropped for which reason.

    ``teacher`` writes the texts with the engineered prompt. ``instructed`` tells a general model what a request is.
    """
    key = derive_seed(config.values(), teacher.model_dump(mode="json"), task.model_dump(mode="json"), seed,
                      [row.input for row in demonstrations], [row.input for row in heldout])  # fmt: skip
    folder = workspace.synthetic
    final, report_file = folder / "demonstrations.jsonl", folder / "report.json"
    if final.exists() and report_file.exists() and (report := read_json(report_file)).get("key") == key:
        return load_demonstrations(final), report

    ask = _request_prompt(task, demonstrations) if instructed else None
    taken = {"demonstration": Unlike(row.input for row in demonstrations), "heldout": Unlike(row.input for row in heldout)}
    requests, requests_outcome = await _requests(connection, folder, task, teacher, ask, taken, config, seed, progress)
    own = [row.output for row in demonstrations]
    rows, texts_outcome, critiques = await _texts(connection, folder, task, teacher, requests, own, config, seed, progress)
    report = {"key": key, "requests": requests_outcome.summary(), "texts": texts_outcome.summary()}
    if config.critique:
        report["critiques"] = dict(sorted(critiques.items()))
    if not rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in (requests_outcome.dropped + texts_outcome.dropped).items())
        hint = "Name a better model.teacher" + (", or turn think off" if texts_outcome.dropped["unparsed"] else "")
        raise ServiceError(f"the teacher wrote nothing that can be learnt from ({reasons})", where=teacher.base_model, hint=hint)
    save_demonstrations(final, rows)
    write_json(report_file, report)
    return rows, report


def _request_prompt(task: Task, demonstrations: Sequence[Demonstration]) -> str:
    examples = [row.input for row in demonstrations if row.input][:3]
    return "\n".join([task.request_form.strip(), *(f"- {example}" for example in examples)])


async def _requests(
    connection: Connection,
    folder: Path,
    task: Task,
    teacher: Writer,
    ask: str | None,
    taken: dict[str, Unlike],
    config: SynthesisConfig,
    seed: int,
    progress: Progress | None,
) -> tuple[list[tuple[str, str]], Outcome]:
    """Accepted (topic, request) pairs: rounds of proposals until every topic has enough or the rounds are over."""
    system = [{"role": "system", "content": ask}] if ask else []
    chats = {topic: [*system, {"role": "user", "content": render("propose", topic=topic, one=task.one)}] for topic in task.topics}
    model = teacher.model_copy(update={"system_prompt": None, "examples": ()})
    # Only a general model is told how a request looks; the pocket model knows.
    temperature = config.request_temperature if config.request_temperature is not None else 1.0 if ask else 0.7
    log = AnswerLog(
        folder, "requests", derive_seed(model.model_dump(mode="json"), list(chats.values()), seed, config.per_topic, temperature)
    )
    accepted: dict[str, list[str]] = {topic: [] for topic in task.topics}
    outcome, seen = Outcome(), Unlike()
    for number in range(_ROUNDS):
        short = [topic for topic in task.topics if len(accepted[topic]) < config.per_topic]
        if not short:
            break
        wanted = [topic for topic in short if (number, topic) not in log.rows]

        def keep(index: int, answers: list[Completion], wanted: list[str] = wanted, number: int = number) -> None:
            log.append((number, wanted[index]), answers)

        await complete(
            connection, model, [chats[topic] for topic in wanted], max_tokens=96, temperature=temperature,
            seed=derive_seed(seed, "requests", number), num_samples=config.per_topic, on_result=keep,
            on_progress=_part(progress, "Proposing requests", len(short) - len(wanted), len(short)),
        )  # fmt: skip
        for topic in short:
            for answer in log.rows[number, topic]:
                _judge_request(answer, accepted[topic], config.per_topic, seen, taken, outcome)
    return [(topic, request) for topic in task.topics for request in accepted[topic]], outcome


def _judge_request(answer: Completion, accepted: list[str], wanted: int, seen: Unlike, taken: dict[str, Unlike], outcome: Outcome) -> None:
    if len(accepted) >= wanted:
        return
    request = request_line(answer.text)
    fault = request_fault(request, finished=answer.finished)
    fault = fault or next((f"near a {name}" for name, texts in taken.items() if texts.repeats(request)), None)
    fault = fault or ("near-duplicate" if seen.repeats(request) else None)
    if fault:
        outcome.drop(fault)
        return
    seen.add(request)
    accepted.append(request)
    outcome.kept += 1


async def _texts(
    connection: Connection,
    folder: Path,
    task: Task,
    teacher: Writer,
    requests: Sequence[tuple[str, str]],
    own: Sequence[str],
    config: SynthesisConfig,
    seed: int,
    progress: Progress | None,
) -> tuple[list[Demonstration], Outcome, Counter[str]]:
    """The teacher's text for each request: those that fail a filter are tried again, a few times, and then by the prompt alone.

    What the person states or says twice all the time in the ``own`` texts may be said. The counter says how often a critique changed what.
    """
    key: list[Any] = [teacher.model_dump(mode="json"), seed, config.temperature, _WITH_EXAMPLES]
    if config.think:
        key.append(thinking_messages(teacher, task, "")[-1])
    log = AnswerLog(folder, "texts", derive_seed(*key))
    critics = AnswerLog(folder, "critiques", derive_seed(*key, render("critique", request="", lines=[], facts=[], one=task.one)))
    outcome, seen, critiques = Outcome(), Unlike(), Counter[str]()
    usual, said_twice, spelling = usual_facts(own), usually_repeated(own), Spelling(own)
    accepted: dict[str, str] = {}
    plain = teacher.model_copy(update={"examples": ()}) if teacher.system_prompt else teacher
    for attempt in range(config.attempts):
        writer = teacher if attempt < _WITH_EXAMPLES else plain
        open_requests = [request for _, request in requests if request not in accepted]
        wanted = [request for request in open_requests if (attempt, request) not in log.rows]

        def keep(index: int, answers: list[Completion], wanted: list[str] = wanted, attempt: int = attempt) -> None:
            log.append((attempt, wanted[index]), answers)

        await complete(
            connection, writer,
            [thinking_messages(writer, task, request) if config.think else writer.messages(request) for request in wanted],
            max_tokens=teacher.max_tokens + THINKING_TOKENS * config.think,
            temperature=config.temperature, seed=derive_seed(seed, "texts", attempt), on_result=keep,
            on_progress=_part(progress, "Writing synthetic texts", len(requests) - len(wanted), len(requests)),
        )  # fmt: skip
        answers = {request: log.rows[attempt, request][0] for request in open_requests}
        found = {
            request: read_answer(connection, teacher, answer, "thoughts") if config.think else answer for request, answer in answers.items()
        }
        drafts = {request: draft for request, draft in found.items() if draft is not None}
        for _ in range(len(found) - len(drafts)):
            outcome.drop("unparsed")
        if config.critique:
            drafts, counts = await revised(
                connection, critics, task, writer, drafts, attempt=attempt, temperature=config.temperature, seed=seed, allowed=usual,
                on_progress=partial(progress, "Criticizing the texts") if progress else None,
            )  # fmt: skip
            critiques += counts
        for request, draft in drafts.items():
            fault = text_fault(
                draft.text, finished=draft.finished, facts=asked_facts(request), min_words=task.checks.min_words, usual=said_twice
            )
            fault = fault or ("misspelt" if spelling.misspelt(draft.text, request) else None)
            fault = fault or ("near-duplicate" if seen.repeats(draft.text) else None)
            if fault:
                outcome.drop(fault)
                continue
            seen.add(draft.text)
            accepted[request] = draft.text
            outcome.kept += 1
    rows = [
        Demonstration(id=f"synthetic-{number}", input=request, output=accepted[request], source=f"synthetic: {topic}")
        for number, (topic, request) in enumerate(requests)
        if request in accepted
    ]
    return rows, outcome, critiques


def _part(progress: Progress | None, what: str, before: int, total: int) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, _: progress(what, before + done, total)
