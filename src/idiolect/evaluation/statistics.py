"""Means and differences with 95 % intervals, by a paired bootstrap over requests, or over authors and requests within them.

Knows numbers. Knows nothing of what they measure. The same values and seed give the same interval, and all measures of
one sample size share their resamples, so that what stands in one row of a table is paired.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict

__all__ = [
    "RESAMPLES",
    "Difference",
    "Measure",
    "exact_bounds",
    "holm",
    "mean_with_interval",
    "paired_difference",
    "percentile_interval",
    "resample_weights",
    "with_holm",
]

RESAMPLES = 9999
POWER = 0.8
_DIGITS = 6
_LARGEST_BLOCK = 4_000_000

Values = Sequence[float | None]
Authors = Sequence[Hashable]
Bounds = tuple[float, float]


class Measure(BaseModel):
    """A mean and its 95 % interval. None says that the sample cannot tell: no value at all, or one value and no interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: float | None = None
    low: float | None = None
    high: float | None = None


class Difference(Measure):
    """A paired mean difference."""

    p: float | None = None
    """Two-sided, by inverting the interval: below 0.05 where the 95 % interval leaves out 0."""
    p_holm: float | None = None
    """``p`` corrected for the number of methods that are compared (Holm 1979)."""
    smallest_detectable: float | None = None
    """The true difference that a sample of this size and spread would show (p < 0.05) four times in five."""


