"""Same author or not, learnt from counts: a logistic regression on similarities, and its calibration.

Knows counts, labels and folds. Knows nothing of texts, requests or files. There is no chance in it: the same rows give
the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from idiolect.evaluation.features import WEIGHTS, Counts

__all__ = ["LENGTHS", "Model", "fit_model"]

_STRENGTH = 10.0
"""The inverse of the L2 penalty (``C``); chosen on the development authors of docs/LOG.md, where 10 and 100 are as good."""

LENGTHS = (20, 40, 80, 160)
"""Words of the beginnings on which short texts are calibrated."""

Prior = tuple[tuple[float, ...], tuple[float, ...]]

_LENGTHS = (20, 40, 80, 160, 320)
_MANY_SOURCES: Prior = ((1.15, 1.25, 1.4, 1.5, 1.65), (-0.8, -1.05, -1.4, -1.7, -2.15))
_ONE_SOURCE: Prior = ((0.7, 0.8, 0.8, 0.7, 0.7), (-1.2, -1.65, -2.05, -2.1, -2.45))
"""The calibration's slope and shift by words before an author's own texts are seen, in standard deviations beyond the
impostors: what fits the development authors together. One source of impostors says less, so its slope is smaller."""
_SPREAD = np.array([0.5, 1.0])
"""By how much slope and shift differ between authors."""


@dataclass(frozen=True)
class Space:
    """Counts as rows of norm √ΣWEIGHTS: logarithmic counts times inverse document frequency, each view of norm √weight."""

    columns: dict[str, np.ndarray]
    idf: dict[str, np.ndarray]

    @classmethod
    def of(cls, counts: Counts) -> Space:
        """From the texts that a verifier learns from; what stands in only one of them tells nothing of a habit."""
        columns, idf = {}, {}
        for name, matrix in counts.views.items():
            found = np.bincount(matrix.indices, minlength=matrix.shape[1])
            columns[name] = np.flatnonzero(found >= 2)
            idf[name] = np.log((1 + matrix.shape[0]) / (1 + found[columns[name]])) + 1
        return cls(columns, idf)

    def rows(self, counts: Counts) -> Any:
        from scipy import sparse
        from sklearn.preprocessing import normalize

        parts = []
        for name, matrix in counts.views.items():
            part = matrix[:, self.columns[name]].copy()
            part.data = 1 + np.log(part.data)
            parts.append(normalize(part.multiply(self.idf[name]).tocsr()) * np.sqrt(WEIGHTS[name]))
        return sparse.hstack(parts, format="csr")


@dataclass(frozen=True)
class Model:
    """A fitted verifier. What it decides is turned into log-odds by a calibration that depends on a text's length."""

    space: Space
    weights: np.ndarray
    """weights_B: of the rows of ``space``."""
    bias: float
    calibration: np.ndarray
    """calibration_L_3: log words, slope and shift, by rising length."""
    outside: np.ndarray
    """outside_N: the decision on each text that it learnt from, by a model that had not seen its fold; NaN where there was none."""

    def decisions(self, counts: Counts) -> np.ndarray:
        """decisions_N: the larger, the more like the author; comparable between authors with as many texts and the same impostors."""
        return self.space.rows(counts) @ self.weights + self.bias

    def probabilities(self, counts: Counts) -> np.ndarray:
        """probabilities_N: that the author wrote each text, at even prior odds."""
        decisions = self.decisions(counts)
        length, *fit = self.calibration.T
        slope, shift = (np.interp(np.log1p(counts.words), length, values) for values in fit)
        return 1 / (1 + np.exp(-np.clip(slope * decisions + shift, -50, 50)))


