"""What a text claims beyond what it was asked to say: facts that stand neither in the request nor in what is known of the person.

Knows facts by their form. Knows nothing of models or of what a claim costs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from idiolect.corpus import Fact
from idiolect.tasks.facts import FORMULAS, missing_facts, request_facts

__all__ = ["invented_facts", "usual_facts"]

_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+", re.MULTILINE)
# Kinds whose appearance in a draft is a claim. A quotation is not one, and its inside is looked at by itself.
_CLAIMS = frozenset({"link", "address", "day", "time", "amount", "code", "count", "person"})
_CITATION = re.compile(r"\(see [\d,. ]+(?:above|below)?\)|\[\d{1,3}\]|\(\d{1,2}\)(?!\s?\d)")


def usual_facts(texts: Sequence[str]) -> tuple[str, ...]:
    """Facts that stand in at least a third of a person's texts, and in three: the own name, a telephone number, a standing appointment.

    They belong to the person and not to a request, so a draft may have them.
    """
    counts = Counter(fact.value.lower() for text in texts for fact in {fact.value.lower(): fact for fact in _claims(text)}.values())
    return tuple(value for value, count in counts.items() if count >= max(3, len(texts) / 3))


def invented_facts(request: str, text: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
    """Names, days, times, amounts, codes, numbers, addresses and links of the text that stand neither in the request nor in ``allowed``."""
    context = "\n".join([request, *allowed])
    claims = _claims(text)
    plain = re.sub(r"\S+[./@]\S+", " ", text)
    known = {word.lower() for word in re.findall(r"\w+", context)}
    missing = [
        fact for fact in missing_facts(claims, context, whole=True) if not (fact.kind == "person" and _ordinary(fact.value, plain, known))
    ]
    return tuple(dict.fromkeys(fact.value for fact in missing))


def _claims(text: str) -> list[Fact]:
    """The facts that a written text claims."""
    plain = re.sub(r"[\"“”]", " ", _CITATION.sub(" ", _LIST_MARK.sub("", text)))
    found = [fact for fact in request_facts(plain) if fact.kind in _CLAIMS]
    return [fact for fact in found if not {word.lower() for word in re.findall(r"[\w'’]+", fact.value)} <= FORMULAS]


def _ordinary(value: str, text: str, known: set[str]) -> bool:
    """Whether a capitalised run is ordinary words after all: known from the context, or written small elsewhere in the text."""
    return all(
        word.lower() in known | FORMULAS or re.search(rf"\b{re.escape(word.lower())}\b", text) is not None
        for word in re.findall(r"\w+", value)
    )