@dataclass(frozen=True)
class _Sample:
    """Values in the order of their authors."""

    values: np.ndarray
    sizes: tuple[int, ...]
    """How many values each author has."""

    @classmethod
    def of(cls, values: Values, authors: Authors | None) -> _Sample:
        """The values that are there; None says nothing about the measure. Raises ``ValueError`` for another number of authors."""
        pairs = list(zip(values, authors if authors is not None else [0] * len(values), strict=True))
        by_author: dict[Hashable, list[float]] = {}
        for value, author in pairs:
            if value is not None:
                by_author.setdefault(author, []).append(value)
        return cls(np.array([value for group in by_author.values() for value in group], dtype=float), tuple(map(len, by_author.values())))

    @property
    def units(self) -> int:
        """What the sample is a sample of: authors where there are several, else requests."""
        return len(self.sizes) if len(self.sizes) > 1 else len(self.values)

    @property
    def mean(self) -> float:
        """Each author counts the same."""
        groups = np.split(self.values, np.cumsum(self.sizes)[:-1])
        return float(np.mean([group.mean() for group in groups]))

    def resampled_means(self, seed: int) -> np.ndarray:
        """means_R of RESAMPLES samples drawn with replacement: authors, then requests within each author drawn."""
        size = len(self.values)
        if size * RESAMPLES <= _LARGEST_BLOCK:
            return _weights(self.sizes, seed) @ self.values
        rng = np.random.default_rng([seed, *self.sizes])
        block = max(1, _LARGEST_BLOCK // size)
        counts = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
        return np.concatenate([_draw(rng, self.sizes, count) @ self.values for count in counts])


def mean_with_interval(
    values: Values, *, authors: Authors | None = None, seed: int = 0, level: float = 0.95, bounds: Bounds | None = None
) -> Measure:
    """The mean over requests with its bias-corrected and accelerated bootstrap interval (Efron 1987).

    With several ``authors`` (one for each value) it is the mean of the authors' means, and both levels are resampled; few authors
    widen the interval (the expanded percentile interval of Hesterberg 2015). None among the values is left out. A bootstrap of
    equal values has no width; at a bound of the measure (``bounds``), where 5 faultless drafts of 5 do not prove a faultless
    writer, the interval is then the exact one-sided one.
    """
    sample = _Sample.of(values, authors)
    if not len(sample.values):
        return Measure()
    mean = sample.mean
    if len(sample.values) == 1:
        return Measure(mean=round(mean, _DIGITS))
    if np.ptp(sample.values) == 0:
        low, high = exact_bounds(mean, sample.units, level, bounds)
    else:
        low, high = _Bootstrap(sample, seed).interval(level)
    return Measure(mean=round(mean, _DIGITS), low=round(low, _DIGITS), high=round(high, _DIGITS))


def paired_difference(
    values: Values,
    against: Values,
    *,
    authors: Authors | None = None,
    seed: int = 0,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Difference:
    """The mean of ``values - against``, request by request, with its p-value and the smallest difference that would show.

    Requests that either lacks are left out. ``bounds`` are those of the difference. Raises ``ValueError`` when the two are not of
    one length.
    """
    differences = [a - b if a is not None and b is not None else None for a, b in zip(values, against, strict=True)]
    measure = mean_with_interval(differences, authors=authors, seed=seed, level=level, bounds=bounds)
    sample = _Sample.of(differences, authors)
    if len(sample.values) < 2:
        return Difference(**measure.model_dump())
    # What all signs alike say. The resamples of a few differences say more than these can.
    sign_test = min(1.0, 2.0 ** (1 - sample.units))
    if np.ptp(sample.values) == 0:
        # All differences alike: the sign test, as the bootstrap has nothing to go by.
        p = 1.0 if sample.values[0] == 0 else sign_test
        return Difference(**measure.model_dump(), p=round(p, _DIGITS))
    bootstrap = _Bootstrap(sample, seed)
    # Over authors the p-value is by Student's t, which knows how few they are.
    p = bootstrap.p if len(sample.sizes) > 1 else max(bootstrap.p, sign_test)
    return Difference(**measure.model_dump(), p=round(p, _DIGITS), smallest_detectable=round(bootstrap.smallest_detectable(level), _DIGITS))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: the k-th smallest of m is multiplied by m − k + 1, and none falls below a smaller one's.

    None is no test and does not count.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[index] = highest
    return corrected


def with_holm(differences: Mapping[str, Mapping[str, Difference]]) -> dict[str, dict[str, Difference]]:
    """Each method's differences with ``p_holm``: corrected over the methods, measure by measure."""
    measures = list(dict.fromkeys(measure for found in differences.values() for measure in found))
    corrected: dict[str, dict[str, Difference]] = {name: {} for name in differences}
    for measure in measures:
        names = [name for name in differences if measure in differences[name]]
        for name, p in zip(names, holm([differences[name][measure].p for name in names]), strict=True):
            corrected[name][measure] = differences[name][measure].model_copy(update={"p_holm": None if p is None else round(p, _DIGITS)})
    return corrected


def exact_bounds(mean: float, size: int, level: float = 0.95, bounds: Bounds | None = None) -> tuple[float, float]:
    """The interval of a mean of ``size`` equal values: at a bound the exact one (Clopper and Pearson 1934), else without width."""
    if bounds is None or mean not in bounds or not size:
        return mean, mean
    low, high = bounds
    reach = (high - low) * (1 - ((1 - level) / 2) ** (1 / size))
    return (low, low + reach) if mean == low else (high - reach, high)


def percentile_interval(estimates: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The middle of resampled estimates."""
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resample_weights(size: int, *, authors: Authors | None = None, seed: int = 0, count: int = RESAMPLES) -> np.ndarray:
    """weights_R_N: how large a part of each resample every request is, for estimates other than a mean. Rows sum to 1."""
    order: dict[Hashable, list[int]] = {}
    for index, author in enumerate(authors if authors is not None else [0] * size):
        order.setdefault(author, []).append(index)
    sizes = tuple(map(len, order.values()))
    weights = np.empty((count, size))
    weights[:, [index for group in order.values() for index in group]] = _draw(np.random.default_rng([seed, *sizes]), sizes, count)
    return weights


class _Bootstrap:
    """The resampled means of a sample, and what follows from them."""

    def __init__(self, sample: _Sample, seed: int) -> None:
        # Imported here because scipy takes most of a second, which `idiolect --help` does not have.
        from scipy import special

        self._normal, self._quantile = special.ndtr, special.ndtri
        self._t, self._t_quantile = special.stdtr, special.stdtrit
        self.sample, self.mean = sample, sample.mean
        self.means = sample.resampled_means(seed)
        # Sums in another order differ in the last bits, and a resample of equal mean must count as equal.
        self._close = 1e-12 * max(1.0, float(np.abs(sample.values).max()))
        self._stretch = np.sqrt(sample.units / (sample.units - 1))
        self._hierarchical = len(sample.sizes) > 1
        centred = sample.values - sample.values.mean()
        self._acceleration = float((centred**3).sum() / (6 * (centred**2).sum() ** 1.5))

    def _below(self, value: float) -> float:
        """Share of the resampled means below a value, ties as half; never 0 or 1, which a finite number of resamples cannot say."""
        below, equal = (self.means < value - self._close).mean(), (np.abs(self.means - value) <= self._close).mean()
        return float(np.clip(below + equal / 2, 1 / len(self.means), 1 - 1 / len(self.means)))

    def interval(self, level: float) -> tuple[float, float]:
        tail = (1 - level) / 2
        if self._hierarchical:
            lowest = self._normal(self._stretch * self._t_quantile(self.sample.units - 1, tail))
            shares = [lowest, 1 - lowest]
        else:
            bias, z = self._quantile(self._below(self.mean)), self._quantile(tail)
            shares = [self._normal(bias + (bias + one) / (1 - self._acceleration * (bias + one))) for one in (z, -z)]
        low, high = np.quantile(self.means, shares)
        return float(low), float(high)

    @property
    def p(self) -> float:
        """1 less the level of the widest interval that leaves out 0."""
        z = self._quantile(self._below(0.0))
        if self._hierarchical:
            return float(2 * self._t(self.sample.units - 1, -abs(z) / self._stretch))
        bias = self._quantile(self._below(self.mean))
        moved = (z - bias) / (1 + self._acceleration * (z - bias)) - bias
        return float(2 * self._normal(-abs(moved)))

    def smallest_detectable(self, level: float) -> float:
        """(t of the level + t of the power) standard errors, the bootstrap's corrected for the size of the sample."""
        freedom = self.sample.units - 1
        error = float(self.means.std()) * self._stretch
        return float((self._t_quantile(freedom, (1 + level) / 2) + self._t_quantile(freedom, POWER)) * error)


@lru_cache(maxsize=8)
def _weights(sizes: tuple[int, ...], seed: int) -> np.ndarray:
    return _draw(np.random.default_rng([seed, *sizes]), sizes, RESAMPLES)


def _draw(rng: np.random.Generator, sizes: tuple[int, ...], count: int) -> np.ndarray:
    """weights_R_N: how large a part of each resample every value is."""
    if len(sizes) == 1:
        return rng.multinomial(sizes[0], np.full(sizes[0], 1 / sizes[0]), size=count) / sizes[0]
    authors = len(sizes)
    drawn = rng.multinomial(authors, np.full(authors, 1 / authors), size=count)
    # An author drawn c times has c resamples of its n requests, which together are one of c·n draws.
    parts = [rng.multinomial(drawn[:, index] * size, np.full(size, 1 / size)) / (size * authors) for index, size in enumerate(sizes)]
    return np.concatenate(parts, axis=1)
