"""More than two writers in one order, from their pairwise verdicts.

Knows scores of pairs. Knows nothing of who judged or wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from idiolect.evaluation.statistics import Measure, percentile_interval, resample_weights

__all__ = ["Ranked", "bradley_terry", "rank"]

_RESAMPLES = 2000
_PRIOR_VARIANCE = 9.0
_DIGITS = 6

Scores = Mapping[tuple[str, str], Sequence[float | None]]
"""For each pair of writers, the first one's score on each request: 1 win, 0.5 tie, 0 loss; None where it was not judged."""


class Ranked(BaseModel):
    """One writer among all."""

    model_config = ConfigDict(frozen=True)
    writer: str
    rank: int
    """1 for the best."""
    best_rank: int
    """The best and the worst rank that the interval of the order allows, by resampling requests."""
    worst_rank: int
    score: Measure
    """Log-odds of winning against an average one of these writers."""
    chance: Measure
    """The same as a probability."""


def bradley_terry(wins_R_P_P: np.ndarray) -> np.ndarray:
    """scores_R_P of writers from how often each won against each, ties as half to both (Bradley and Terry 1952).

    P(i beats j) = 1 / (1 + exp(βj − βi)). A normal prior of variance 9 on each β, which moves little where there are tens of
    games, keeps the score of a writer that never loses finite and makes the scores sum to 0. Newton's method on all R at a time.
    """
    games = wins_R_P_P + wins_R_P_P.transpose(0, 2, 1)
    rows, writers, _ = wins_R_P_P.shape
    scores = np.zeros((rows, writers))
    for _ in range(100):
        chance = 1 / (1 + np.exp(scores[:, None, :] - scores[:, :, None]))
        slope = (wins_R_P_P - games * chance).sum(axis=2) - scores / _PRIOR_VARIANCE
        spread = games * chance * (1 - chance)
        curve = -spread
        place = np.arange(writers)
        curve[:, place, place] += spread.sum(axis=2) + 1 / _PRIOR_VARIANCE
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        scores += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return scores


def rank(scores: Scores, *, seed: int = 0) -> list[Ranked]:
    """The writers, best first. All pairs of a request are resampled together, so what one hard request does to all is one event.

    Raises ``ValueError`` when the pairs are not of one number of requests.
    """
    names = list(dict.fromkeys(name for pair in scores for name in pair))
    sizes = {len(won) for won in scores.values()}
    if len(sizes) > 1:
        raise ValueError("the pairs have different numbers of requests")
    size = sizes.pop() if sizes else 0
    if not size or not any(one is not None for won in scores.values() for one in won):
        return []
    wins_N_P_P = np.zeros((size, len(names), len(names)))
    for (one, other), won in scores.items():
        for index, score in enumerate(won):
            if score is not None:
                wins_N_P_P[index, names.index(one), names.index(other)] += score
                wins_N_P_P[index, names.index(other), names.index(one)] += 1 - score
    found = bradley_terry(wins_N_P_P.sum(axis=0)[None])[0]
    weights_R_N = resample_weights(size, seed=seed, count=_RESAMPLES) * size
    resampled_R_P = bradley_terry(np.tensordot(weights_R_N, wins_N_P_P, axes=1))
    # A writer's rank in a resample is 1 + how many are better.
    ranks_R_P = 1 + (resampled_R_P[:, None, :] > resampled_R_P[:, :, None] + 1e-9).sum(axis=2)
    ranked = []
    for index in np.argsort(-found, kind="stable"):
        low, high = percentile_interval(resampled_R_P[:, index])
        best, worst = (round(value) for value in percentile_interval(ranks_R_P[:, index]))
        score = Measure(mean=round(float(found[index]), _DIGITS), low=round(low, _DIGITS), high=round(high, _DIGITS))
        place = 1 + int((found > found[index] + 1e-9).sum())
        ranked.append(Ranked(writer=names[index], rank=place, best_rank=best, worst_rank=worst, score=score, chance=_as_chance(score)))
    return ranked


def _as_chance(score: Measure) -> Measure:
    values = {name: None if one is None else round(float(1 / (1 + np.exp(-one))), _DIGITS) for name, one in score}
    return Measure(**values)
