"""How alike a policy's drafts are: a policy that has found one winning text writes it for everybody.

Knows texts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["bleu", "distinct_n", "self_bleu"]

_ORDERS = 4


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _grams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))


def distinct_n(texts: Sequence[str], order: int = 2) -> float:
    """Different n-grams by all n-grams of the texts together (Li et al. 2016, arXiv 1510.03055), from 0 to 1; 0 without any."""
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        counts += _grams(_words(text), order)
    return len(counts) / counts.total() if counts else 0.0


def bleu(text: str, references: Sequence[str]) -> float:
    """BLEU with 1- to 4-grams (Papineni et al. 2002), from 0 to 1.

    Orders above 1 have 1 added to matches and total (Lin and Och 2004), so that one missing 4-gram is not everything.
    """
    words, others = _words(text), [_words(reference) for reference in references]
    if not words or not any(others):
        return 0.0
    logs = 0.0
    for order in range(1, _ORDERS + 1):
        grams = _grams(words, order)
        most: Counter[tuple[str, ...]] = Counter()
        for other in others:
            most |= _grams(other, order)
        extra = int(order > 1)
        found, total = (grams & most).total() + extra, grams.total() + extra
        if not found:
            return 0.0
        logs += math.log(found / total) / _ORDERS
    nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(words)), length))
    return math.exp(logs + min(0.0, 1 - nearest / len(words)))


def self_bleu(texts: Sequence[str]) -> float:
    """The mean BLEU of each text against all others (Zhu et al. 2018, arXiv 1802.01886); near 1 where all are the same."""
    if len(texts) < 2:
        return 0.0
    return sum(bleu(text, [*texts[:at], *texts[at + 1 :]]) for at, text in enumerate(texts)) / len(texts)
