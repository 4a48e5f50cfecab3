"""What a draft has to say beside the facts that its request states by their form: what every plain draft for it says again.

Knows requests, and a writer who knows nothing of the person. Knows nothing of how a draft is chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from idiolect.corpus import Demonstration, Fact
from idiolect.service import Connection, Writer, complete
from idiolect.service.replies import request_and_quote
from idiolect.tasks.facts import asked_facts, missing_facts, request_facts
from idiolect.tasks.spelling import telling_words

__all__ = ["PLAIN_DRAFTS", "agreed", "agreed_facts", "unsaid_words"]

PLAIN_DRAFTS = 4
"""How many have to agree."""
_NEWEST = 500
"""Texts that are read for what the person leaves unsaid; more would keep who waits for a draft waiting."""


async def agreed_facts(
    connection: Connection, plain: Writer, requests: Sequence[str], known: Sequence[Demonstration], *, seed: int
) -> dict[str, tuple[Fact, ...]]:
    """For each request what a draft in the voice of the ``known`` texts has to say, by drafts of the ``plain`` writer.

    Raises ``ServiceError``.
    """
    wanted = list(dict.fromkeys(requests))
    answers = await complete(
        connection,
        plain,
        [plain.messages(request) for request in wanted],
        max_tokens=plain.max_tokens,
        temperature=plain.temperature,
        seed=seed,
        num_samples=PLAIN_DRAFTS,
    )
    unsaid = unsaid_words(known)
    return {request: agreed(request, [answer.text for answer in group], unsaid) for request, group in zip(wanted, answers, strict=True)}


def agreed(request: str, drafts: Iterable[str], unsaid: Container[str] = ()) -> tuple[Fact, ...]:
    """The facts that the request states; and what all of the drafts say again (self-consistency, arXiv 2203.11171) of the facts in the
    e-mail that it quotes, and of its telling words that are no part of a fact ("the budget") and that the person does not leave ``unsaid``.
    """
    stated, found = asked_facts(request), request_facts(request)
    values = "\n".join(fact.value for fact in (*stated, *found))
    words = [fact for fact in missing_facts(_words(request), values) if fact.value not in unsaid]
    said = [*(fact for fact in found if fact not in stated), *words]
    lost = [fact for draft in drafts for fact in missing_facts(said, draft)]
    return (*stated, *(fact for fact in said if fact not in lost))


def unsaid_words(known: Sequence[Demonstration]) -> frozenset[str]:
    """Telling words of requests that the person's texts for these lack at least as often as they have them: "meeting" where the person
    writes "call".
    """
    asked, unsaid = Counter[str](), Counter[str]()
    for row in known[-_NEWEST:]:
        words = _words(request_and_quote(row.input)[0])
        asked.update(fact.value for fact in words)
        unsaid.update(fact.value for fact in missing_facts(words, row.output))
    return frozenset(word for word, times in unsaid.items() if 2 * times >= asked[word])


def _words(text: str) -> list[Fact]:
    return [Fact(kind="word", value=word) for word in telling_words(text)]
