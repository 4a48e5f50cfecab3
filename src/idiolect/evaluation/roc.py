"""How well scores tell two classes apart and how true probabilities are, with intervals over authors.

Knows scores, labels and who wrote what. Knows nothing of texts. Both classes weigh the same throughout, whatever their
numbers: a probability is right when it holds at even prior odds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from idiolect.evaluation.statistics import Measure

__all__ = ["Scores", "Trials", "over_authors"]

RESAMPLES = 1000
_BINS = 10


@dataclass(frozen=True)
class Trials:
    """Trial i asks whether ``asked_i`` wrote a text that ``writer_i`` wrote; ``text_i`` numbers the text. Authors are numbers from 0."""

    asked: np.ndarray
    writer: np.ndarray
    text: np.ndarray

    @property
    def own(self) -> np.ndarray:
        return self.asked == self.writer

    def weights(self, authors: np.ndarray) -> np.ndarray:
        """weights_I: of trials where author a counts ``authors_a`` times, as the one who is asked about and as the one who wrote."""
        return np.where(self.own, authors[self.asked], authors[self.asked] * authors[self.writer]).astype(float)

    def attributed(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """right_T, writer_T: for each text that its writer is asked about, the chance of naming the writer by the highest mean score.

        Those who share the highest score share the chance.
        """
        texts, place = np.unique(self.text, return_inverse=True)
        size = int(self.asked.max()) + 1
        total, times = np.zeros((len(texts), size)), np.zeros((len(texts), size))
        np.add.at(total, (place, self.asked), scores)
        np.add.at(times, (place, self.asked), 1)
        means = np.where(times > 0, total / np.maximum(times, 1), -np.inf)
        writer = np.zeros(len(texts), dtype=int)
        writer[place] = self.writer
        best = means == means.max(axis=1, keepdims=True)
        right = best[np.arange(len(texts)), writer] / best.sum(axis=1)
        asked = times[np.arange(len(texts)), writer] > 0
        return right[asked], writer[asked]


@dataclass(frozen=True)
class Scores:
    """``values_I`` of trials and which of them ask about an author's own text. Each measure takes weights_I."""

    values: np.ndarray
    own: np.ndarray

    def auc(self, weights: np.ndarray) -> float:
        """The area under the ROC curve; ties count half."""
        above, below = self._by_level(weights)
        return float((above * (np.cumsum(below) - below / 2)).sum() / (above.sum() * below.sum()))

    def eer(self, weights: np.ndarray) -> float:
        """The equal error rate: the share of errors where as many own texts are rejected as others' are accepted."""
        above, below = self._by_level(weights)
        rejected = np.concatenate([[0], np.cumsum(above) / above.sum()])
        accepted = np.concatenate([[1], 1 - np.cumsum(below) / below.sum()])
        after = int(np.argmax(rejected >= accepted))
        rise, fall = rejected[after] - rejected[after - 1], accepted[after - 1] - accepted[after]
        return float(rejected[after - 1] + (accepted[after - 1] - rejected[after - 1]) / (rise + fall) * rise)

    def brier(self, weights: np.ndarray) -> float:
        """The mean squared distance of probabilities from the truth (Brier 1950): 0.25 for one who always says one half."""
        return float(self._even(weights) @ (self.values - self.own) ** 2)

    def ece(self, weights: np.ndarray) -> float:
        """The expected calibration error: the mean distance of probability from share, over ten bins of equal width."""
        bins = np.minimum((self.values * _BINS).astype(int), _BINS - 1)
        return float(np.abs(np.bincount(bins, self._even(weights) * (self.values - self.own), _BINS)).sum())

    @cached_property
    def _levels(self) -> np.ndarray:
        return np.unique(self.values, return_inverse=True)[1]

    def _by_level(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """own_L, others_L: the weight of each class at each distinct score, rising."""
        return np.bincount(self._levels, weights * self.own), np.bincount(self._levels, weights * ~self.own)

    def _even(self, weights: np.ndarray) -> np.ndarray:
        return np.where(self.own, 0.5 * weights / weights[self.own].sum(), 0.5 * weights / weights[~self.own].sum())


def over_authors(measure: Callable[[np.ndarray], float], authors: int, *, seed: int = 0) -> Measure:
    """A measure of weights_A for A authors, with its 95 % percentile interval over resampled authors.

    Resamples that leave a measure without a value (one class empty) are drawn but not counted.
    """
    rng = np.random.default_rng([seed, authors])
    drawn = rng.multinomial(authors, np.full(authors, 1 / authors), size=RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.array([measure(weights) for weights in drawn])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Measure(mean=round(measure(np.ones(authors)), 6), low=round(float(low), 6), high=round(float(high), 6))
