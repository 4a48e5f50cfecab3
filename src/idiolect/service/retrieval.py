"""Which of some texts are most like a new one, by BM25 (Robertson and Zaragoza 2009) over their words.

Knows texts. Knows nothing of what they are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bm25s

__all__ = ["nearest"]


def nearest(query: str, texts: Sequence[str], count: int) -> list[int]:
    """Places of the ``count`` texts most like the query, the most alike first; of equals the later text."""
    words, index = _indexed(tuple(texts))
    known = [word for word in _tokens([query])[0] if word in words]
    # The library cannot be asked for no word at all.
    scores = index.get_scores(known) if known else [0.0] * len(texts)
    return sorted(range(len(texts)), key=lambda place: (-float(scores[place]), -place))[:count]


@lru_cache(maxsize=8)
def _indexed(texts: tuple[str, ...]) -> tuple[frozenset[str], bm25s.BM25]:
    import bm25s

    tokens = _tokens(texts)
    index = bm25s.BM25()
    words = frozenset(word for text in tokens for word in text)
    if words:
        index.index(tokens, show_progress=False)
    return words, index


def _tokens(texts: Sequence[str]) -> list[list[str]]:
    import bm25s

    return bm25s.tokenize(list(texts), stopwords=None, return_ids=False, show_progress=False)  # type: ignore[return-value]
