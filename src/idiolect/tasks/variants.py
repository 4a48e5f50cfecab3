"""The person's own texts with other facts in them, so that voice is learnt from them and not their facts by heart.

Knows requests, texts and the forms of facts. Knows nothing of models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence

from idiolect.tasks.facts import request_facts

__all__ = ["known_facts", "with_other_facts"]


def known_facts(requests: Iterable[str]) -> dict[str, list[str]]:
    """The values of each kind of fact in the requests, in their order, each once."""
    found: dict[str, dict[str, None]] = {}
    for request in requests:
        for fact in request_facts(request):
            found.setdefault(fact.kind, {})[fact.value] = None
    return {kind: list(values) for kind, values in found.items()}


def with_other_facts(request: str, text: str, known: Mapping[str, Sequence[str]], rng: random.Random) -> tuple[str, str]:
    """Request and text in which each fact that both have word for word is another one of its kind, the same in both.

    A fact that the text says in other words stays, and so does one of a kind of which ``known`` has no other.
    """
    swaps: dict[str, str] = {}
    for fact in request_facts(request):
        taken = {*swaps.values(), fact.value}
        others = [value for value in known.get(fact.kind, ()) if value not in taken and value not in request]
        if others and re.search(_whole(fact.value), text):
            swaps[fact.value] = rng.choice(others)
    if not swaps:
        return request, text
    # The longest first and all at once: a value may stand in another one, and what came in is not replaced again.
    form = re.compile("|".join(map(_whole, sorted(swaps, key=len, reverse=True))))
    return form.sub(lambda found: swaps[found[0]], request), form.sub(lambda found: swaps[found[0]], text)


def _whole(value: str) -> str:
    return rf"(?<!\w){re.escape(value)}(?!\w)"
