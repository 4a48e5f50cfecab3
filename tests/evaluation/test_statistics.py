"""Intervals against scipy's, against the truth by simulation, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from idiolect.evaluation.statistics import Measure, mean_with_interval, paired_difference


@pytest.mark.parametrize("size", [12, 50, 700])
def test_interval_agrees_with_scipy(size: int) -> None:
    sample = np.random.default_rng(size).beta(2, 5, size)
    ours = mean_with_interval(list(sample))
    theirs = bootstrap((sample,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(1)).confidence_interval
    width = theirs.high - theirs.low
    assert ours.mean == pytest.approx(sample.mean(), abs=1e-6)
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        found = mean_with_interval(list(rng.beta(4, 2, 40)))
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= 4 / 6 <= found.high)
    assert 0.90 <= np.mean(covered) <= 0.985


def test_same_values_and_seed_give_the_same_numbers() -> None:
    values = list(np.random.default_rng(5).random(30))
    assert mean_with_interval(values, seed=3) == mean_with_interval(values, seed=3)
    assert mean_with_interval(values, seed=3) != mean_with_interval(values, seed=4)


def test_pairing_narrows_the_interval_of_a_constant_shift() -> None:
    base = list(np.random.default_rng(2).random(40))
    shifted = [value + 0.1 + 0.001 * (index % 3) for index, value in enumerate(base)]
    difference = paired_difference(shifted, base)
    alone = mean_with_interval(shifted)
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low > 0.1
    assert alone.high is not None
    assert alone.low is not None
    assert difference.high - difference.low < (alone.high - alone.low) / 50


def test_a_sample_too_small_says_so() -> None:
    assert mean_with_interval([]) == Measure()
    assert mean_with_interval([None, None]) == Measure()
    assert mean_with_interval([0.4]) == Measure(mean=0.4)
    assert mean_with_interval([1.0, 1.0, 1.0]) == Measure(mean=1.0, low=1.0, high=1.0)


def test_missing_values_are_left_out_in_pairs() -> None:
    assert paired_difference([1.0, None, 0.5], [0.5, 0.5, None]) == Measure(mean=0.5)
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 0.0], [1.0])


def test_binary_values_stay_within_their_range() -> None:
    found = mean_with_interval([1.0] * 49 + [0.0])
    assert found.low is not None
    assert found.high is not None
    assert 0.8 < found.low < found.high <= 1.0
