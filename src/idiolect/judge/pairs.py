"""What a judge of two drafts must do, and what its answers in both orders say.

Knows texts. Knows neither models nor how verdicts become win rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Pair", "PairJudge", "Verdict", "in_both_orders", "judge_pairs", "verdicts"]

_TIE = 1e-9


@dataclass(frozen=True)
class Pair:
    """Two drafts for one request, in the order in which they are shown."""

    request: str
    first: str
    second: str

    @property
    def swapped(self) -> Pair:
        return Pair(self.request, self.second, self.first)


class PairJudge(Protocol):
    """Whoever compares two drafts: a trained model, a person, a measure."""

    @property
    def name(self) -> str: ...

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        """For each pair the probability that the first draft is better: 1, 0.5, 0 where it only names one or a tie; None: no verdict."""
        ...


@dataclass(frozen=True)
class Verdict:
    """A judge on one pair in both orders, each as the probability that the pair's own first draft is better."""

    forward: float
    backward: float

    @property
    def win(self) -> float:
        """The first draft's score: verdicts that turn with the order are a tie."""
        return (self.forward + self.backward) / 2

    @property
    def lean(self) -> float:
        """How much more the draft in the first place was preferred than without regard to the place, from −0.5 to 0.5."""
        return (self.forward - self.backward) / 2

    @property
    def label(self) -> str:
        """``win``, ``tie`` or ``loss`` of the first draft."""
        return "tie" if abs(self.win - 0.5) <= _TIE else "win" if self.win > 0.5 else "loss"


def in_both_orders(pairs: Sequence[Pair]) -> list[Pair]:
    """What a judge is asked: all pairs as they are, then all of them swapped."""
    return [*pairs, *(pair.swapped for pair in pairs)]


def verdicts(answers: Sequence[float | None]) -> list[Verdict | None]:
    """The verdict on each pair from the answers to ``in_both_orders``; None where one of its orders has no answer."""
    half = len(answers) // 2
    return [
        Verdict(one, 1 - other) if one is not None and other is not None else None
        for one, other in zip(answers[:half], answers[half:], strict=True)
    ]


def judge_pairs(judge: PairJudge, pairs: Sequence[Pair]) -> list[Verdict | None]:
    """Ask a judge about every pair in both orders."""
    return verdicts(judge.prefers_first(in_both_orders(pairs)))
