"""What a draft has to say beside the facts that its request states by their form: what every plain draft for it says again.

Knows requests, and a writer who knows nothing of the person. Knows nothing of how a draft is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from idiolect.corpus import Fact
from idiolect.service import Connection, Writer, complete
from idiolect.tasks.facts import asked_facts, missing_facts, request_facts
from idiolect.tasks.spelling import telling_words

__all__ = ["PLAIN_DRAFTS", "agreed", "agreed_facts"]

PLAIN_DRAFTS = 4
"""How many have to agree."""


async def agreed_facts(connection: Connection, plain: Writer, requests: Sequence[str], *, seed: int) -> dict[str, tuple[Fact, ...]]:
    """For each request what a draft has to say by ``agreed`` with drafts of the ``plain`` writer. Raises ``ServiceError``."""
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
    return {request: agreed(request, [answer.text for answer in group]) for request, group in zip(wanted, answers, strict=True)}


def agreed(request: str, drafts: Iterable[str]) -> tuple[Fact, ...]:
    """The facts that the request states; and what all of the drafts say again (self-consistency, arXiv 2203.11171) of the facts in the
    e-mail that it quotes, and of its telling words that are no part of a fact ("the budget").
    """
    stated, found = asked_facts(request), request_facts(request)
    values = "\n".join(fact.value for fact in (*stated, *found))
    words = missing_facts([Fact(kind="word", value=word) for word in telling_words(request)], values)
    said = [*(fact for fact in found if fact not in stated), *words]
    lost = [fact for draft in drafts for fact in missing_facts(said, draft)]
    return (*stated, *(fact for fact in said if fact not in lost))
