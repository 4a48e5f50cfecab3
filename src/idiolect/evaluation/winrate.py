"""From verdicts on pairs of drafts to win rates: with ties as half, without the effect of length, and with the judge's own faults.

Knows verdicts and lengths. Knows nothing of who judged or wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from idiolect.evaluation.statistics import Measure, exact_bounds, mean_with_interval, percentile_interval, resample_weights
from idiolect.judge.pairs import Verdict

__all__ = ["Agreement", "WinRate", "agreement", "cohen_kappa", "length_controlled", "win_rate"]

_RESAMPLES = 2000
_LENGTH_PENALTY = 0.1
_DIGITS = 6


class WinRate(BaseModel):
    """A writer against an opponent in the eyes of one judge."""

    model_config = ConfigDict(frozen=True)
    judge: str
    opponent: str
    win_rate: Measure
    """Mean over requests of the verdicts of both orders, ties as half."""
    length_controlled: Measure
    """What it would be between drafts of one length."""
    position_bias: Measure
    """How much more often the draft in the first place is preferred than its worth says: 0 is fair, 0.5 is always."""
    turned: Measure
    """Share of pairs whose verdict turns with the order."""


class Agreement(BaseModel):
    """Two judges on the same pairs."""

    model_config = ConfigDict(frozen=True)
    judges: tuple[str, str]
    agree: Measure
    """Share of pairs with the same verdict: win, tie or loss."""
    kappa: Measure
    """Cohen's κ: agreement beyond that of two judges who give the same shares of verdicts by chance."""


def win_rate(
    verdicts: Sequence[Verdict | None], lengths: Sequence[tuple[int, int]], *, judge: str, opponent: str, seed: int = 0
) -> WinRate:
    """All of a judge's figures on one writer. ``lengths`` are the words of the writer's and of the opponent's draft."""
    won = [verdict.win if verdict else None for verdict in verdicts]
    turned = [float((one.forward - 0.5) * (one.backward - 0.5) < 0) if one else None for one in verdicts]
    return WinRate(
        judge=judge,
        opponent=opponent,
        win_rate=mean_with_interval(won, seed=seed, bounds=(0, 1)),
        length_controlled=length_controlled(won, lengths, seed=seed),
        position_bias=mean_with_interval([one.lean if one else None for one in verdicts], seed=seed, bounds=(-0.5, 0.5)),
        turned=mean_with_interval(turned, seed=seed, bounds=(0, 1)),
    )


def length_controlled(won: Sequence[float | None], lengths: Sequence[tuple[int, int]], *, seed: int = 0) -> Measure:
    """The win rate between drafts of one length (Dubois et al. 2024, arXiv 2404.04475, without the term of the request's difficulty).

    logit P(win) = θ + φ·tanh(Δ/s), where Δ is the difference in words and s its standard deviation; the figure is the logistic of
    θ. A win and a loss of equal length, half each, keep θ finite; a small penalty keeps φ finite. Interval: percentiles over
    resampled requests.
    """
    kept = [(one, a - b) for one, (a, b) in zip(won, lengths, strict=True) if one is not None]
    if not kept:
        return Measure()
    target, difference = np.array([one for one, _ in kept]), np.array([delta for _, delta in kept], dtype=float)
    spread = difference.std()
    scaled = np.tanh(difference / spread) if spread else np.zeros_like(difference)
    size = len(kept)
    mean = float(_fitted(target, scaled, np.ones((1, size)))[0])
    if size == 1:
        return Measure(mean=round(mean, _DIGITS))
    estimates = _fitted(target, scaled, resample_weights(size, seed=seed, count=_RESAMPLES) * size)
    low, high = percentile_interval(estimates)
    if np.ptp(target) == 0:
        # Where all are won, resampling shows nothing of what could have been lost.
        exact_low, exact_high = exact_bounds(float(target[0]), size, bounds=(0, 1))
        low, high = min(low, exact_low), max(high, exact_high)
    return Measure(mean=round(mean, _DIGITS), low=round(low, _DIGITS), high=round(high, _DIGITS))


def _fitted(target_N: np.ndarray, scaled_N: np.ndarray, weights_R_N: np.ndarray) -> np.ndarray:
    """rates_R: the logistic of θ for each row of weights, by Newton's method on all rows at a time."""
    rows = len(weights_R_N)
    weights = np.concatenate([weights_R_N, np.full((rows, 2), 0.5)], axis=1)
    target = np.concatenate([target_N, [1.0, 0.0]])
    design = np.stack([np.ones(len(target)), np.concatenate([scaled_N, [0.0, 0.0]])], axis=1)
    penalty = np.diag([0.0, _LENGTH_PENALTY])
    found = np.zeros((rows, 2))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-found @ design.T))
        slope = (weights * (target - chance)) @ design - found @ penalty
        curve = np.einsum("rn,ni,nj->rij", weights * chance * (1 - chance), design, design, optimize=True) + penalty
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return 1 / (1 + np.exp(-found[:, 0]))


def agreement(one: Sequence[Verdict | None], other: Sequence[Verdict | None], *, judges: tuple[str, str], seed: int = 0) -> Agreement:
    """How far two judges agree on the pairs that both judged; the truth may be one of them."""
    labels = [(a.label, b.label) for a, b in zip(one, other, strict=True) if a and b]
    same = [float(a == b) for a, b in labels]
    return Agreement(
        judges=judges,
        agree=mean_with_interval(same, seed=seed, bounds=(0, 1)),
        kappa=cohen_kappa([a for a, _ in labels], [b for _, b in labels], seed=seed),
    )


def cohen_kappa(one: Sequence[str], other: Sequence[str], *, seed: int = 0) -> Measure:
    """(observed − chance) / (1 − chance) agreement (Cohen 1960), with percentiles over resampled pairs.

    None where both always say the same one thing: chance then explains all.
    """
    names = sorted({*one, *other})
    size = len(one)
    if not size:
        return Measure()
    same = np.array([a == b for a, b in zip(one, other, strict=True)], dtype=float)
    first = np.array([[label == name for name in names] for label in one], dtype=float)
    second = np.array([[label == name for name in names] for label in other], dtype=float)

    def kappas(weights: np.ndarray) -> np.ndarray:
        chance = ((weights @ first) * (weights @ second)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (weights @ same - chance) / (1 - chance)

    mean = kappas(np.full((1, size), 1 / size))[0]
    if not np.isfinite(mean) or size == 1:
        return Measure()
    estimates = kappas(resample_weights(size, seed=seed, count=_RESAMPLES))
    low, high = percentile_interval(estimates[np.isfinite(estimates)])
    return Measure(mean=round(float(mean), _DIGITS), low=round(low, _DIGITS), high=round(high, _DIGITS))
