"""The person's own past mail, searched for what a new request is about.

Knows texts and BM25 (Robertson and Zaragoza 2009, through bm25s). Knows nothing of models.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from idiolect.corpus.types import Demonstration

__all__ = ["Passage", "PastMail"]

_LONGEST = 600


@dataclass(frozen=True)
class Passage:
    """A past mail that has to do with a request."""

    text: str
    """At most 600 characters of it."""
    source: str
    """Where it stands: file and position, as the import noted them, else the demonstration's id."""
    date: str
    """Its day as YYYY-MM-DD; empty where that is not known."""
    score: float
    """BM25; comparable within one search only."""


class PastMail:
    """An index over the person's texts."""

    def __init__(self, demonstrations: Sequence[Demonstration]) -> None:
        self._rows = [row for row in demonstrations if row.output.strip()]
        self._index = None
        if not self._rows:
            return
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        # Names and codes stand in requests as often as in texts, so both are searched.
        words = _words([f"{row.input}\n{row.output}" for row in self._rows])
        if any(words):
            self._index = bm25s.BM25()
            self._index.index(words, show_progress=False)

    def search(self, request: str, count: int = 3) -> list[Passage]:
        """Up to ``count`` texts that share words with the request, best first; of equal ones the newer first."""
        if self._index is None or not request.strip():
            return []
        (query,) = _words([request])
        if not query:
            return []
        scores = self._index.get_scores(query)
        best = sorted((index for index in range(len(self._rows)) if scores[index] > 0), key=lambda index: (-scores[index], -index))
        return [self._passage(index, float(scores[index])) for index in best[:count]]

    def _passage(self, index: int, score: float) -> Passage:
        row = self._rows[index]
        text = row.output if len(row.output) <= _LONGEST else row.output[:_LONGEST].rsplit(" ", 1)[0] + " …"
        return Passage(text, row.source or row.id, row.date.date().isoformat() if row.date else "", score)


def _words(texts: list[str]) -> list[list[str]]:
    """Each text's words without the commonest English ones."""
    import bm25s

    return cast("list[list[str]]", bm25s.tokenize(texts, show_progress=False, return_ids=False))
