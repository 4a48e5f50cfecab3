"""Judges that are measures: the truth about simulated people, the style measure, and fidelity.

Knows texts. Knows neither models nor how verdicts become win rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idiolect.corpus import Demonstration
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.style import StyleMeasure, TruthStyle
from idiolect.judge.pairs import Pair
from idiolect.world import Author

__all__ = ["FactsJudge", "ScoreJudge", "truth_judge"]

_TIE = 1e-9


@dataclass(frozen=True)
class ScoreJudge:
    """Prefers the draft that a style measure scores higher.

    Two probabilities of same authorship become the probability that the first draft is the person's, given that just one is: the
    odds' ratio. The truth's scores are no probabilities; there the higher one wins.
    """

    name: str
    style: StyleMeasure

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        asked = list(dict.fromkeys((pair.request, text) for pair in pairs for text in (pair.first, pair.second)))
        scores = dict(zip(asked, self.style.scores([text for _, text in asked], [request for request, _ in asked]), strict=True))
        return [self._preference(scores[pair.request, pair.first], scores[pair.request, pair.second]) for pair in pairs]

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        """The same for who asks many judges at a time, as reinforcement learning does."""
        return self.prefers_first(pairs)

    def _preference(self, a: float | None, b: float | None) -> float | None:
        if a is None or b is None:
            return None
        if abs(a - b) <= _TIE:
            return 0.5
        if self.style.judge == "truth":
            return float(a > b)
        one, other = a * (1 - b), b * (1 - a)
        return one / (one + other)


class FactsJudge:
    """Prefers the draft with fewer faults against its request: facts lost or invented, open slots, remarks, what it says twice, an end
    that is cut off."""

    name = "facts"

    def __init__(self, checker: FidelityChecker, heldout: Sequence[Demonstration]) -> None:
        self._checker = checker
        self._requests = {row.input: row for row in heldout}
        self._known: dict[tuple[str, str], int] = {}

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        return [self._preference(self._faults(pair.request, pair.first), self._faults(pair.request, pair.second)) for pair in pairs]

    def _faults(self, request: str, text: str) -> int:
        if (request, text) not in self._known:
            self._known[request, text] = self._checker.check(self._requests[request], text).faults
        return self._known[request, text]

    def _preference(self, first: int, second: int) -> float:
        return 0.5 if first == second else float(first < second)


def truth_judge(author: Author) -> ScoreJudge:
    """Prefers the draft with more of a simulated author's true traits."""
    return ScoreJudge("truth", TruthStyle(author))
