"""Which sampled requests and texts are fit to learn from, and why the others are not.

Knows texts only: the same candidates in the same order always give the same verdicts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from idiolect.corpus import Fact
from idiolect.tasks import asked_facts, missing_facts, placeholders, repeated

__all__ = ["Outcome", "Unlike", "invented_facts", "request_fault", "request_line", "similarity", "text_fault"]

_LABEL = re.compile(r"^(?:[-*•]\s+|\d+[.)]\s+|(?:new )?request:\s*)+", re.IGNORECASE)
_NEAR = 0.8


@dataclass
class Outcome:
    """How many candidates there were, how many were kept, and why the others were dropped."""

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    def summary(self) -> dict[str, object]:
        return {"kept": self.kept, "dropped": dict(sorted(self.dropped.items()))}


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Single words and pairs of neighbours, whatever the case and punctuation."""
    words = re.findall(r"\w+", text.lower())
    return frozenset([(word,) for word in words] + list(pairwise(words)))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the texts' words and word pairs: 1 for the same text, 0 for nothing in common."""
    return _jaccard(_shingles(one), _shingles(other))


def _jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


class Unlike:
    """Texts that a new one must not nearly repeat."""

    def __init__(self, texts: Iterable[str] = (), near: float = _NEAR) -> None:
        self.near = near
        self._known = [_shingles(text) for text in texts]

    def repeats(self, text: str) -> bool:
        new = _shingles(text)
        return any(_jaccard(new, known) >= self.near for known in self._known)

    def add(self, text: str) -> None:
        self._known.append(_shingles(text))


def request_line(text: str) -> str:
    """The first line of an answer that has words, without list marks, labels and surrounding quotes."""
    for line in text.splitlines():
        bare = _LABEL.sub("", line.strip()).strip()
        if len(bare) > 1 and bare[0] in '"“' and bare[-1] in '"”':
            bare = bare[1:-1].strip()
        if re.search(r"\w", bare):
            return bare
    return ""


def text_fault(text: str, *, finished: bool, facts: Sequence[Fact], min_words: int, usual: Collection[str] = ()) -> str | None:
    """Why a sampled text cannot be learnt from: empty, truncated, placeholder, repeating or fact-losing. None if it can.

    ``usual`` is what the person says twice (``usually_repeated``).
    """
    if len(re.findall(r"\w+", text)) < max(min_words, 1):
        return "empty"
    if not finished:
        return "truncated"
    if placeholders(text):
        return "placeholder"
    if repeated(text, usual):
        return "repeating"
    if missing_facts(facts, text):
        return "fact-losing"
    return None


def request_fault(text: str, *, finished: bool) -> str | None:
    """Why a sampled request cannot be used. None if it can."""
    if len(re.findall(r"\w+", text)) < 2:
        return "empty"
    if not finished:
        return "truncated"
    return "placeholder" if placeholders(text) else None


def invented_facts(request: str, text: str) -> list[Fact]:
    """Facts of the request that the text does not have."""
    return missing_facts(asked_facts(request), text)
