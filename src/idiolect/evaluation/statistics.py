"""Means with 95 % intervals, by a paired bootstrap over requests.

Knows numbers. Knows nothing of what they measure. The same values and seed give the same interval, and all measures of
one sample size share their resamples, so that what stands in one row of a table is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict

__all__ = ["RESAMPLES", "Measure", "mean_with_interval", "paired_difference"]

RESAMPLES = 9999
_DIGITS = 6
_LARGEST_BLOCK = 4_000_000

Values = Sequence[float | None]


class Measure(BaseModel):
    """A mean and its 95 % interval. None says that the sample cannot tell: no value at all, or one value and no interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: float | None = None
    low: float | None = None
    high: float | None = None


def mean_with_interval(values: Values, *, seed: int = 0, level: float = 0.95) -> Measure:
    """The mean over requests with its bias-corrected and accelerated bootstrap interval (Efron 1987).

    None among the values is left out: that request says nothing about the measure. Values that are all equal have an
    interval of no width, since the bootstrap knows only what it saw.
    """
    sample = np.array([value for value in values if value is not None], dtype=float)
    if not len(sample):
        return Measure()
    mean = float(sample.mean())
    if len(sample) == 1:
        return Measure(mean=round(mean, _DIGITS))
    if np.ptp(sample) == 0:
        return Measure(mean=round(mean, _DIGITS), low=round(mean, _DIGITS), high=round(mean, _DIGITS))
    low, high = _bca(sample, mean, seed, level)
    return Measure(mean=round(mean, _DIGITS), low=round(low, _DIGITS), high=round(high, _DIGITS))


def paired_difference(values: Values, against: Values, *, seed: int = 0, level: float = 0.95) -> Measure:
    """The mean of ``values - against``, request by request; requests that either lacks are left out.

    Raises ``ValueError`` when the two are not of one length.
    """
    pairs = zip(values, against, strict=True)
    return mean_with_interval([a - b if a is not None and b is not None else None for a, b in pairs], seed=seed, level=level)


def _bca(sample: np.ndarray, mean: float, seed: int, level: float) -> tuple[float, float]:
    # Imported here because scipy.stats takes most of a second, which `idiolect --help` does not have.
    from scipy.special import ndtr, ndtri

    means = _resampled_means(sample, seed)
    # Sums in another order differ in the last bits, and a resample of equal mean must count as equal.
    close = 1e-12 * max(1.0, float(np.abs(sample).max()))
    below, equal = (means < mean - close).mean(), (np.abs(means - mean) <= close).mean()
    bias = ndtri(np.clip(below + equal / 2, 1 / len(means), 1 - 1 / len(means)))
    centred = sample - mean
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    tail = ndtri((1 - level) / 2)
    shares = [ndtr(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (tail, -tail)]
    low, high = np.quantile(means, shares)
    return float(low), float(high)


def _resampled_means(sample: np.ndarray, seed: int) -> np.ndarray:
    """means_R: the means of RESAMPLES samples drawn with replacement."""
    size = len(sample)
    if size * RESAMPLES <= _LARGEST_BLOCK:
        return _weights(size, seed) @ sample
    rng = np.random.default_rng([seed, size])
    block = max(1, _LARGEST_BLOCK // size)
    counts = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
    return np.concatenate([_draw(rng, size, count) @ sample for count in counts])


@lru_cache(maxsize=8)
def _weights(size: int, seed: int) -> np.ndarray:
    return _draw(np.random.default_rng([seed, size]), size, RESAMPLES)


def _draw(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """weights_R_N: how large a part of each resample every value is."""
    return rng.multinomial(size, np.full(size, 1 / size), size=count) / size
