"""How far a judge can be trusted: how often it is right, in what, and which way it leans.

Knows pairs whose better half is known, and a judge. Knows nothing of how either came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from idiolect.evaluation.statistics import Measure, mean_with_interval
from idiolect.judge.examples import LabelledPair
from idiolect.judge.pairs import Pair, PairJudge, Verdict, judge_pairs

__all__ = ["Checked", "JudgeCheck", "check_judge", "preference_for", "win_table"]


class Checked(BaseModel):
    """A judge on one kind of pairs. Shares are of all pairs: one without a verdict counts as wrong."""

    model_config = ConfigDict(frozen=True)
    pairs: int
    unjudged: int
    """Pairs without a verdict in one order or both."""
    right: Measure
    """Share in which the better text wins by the mean of both orders."""
    right_in_both: Measure
    """Share in which it wins in either order."""
    position_bias: Measure
    """How much more the text in the first place is preferred than its worth says, −0.5 to 0.5; 0 is fair."""
    length_bias: Measure
    """Share right where the better text is the longer, less that where it is the shorter; 0 is fair."""
    by_feature: dict[str, Measure]
    """Share right of the pairs that differ in one feature only."""


class JudgeCheck(BaseModel):
    """All of a judge's figures."""

    model_config = ConfigDict(frozen=True)
    judge: str
    by_source: dict[str, Checked]
    """Each kind of pairs, and ``all`` of them together."""
    verbosity_bias: Measure
    """How much more a text is preferred once idle sentences are added to it, −0.5 to 0.5: over 0, padding pays."""
    self_preference: Measure
    """How much more the draft of the judge's own base model is preferred to another writer's than the truth prefers it."""


def check_judge(
    judge: PairJudge,
    pairs: Sequence[LabelledPair],
    *,
    padded: Sequence[Pair] = (),
    own_drafts: Sequence[tuple[Pair, float]] = (),
    seed: int = 0,
) -> JudgeCheck:
    """Ask the judge about all pairs in both orders, in one go.

    ``padded`` are pairs of a text with padding and without; ``own_drafts`` pairs of the judge's own model's draft and another's, each
    with the score that the first deserves.
    """
    asked = [*(one.pair for one in pairs), *padded, *(pair for pair, _ in own_drafts)]
    found = judge_pairs(judge, asked)
    labelled, rest = found[: len(pairs)], found[len(pairs) :]
    sources = dict.fromkeys(one.source for one in pairs)
    groups = {source: [place for place, one in enumerate(pairs) if one.source == source] for source in sources}
    if len(groups) > 1:
        groups["all"] = list(range(len(pairs)))
    own = [verdict.win - deserved if verdict else None for verdict, (_, deserved) in zip(rest[len(padded) :], own_drafts, strict=True)]
    return JudgeCheck(
        judge=judge.name,
        by_source={
            source: _checked([pairs[place] for place in places], [labelled[place] for place in places], seed)
            for source, places in groups.items()
        },
        verbosity_bias=preference_for(rest[: len(padded)], seed=seed),
        self_preference=mean_with_interval(own, seed=seed, bounds=(-1, 1)),
    )


def preference_for(verdicts: Sequence[Verdict | None], *, seed: int = 0) -> Measure:
    """How much more the first of each pair is preferred than a tie."""
    return mean_with_interval([one.win - 0.5 if one else None for one in verdicts], seed=seed, bounds=(-0.5, 0.5))


def win_table(judge: PairJudge, drafts: Mapping[str, Sequence[tuple[str, str]]]) -> dict[tuple[str, str], list[float | None]]:
    """More than two writers: each pair's scores on each request, as ``ranking.rank`` wants them.

    ``drafts`` are each writer's (request, text), for the same requests in the same order. Every pair is judged in both orders.
    """
    names = list(drafts)
    matches = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    asked = [
        Pair(request, text, other_text)
        for one, other in matches
        for (request, text), (_, other_text) in zip(drafts[one], drafts[other], strict=True)
    ]
    won = [verdict.win if verdict else None for verdict in judge_pairs(judge, asked)]
    size = len(asked) // len(matches) if matches else 0
    return {match: won[at * size : (at + 1) * size] for at, match in enumerate(matches)}


def _checked(pairs: Sequence[LabelledPair], found: Sequence[Verdict | None], seed: int) -> Checked:
    right = [float(verdict is not None and verdict.win > 0.5) for verdict in found]
    both = [float(verdict is not None and verdict.forward > 0.5 and verdict.backward > 0.5) for verdict in found]
    longer = [len(one.better.split()) - len(one.worse.split()) for one in pairs]
    single: dict[str, list[float]] = {}
    for one, value in zip(pairs, right, strict=True):
        if len(one.features) == 1:
            single.setdefault(one.features[0], []).append(value)
    return Checked(
        pairs=len(pairs),
        unjudged=sum(verdict is None for verdict in found),
        right=mean_with_interval(right, seed=seed, bounds=(0, 1)),
        right_in_both=mean_with_interval(both, seed=seed, bounds=(0, 1)),
        position_bias=mean_with_interval([verdict.lean if verdict else None for verdict in found], seed=seed, bounds=(-0.5, 0.5)),
        length_bias=_length_bias(right, longer),
        by_feature={name: mean_with_interval(values, seed=seed, bounds=(0, 1)) for name, values in sorted(single.items())},
    )


def _length_bias(right: Sequence[float], longer: Sequence[int]) -> Measure:
    """The difference of the two shares, without an interval. None where all better texts are longer, or all shorter."""
    when_longer = [value for value, more in zip(right, longer, strict=True) if more > 0]
    when_shorter = [value for value, more in zip(right, longer, strict=True) if more < 0]
    if not when_longer or not when_shorter:
        return Measure()
    return Measure(mean=round(sum(when_longer) / len(when_longer) - sum(when_shorter) / len(when_shorter), 6))
