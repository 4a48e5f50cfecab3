"""A teacher that thinks before it writes, and one that criticizes its own draft: what it is asked, and how its answers are read.

Knows prompts and answers. Knows nothing of which requests there are or how many texts are wanted. What a teacher thought or criticized is
in no text: an answer that does not keep the form is counted and left out, never guessed at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from idiolect.prompts import render
from idiolect.service.connect import Connection
from idiolect.service.sampling import Completion, complete, derive_seed
from idiolect.service.writer import Writer
from idiolect.synthesis.log import AnswerLog
from idiolect.tasks import Task, asked_facts, invented_facts, meta_comments, missing_facts, placeholders

__all__ = ["THINKING_TOKENS", "faults", "read_answer", "revised", "text_of", "thinking_messages"]

THINKING_TOKENS = 512
"""Tokens that thoughts or a critique may take, beside those of the text."""
Before = Literal["thoughts", "critique"]


def thinking_messages(teacher: Writer, task: Task, request: str) -> list[dict[str, str]]:
    """What asks the teacher for its thoughts and then the text."""
    return _asked(teacher, request, render("think", request=request, one=task.one))


def text_of(answer: str, before: Before) -> str | None:
    """The text of an answer in the form ``<before>…</before> <text>…</text>``; None where the answer is not in it.

    Each of the four marks must stand there once, in this order, and the text must not be empty. Words outside the marks are passed over.
    """
    marks = re.findall(rf"</?(?:{before}|text)>", answer)
    if marks != [f"<{before}>", f"</{before}>", "<text>", "</text>"]:
        return None
    return answer.partition("<text>")[2].partition("</text>")[0].strip() or None


def read_answer(connection: Connection, teacher: Writer, answer: Completion, before: Before) -> Completion | None:
    """The answer with its text alone, unfinished where that is longer than the teacher's texts may be; None where it cannot be read.

    An answer that was cut at its longest has no text either, and stays what it is: unfinished.
    """
    text = text_of(answer.text, before)
    if text is None:
        return None if answer.finished else answer
    short = len(connection.renderer(teacher).tokenizer.encode(text)) <= teacher.max_tokens
    return replace(answer, text=text, finished=answer.finished and short)


def faults(request: str, text: str, allowed: Sequence[str] = ()) -> int:
    """How many facts of the request the text loses, and how many it invents, with open slots and remarks about itself.

    ``allowed`` are facts that the person may state anywhere, such as the own name.
    """
    apart = [*placeholders(text), *meta_comments(text, request)]
    letter = text
    for part in apart:
        # A slot's or a remark's own words are neither the fact that is asked for nor an invented one.
        letter = letter.replace(part, " ")
    return len(apart) + len(missing_facts(asked_facts(request), letter)) + len(invented_facts(request, letter, allowed))


async def revised(
    connection: Connection,
    log: AnswerLog,
    task: Task,
    teacher: Writer,
    drafts: Mapping[str, Completion],
    *,
    attempt: int,
    temperature: float,
    seed: int,
    allowed: Sequence[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Completion], Counter[str]]:
    """The better of each request's draft and the teacher's revision, and how often it was the ``revised``, the ``draft`` or ``unparsed``.

    The one with fewer ``faults`` is better, and of two with as many the revision. A draft stays where the critique cannot be read or was
    cut. Unfinished drafts are not criticized.
    """
    kept, counts = dict(drafts), Counter[str]()
    whole = [request for request, draft in drafts.items() if draft.finished and draft.text.strip()]
    wanted = [request for request in whole if (attempt, request) not in log.rows]
    await complete(
        connection, teacher, [_critique_messages(teacher, task, request, drafts[request].text) for request in wanted],
        max_tokens=teacher.max_tokens + THINKING_TOKENS, temperature=temperature, seed=derive_seed(seed, "critiques", attempt),
        on_result=lambda index, answers: log.append((attempt, wanted[index]), answers), on_progress=on_progress,
    )  # fmt: skip
    for request in whole:
        (answer,) = log.rows[attempt, request]
        better = read_answer(connection, teacher, answer, "critique")
        if better is None or not better.finished:
            counts["unparsed"] += 1
        elif faults(request, better.text, allowed) <= faults(request, drafts[request].text, allowed):
            kept[request] = better
            counts["revised"] += 1
        else:
            counts["draft"] += 1
    return kept, counts


def _critique_messages(teacher: Writer, task: Task, request: str, draft: str) -> list[dict[str, str]]:
    stated = [fact.value for fact in asked_facts(request)]
    return _asked(teacher, request, render("critique", request=request, lines=draft.splitlines(), facts=stated, one=task.one))


def _asked(teacher: Writer, request: str, question: str) -> list[dict[str, str]]:
    """The teacher's conversation with another last turn; its examples are those that fit the bare request."""
    return [*teacher.messages(request)[:-1], {"role": "user", "content": question}]
