"""Intervals against scipy's, against the truth by simulation, and at the edges."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, ttest_1samp

from idiolect.evaluation.statistics import (
    Difference,
    Measure,
    holm,
    mean_with_interval,
    paired_difference,
    resample_weights,
    with_holm,
)


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
    assert paired_difference([1.0, None, 0.5], [0.5, 0.5, None]) == Difference(mean=0.5)
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 0.0], [1.0])


def test_binary_values_stay_within_their_range() -> None:
    found = mean_with_interval([1.0] * 49 + [0.0])
    assert found.low is not None
    assert found.high is not None
    assert 0.8 < found.low < found.high <= 1.0


def test_equal_values_at_a_bound_have_the_exact_interval() -> None:
    """Five faultless drafts of five do not prove a faultless writer."""
    found = mean_with_interval([0.0] * 5, bounds=(0, 1))
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 5), abs=1e-6)
    many = mean_with_interval([1.0] * 200, bounds=(0, 1))
    assert many.low == pytest.approx(0.025 ** (1 / 200), abs=1e-6)
    assert mean_with_interval([0.5] * 5, bounds=(0, 1)) == Measure(mean=0.5, low=0.5, high=0.5)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_p_values_agree_with_the_interval_and_with_the_t_test(shift: float) -> None:
    for seed in range(20):
        sample = np.random.default_rng(seed).normal(shift, 0.3, 60)
        found = paired_difference(list(sample), [0.0] * 60)
        assert found.p is not None
        assert found.low is not None
        assert found.high is not None
        if not 0.04 < found.p < 0.06:
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        assert found.p == pytest.approx(ttest_1samp(sample, 0).pvalue, abs=0.05)


def test_the_smallest_detectable_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(1)
    size, spread = 40, 0.3
    known = paired_difference(list(rng.normal(0, spread, 4000)), [0.0] * 4000).smallest_detectable
    assert known is not None
    effect = known * np.sqrt(4000 / size) * 1.02  # 1.02: t for 40 against the normal
    found = [paired_difference(list(rng.normal(effect, spread, size)), [0.0] * size).p for _ in range(200)]
    assert 0.7 < np.mean([p < 0.05 for p in found if p is not None]) < 0.9


def test_too_few_requests_cannot_show_what_many_show() -> None:
    """The same difference, with 6 and with 60 requests."""
    rng = np.random.default_rng(3)
    many = rng.normal(0.15, 0.25, 60)
    few = paired_difference(list(many[:6]), [0.0] * 6)
    all_ = paired_difference(list(many), [0.0] * 60)
    assert few.smallest_detectable is not None
    assert all_.smallest_detectable is not None
    assert few.smallest_detectable > 0.15 > all_.smallest_detectable
    assert all_.low is not None
    assert few.low is not None
    assert few.low < 0 < all_.low
    equal = paired_difference([1.0] * 3, [0.5] * 3)
    assert equal.p == 0.25
    assert paired_difference([1.0] * 3, [1.0] * 3).p == 1.0


def test_authors_are_resampled_before_requests() -> None:
    """Twenty requests of each of five authors who differ: the interval is about people, and far wider than one over requests."""
    rng = np.random.default_rng(2)
    authors = np.repeat(np.arange(5), 20)
    values = rng.normal(0, 1, 5)[authors] + rng.normal(0, 0.1, 100)
    nested, flat = mean_with_interval(list(values), authors=list(authors)), mean_with_interval(list(values))
    assert nested.mean == pytest.approx(flat.mean, abs=1e-6)
    assert nested.high is not None
    assert nested.low is not None
    assert flat.high is not None
    assert flat.low is not None
    assert nested.high - nested.low > 3 * (flat.high - flat.low)
    one = mean_with_interval(list(values), authors=["x"] * 100)
    assert one == flat
    unequal = mean_with_interval([1.0, 0.0, 0.0, 0.0], authors=["a", "b", "b", "b"])
    assert unequal.mean == 0.5


def test_intervals_over_few_authors_cover_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(200):
        authors = np.repeat(np.arange(6), 8)
        found = mean_with_interval(list(rng.normal(0.5, 0.2, 6)[authors] + rng.normal(0, 0.2, 48)), authors=list(authors))
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= 0.5 <= found.high)
    assert np.mean(covered) >= 0.92


def test_resample_weights_keep_their_places() -> None:
    weights = resample_weights(4, authors=["a", "b", "a", "b"], count=500)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    # Columns 0 and 2 are one author's: a resample without the author has neither.
    without = weights[:, 0] + weights[:, 2] == 0
    assert 0.15 < without.mean() < 0.35


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(ps: list[float]) -> None:
    found = [p for p in holm(ps) if p is not None]
    assert all(p <= corrected <= 1 for p, corrected in zip(ps, found, strict=True))
    assert all(corrected <= min(1.0, len(ps) * p) for p, corrected in zip(ps, found, strict=True))
    order = np.argsort(ps, kind="stable")
    assert all(found[a] <= found[b] for a, b in pairwise(order))


def test_holm_corrects_over_the_methods_of_one_measure() -> None:
    found = with_holm({"a": {"style": Difference(p=0.02)}, "b": {"style": Difference(p=0.03), "facts": Difference(p=0.04)}})
    assert found["a"]["style"].p_holm == 0.04
    assert found["b"]["style"].p_holm == 0.04
    assert found["b"]["facts"].p_holm == 0.04
