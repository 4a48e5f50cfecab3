"""Requests for texts that exist: real mail says what was written, not what was asked for.

Knows texts and a model that proposes requests. Knows nothing of mailboxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idiolect.corpus import Demonstration, Fact
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.prompts import render
from idiolect.service.connect import Connection, Samples
from idiolect.service.sampling import Completion, complete, derive_seed
from idiolect.synthesis.filters import Outcome, invented_facts, request_fault, request_line, similarity
from idiolect.tasks import Task, missing_facts, request_facts
from idiolect.workspace import Workspace

__all__ = ["backgenerate", "complete_demonstrations"]

_TRIES = 4
_MOST_ADDED = 8
_COPIED = 0.7


async def backgenerate(
    connection: Connection,
    model: Samples,
    demonstrations: Sequence[Demonstration],
    *,
    seed: int,
    task: Task,
    instructed: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Demonstration], Outcome]:
    """The demonstrations with a request each, and how many were dropped for which reason. ``instructed`` tells a general model
    what a request of the task is.

    Of a few sampled requests the one that keeps most of the text's facts is taken, and what it still lacks is added
    to it in so many words: a request that leaves facts out would teach a model to invent them.
    """
    system = [{"role": "system", "content": task.request_form}] if instructed else []
    answers_P_G = await complete(
        connection,
        model,
        [[*system, {"role": "user", "content": render("backgenerate", email=row.output, one=task.one)}] for row in demonstrations],
        max_tokens=128,
        temperature=0.7,
        seed=derive_seed(seed, "backgenerate"),
        num_samples=_TRIES,
        on_progress=on_progress,
    )
    outcome, rows = Outcome(), []
    for row, answers_G in zip(demonstrations, answers_P_G, strict=True):
        request = _best_request(task, row.output, answers_G, outcome)
        if request:
            rows.append(row.model_copy(update={"input": request}))
            outcome.kept += 1
    return rows, outcome


def _best_request(task: Task, text: str, answers: Sequence[Completion], outcome: Outcome) -> str | None:
    facts = _stated(text) if task.letter else request_facts(text)
    fit: list[tuple[int, int, str]] = []
    faults: list[str] = []
    for number, answer in enumerate(answers):
        request = request_line(answer.text)
        fault = request_fault(request, finished=answer.finished)
        fault = fault or ("copy of the text" if similarity(request, text) >= _COPIED else None)
        fault = fault or ("inventing facts" if invented_facts(request, text) else None)
        if fault:
            faults.append(fault)
        else:
            fit.append((len(missing_facts(facts, request)), number, request))
    if fit:
        _, _, request = min(fit)
    elif facts:
        # No sampled request is true to the text, but its facts are known: they alone make a plain one.
        request = f"Write {_article(task.one)} {task.one}"
    else:
        outcome.drop(faults[0] if faults else "empty")
        return None
    lost = missing_facts(facts, request)[:_MOST_ADDED]
    return f"{request.rstrip('.')}. Mention {_listed(lost)}." if lost else request


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _stated(text: str) -> tuple[Fact, ...]:
    """The facts of a letter's middle: a greeting's name is the recipient's, the last lines are the person's own name."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    body = "\n\n".join(blocks[:-1]) if len(blocks) > 2 else text
    return request_facts(body)


def _listed(facts: Sequence[Fact]) -> str:
    values = [f'"{fact.value}"' if fact.kind == "quote" else fact.value for fact in facts]
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"


async def complete_demonstrations(
    connection: Connection,
    workspace: Workspace,
    model: Samples,
    *,
    seed: int,
    task: Task,
    instructed: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Give every demonstration and held-out text of the workspace that has none a request; drop those that get none."""
    total = Outcome()
    for path in (workspace.demonstrations, workspace.heldout):
        rows = load_demonstrations(path)
        bare = [row for row in rows if not row.input.strip()]
        if not bare:
            continue
        found, outcome = await backgenerate(connection, model, bare, seed=seed, task=task, instructed=instructed, on_progress=on_progress)
        total.kept += outcome.kept
        total.dropped += outcome.dropped
        requests = {(row.id, row.output): row.input for row in found}
        filled = [row if row.input.strip() else row.model_copy(update={"input": requests.get((row.id, row.output), "")}) for row in rows]
        save_demonstrations(path, [row for row in filled if row.input.strip()])
    return total
