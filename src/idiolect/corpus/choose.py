"""Picks a few demonstrations that stand for all: recent, of all lengths, typical."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError

__all__ = ["choose_demonstrations"]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_FEATURES = 300


def choose_demonstrations(demonstrations: Sequence[Demonstration], n: int) -> list[Demonstration]:
    """At most ``n`` of them, in the given order, which is oldest first.

    The texts are ranked by length and cut into ``n`` equal bands, and each band gives the one whose mean of two ranks in [0, 1] is
    best: how recent it is, and how near its use of the 300 commonest words and marks is to the person's average (cosine). A thread
    already chosen from is passed over while its band offers another. Deterministic.
    """
    if n < 1:
        raise InputError(f"{n} demonstrations cannot be chosen", where="--demonstrations", hint="Give 1 or more")
    if n >= len(demonstrations):
        return list(demonstrations)
    typical = _ranks(_typicality([one.output for one in demonstrations]))
    recent = _ranks([(one.date.timestamp() if one.date else -math.inf, at) for at, one in enumerate(demonstrations)])
    by_length = sorted(range(len(demonstrations)), key=lambda at: (len(demonstrations[at].output), at))
    chosen: list[int] = []
    threads: set[str] = set()
    for band in range(n):
        members = by_length[band * len(by_length) // n : (band + 1) * len(by_length) // n]
        best = max(members, key=lambda at: (demonstrations[at].thread not in threads, typical[at] + recent[at], at))
        chosen.append(best)
        if demonstrations[best].thread:
            threads.add(demonstrations[best].thread)
    return [demonstrations[at] for at in sorted(chosen)]


def _ranks(values: Sequence[float] | Sequence[tuple[float, int]]) -> list[float]:
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranks = [0.0] * len(values)
    for rank, at in enumerate(order):
        ranks[at] = rank / max(1, len(values) - 1)
    return ranks


def _typicality(texts: Sequence[str]) -> list[float]:
    """Each text's cosine to the mean of all, over the commonest words and marks."""
    counts = [Counter(_TOKEN.findall(text.lower())) for text in texts]
    total = Counter[str]()
    for count in counts:
        total.update(count)
    features = [word for word, _ in total.most_common(_FEATURES)]
    shares = [{word: count[word] / count.total() for word in features if word in count} if count else {} for count in counts]
    mean = {word: sum(share.get(word, 0.0) for share in shares) / len(texts) for word in features}
    length = math.sqrt(sum(value * value for value in mean.values())) or 1.0
    return [
        sum(value * mean[word] for word, value in share.items()) / (length * (math.sqrt(sum(v * v for v in share.values())) or 1.0))
        for share in shares
    ]
