"""Drafts for one request play against each other, and their wins become rewards.

Knows a judge of pairs and the checks of drafts. Knows nothing of the policy or of how it is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from idiolect.judge.pairs import Pair
from idiolect.methods.checks import Checked

__all__ = ["AsyncJudge", "Pattern", "Referee", "Reward", "matches", "summed_wins"]


class AsyncJudge(Protocol):
    """Whoever compares pairs of drafts, many at a time: a model, or a measure."""

    @property
    def name(self) -> str: ...

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        """For each pair the probability that its *first* draft is the better one; None where there was no verdict."""
        ...


class Pattern(StrEnum):
    """Who meets whom in a group."""

    BOTH_WAYS = "all_pairs_both_ways"
    """Every ordered pair, so that a judge's leaning to one place cancels."""
    ONE_WAY = "all_pairs_one_way"
    """Every pair once: half the judge's work. Who stands first alternates, so that no draft always does."""
    REFERENCE = "against_reference"
    """Every draft against a draft of the first policy, both ways: the work grows with the group, not with its square."""


def matches(size: int, pattern: Pattern) -> list[tuple[int, int]]:
    """Pairs (first, second) of indices into ``size`` drafts; index ``size`` is the reference."""
    if pattern is Pattern.REFERENCE:
        return [pair for one in range(size) for pair in ((one, size), (size, one))]
    pairs = [(one, other) for one in range(size) for other in range(one + 1, size)]
    if pattern is Pattern.ONE_WAY:
        return [(one, other) if (one + other) % 2 else (other, one) for one, other in pairs]
    return [*pairs, *((other, one) for one, other in pairs)]


def summed_wins(size: int, pairs: Sequence[tuple[int, int]], probabilities: Sequence[float | None]) -> list[float]:
    """wins_G: +1 for each match that a draft wins, −1 for each that it loses, 0 for a tie or where there is no verdict.

    ``probabilities`` are of the *first* of each pair being better: the sign that "[RESULT] A" has.
    """
    wins = [0.0] * (size + 1)
    for (first, second), probability in zip(pairs, probabilities, strict=True):
        if probability is None or probability == 0.5:
            continue
        sign = 1.0 if probability > 0.5 else -1.0
        wins[first] += sign
        wins[second] -= sign
    return wins[:size]


_ILL_FORMED = 0.5
"""Share of its matches that a draft of bad form may play."""


@dataclass(frozen=True)
class Reward:
    """What one draft of a group gets, and the parts of it for the log."""

    value: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class Referee:
    """Summed wins, plus 1 for good form and minus 1 for bad, minus a penalty for excess length.

    Fidelity is a gate that closes by degrees: of a draft's matches only the square of its share of right facts is played, the rest counts
    as lost whatever the judge says, so style is not bought with facts. Shut by a single fact, the gate would leave a policy that loses
    one in most of its drafts nothing to learn of style. Bad form shuts it by half: in a large group a point less would be nothing beside
    the wins of a garbled draft with the person's greeting.
    """

    judge: AsyncJudge
    pattern: Pattern = Pattern.BOTH_WAYS
    length_penalty: float = 0.0
    """For each usual length of the person that a draft is longer than the usual one."""

    async def rewards(self, request: str, drafts: Sequence[Checked], reference: str | None = None) -> list[Reward]:
        """rewards_G of drafts_G. ``reference`` is the first policy's draft, where the pattern wants one."""
        pairs = matches(len(drafts), self.pattern)
        texts = [*(draft.text for draft in drafts), reference or ""]
        probabilities = await self.judge.probabilities([Pair(request, texts[first], texts[second]) for first, second in pairs])
        wins = summed_wins(len(drafts), pairs, probabilities)
        played = len(pairs) / len(drafts) * (1 if self.pattern is Pattern.REFERENCE else 2)
        unjudged = sum(probability is None for probability in probabilities) / len(pairs)
        return [self._reward(draft, won, played, unjudged) for draft, won in zip(drafts, wins, strict=True)]

    def _reward(self, draft: Checked, won: float, played: float, unjudged: float) -> Reward:
        opened = draft.fidelity**2 * (1.0 if draft.well_formed else _ILL_FORMED)
        counted = opened * won - (1 - opened) * played
        form = 1.0 if draft.well_formed else -1.0
        excess = max(0.0, draft.length_ratio - 1)
        metrics = {
            "wins": won, "format": float(draft.well_formed), "faithful": float(draft.faithful), "kept": draft.kept,
            "invented": float(draft.invented > 0), "placeholders": float("placeholder" in draft.faults), "words": float(draft.words),
            "unjudged": unjudged,
        }  # fmt: skip
        return Reward(counted + form - self.length_penalty * excess, metrics)

    def to_dict(self) -> dict[str, Any]:
        """What a log may know of it."""
        return {"judge": self.judge.name, "pattern": str(self.pattern), "length_penalty": self.length_penalty}
