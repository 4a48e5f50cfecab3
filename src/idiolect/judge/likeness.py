"""How much a text has of what a person's own texts share, counted feature by feature: a judge of pairs, and labels for another one.

The features are those of a proposed rubric, so that the count is what the rubric asks for, as far as it can be seen without a model.
Knows plain texts. Knows nothing of models or of simulated authors.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from idiolect.judge.examples import LabelledPair
from idiolect.judge.pairs import Pair
from idiolect.judge.perturb import FACTS
from idiolect.judge.seen import FEATURES, common, distinctive, observe, parted, without_name, words_and_signs

__all__ = ["Likeness", "LikenessJudge", "policy_pairs"]

_CLEAR, _EVEN = 0.5, 0.3
"""Of all features together, one counting up to 3: a gap from which on one text is the liker, and one up to which both are."""
_SLOPE = 6.0
"""Of the log odds, a unit of the gap: 0.5 is right in 95 % of pairs (docs/LOG.md)."""


class Likeness:
    """What the person's ``texts`` share and the ``others``' (a model's on the same requests) do not."""

    def __init__(self, texts: Sequence[str], others: Sequence[str]) -> None:
        self._texts = len(texts)
        self._marks = distinctive(texts, others)
        self._phrases = common(texts)
        self._greetings = Counter(without_name(parted(text).greeting) for text in texts)
        endings = [_lines(parted(text).ending) for text in texts]
        self._ending = Counter(line for lines in endings for line in set(lines))
        self._ending_lines = mean(map(len, endings))
        self._seen = [observe(text) for text in texts]
        self._words = median(len(text.split()) for text in texts)

    def features(self, text: str) -> dict[str, float]:
        """``seen.FEATURES``, each from 0 to at most the number of things that are counted for it."""
        seen, parts = observe(text), parted(text)
        ending = _lines(parts.ending)
        own = sum(self._ending[line] / self._texts for line in set(ending))
        words = max(1, len(text.split()))
        return {
            "greeting": self._greetings[without_name(parts.greeting)] / self._texts,
            "sign-off": 3 * own / max(len(ending), self._ending_lines, 1),
            "punctuation": sum(self._share("punctuation", seen, place) for place in range(3)),
            "wording": sum(self._share("wording", seen, place) for place in range(2))
            + sum(phrase in text for phrase in self._phrases)
            + 3 * len(self._marks.intersection(words_and_signs(text))) / max(1, len(self._marks)),
            "layout": mean(one["layout"] == seen["layout"] for one in self._seen),
            "length": min(words / self._words, self._words / words),
        }

    def score(self, text: str) -> float:
        return sum(self.features(text).values())

    def _share(self, feature: str, seen: dict[str, Any], place: int) -> float:
        """Share of the person's texts that have the same in this place of the feature."""
        return mean(one[feature][place] == seen[feature][place] for one in self._seen)  # type: ignore[index]


@dataclass(frozen=True)
class LikenessJudge:
    """Prefers the draft that is more like the person's texts. No model is asked, and where a draft stands does not matter."""

    likeness: Likeness
    name: str = "likeness"

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        """For each pair the probability that its first draft is the more person-like one: 1 / (1 + exp(−slope · gap))."""
        scores = {text: self.likeness.score(text) for pair in pairs for text in (pair.first, pair.second)}
        return [1 / (1 + math.exp(_SLOPE * max(-50.0, min(50.0, scores[pair.second] - scores[pair.first])))) for pair in pairs]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def policy_pairs(
    drafts: Mapping[str, Sequence[str]], likeness: Likeness, faults: Callable[[str, str], int], *, each: int, seed: int
) -> list[LabelledPair]:
    """Up to ``each`` pairs of a policy's drafts for one request, whose better one is clear.

    It is clearly more like the person's texts and has no more faults, or is as like and has fewer of them.
    """
    found = []
    for request, texts in drafts.items():
        some = list(dict.fromkeys(text for text in texts if text.strip()))
        like = {text: likeness.features(text) for text in some}
        wrong = {text: faults(request, text) for text in some}
        pairs = []
        for better in some:
            for worse in some:
                gap = sum(like[better].values()) - sum(like[worse].values())
                if gap >= _CLEAR and wrong[better] <= wrong[worse]:
                    pairs.append((better, worse, tuple(name for name in FEATURES if like[better][name] - like[worse][name] > 0.1)))
                elif abs(gap) <= _EVEN and wrong[better] < wrong[worse]:
                    pairs.append((better, worse, (FACTS,)))
        rng = random.Random(f"policy pairs {seed} {request}")
        for better, worse, features in rng.sample(pairs, min(each, len(pairs))):
            found.append(LabelledPair(request=request, better=better, worse=worse, features=features, source="policy"))
    return found