def fit_model(counts: Counts, cut: dict[int, Counts], own: np.ndarray, folds: np.ndarray, near: np.ndarray | None = None) -> Model:
    """Learn to tell the rows where ``own_N`` is true from the others.

    ``cut[w]`` counts the same texts, each up to its word number w: what a short text shows is calibrated on short texts.
    ``folds_N`` numbers the parts for cross-fitting: the calibration of a fold's texts comes from a model that saw none of
    that fold. ``near_N`` says which of the others calibrate, when not all do: impostors of one single source, such as one
    model's drafts; what separates the author from them says less of other people, and the probabilities allow for that.
    """
    space = Space.of(counts)
    rows = space.rows(counts)
    # The regression in the basis of the texts themselves: as many unknowns as texts, the same solution.
    values, vectors = np.linalg.eigh((rows @ rows.T).toarray())
    kept = values > 1e-6 * values[-1]
    basis, back = vectors[:, kept] * np.sqrt(values[kept]), vectors[:, kept] / np.sqrt(values[kept])
    parts = []
    for fold in np.unique(folds):
        inside = folds != fold
        if own[inside].any() and not own[inside].all():
            weights, bias = _regression(basis[inside], own[inside])
            parts.append((~inside, rows.T @ (back @ weights), bias))

    def outside(found: Any) -> np.ndarray:
        decisions = np.full(len(own), np.nan)
        for held, weights, bias in parts:
            decisions[held] = found[np.flatnonzero(held)] @ weights + bias
        return decisions

    weights, bias = _regression(basis, own)
    whole = outside(rows)
    impostors = ~own if near is None else near
    usual = _MANY_SOURCES if near is None else _ONE_SOURCE
    levels = [(length, outside(space.rows(one)), counts.words >= length) for length, one in sorted(cut.items())]
    levels.append((max(int(np.median(counts.words)), 1), whole, np.ones(len(own), dtype=bool)))
    fits = [_calibrated(decisions, own & there, impostors & there, length, usual) for length, decisions, there in levels]
    calibration = np.array([[np.log1p(level[0]), *fit] for level, fit in zip(levels, fits, strict=True) if fit], dtype=float)
    calibration = calibration[np.argsort(calibration[:, 0], kind="stable")] if len(calibration) else np.zeros((1, 3))
    return Model(space, rows.T @ (back @ weights), bias, calibration, whole)


def _calibrated(decisions: np.ndarray, own: np.ndarray, impostors: np.ndarray, length: int, usual: Prior) -> tuple[float, float] | None:
    """Slope and shift of the log-odds for texts of this length; None where too few are that long."""
    own, impostors = own & ~np.isnan(decisions), impostors & ~np.isnan(decisions)
    if impostors.sum() < 3:
        return None
    # Against the impostors: how far beyond them, since the size of a decision depends on the numbers of texts.
    centre, scale = decisions[impostors].mean(), decisions[impostors].std() + 1e-6
    used = own | impostors
    prior = [float(np.interp(np.log1p(length), np.log1p(_LENGTHS), values)) for values in usual]
    slope, shift = _platt((decisions[used] - centre) / scale, own[used], prior)
    return slope / scale, shift - slope * centre / scale


def _regression(rows: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, float]:
    # scikit-learn takes more than a second to import.
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000).fit(rows, own)
    return found.coef_[0], float(found.intercept_[0])


def _platt(decisions: np.ndarray, own: np.ndarray, prior: list[float]) -> tuple[float, float]:
    """Slope and shift of the log-odds (Platt 1999) at even prior odds, the most probable ones: few texts can't fix them alone."""
    from scipy.optimize import minimize

    # Each class counts as many observations as there are of the author's texts, however many impostors there are.
    weight = np.where(own, 1.0, own.sum() / max(1, (~own).sum()))
    sign = np.where(own, 1.0, -1.0)

    def loss(found: np.ndarray) -> float:
        fit = weight @ np.logaddexp(0, -sign * (found[0] * decisions + found[1]))
        return float(fit + (((found - prior) / _SPREAD) ** 2).sum() / 2)

    slope, shift = minimize(loss, np.array(prior), method="BFGS").x
    return max(float(slope), 0.0), float(shift)
