"""Same author or not, learnt from counts: a logistic regression on similarities, and its calibration.

Knows counts, labels and folds. Knows nothing of texts, requests or files. There is no chance in it: the same rows give
the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from idiolect.evaluation.features import WEIGHTS, Counts

__all__ = ["Model", "fit_model"]

_STRENGTH = 10.0
"""The inverse of the L2 penalty (``C``); chosen on the development authors of docs/LOG.md, where 10 and 100 are as good."""

_MANY_SOURCES = ((1.5, 0.5), (-2.5, 1.0))
_ONE_SOURCE = ((0.45, 0.2), (-1.9, 0.5))
"""Mean and standard deviation of the calibration's slope and shift before an author's own texts are seen, from the development authors."""


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
    """A fitted verifier. ``decisions`` are in standard deviations of the impostors' own, ``probabilities`` hold at even prior odds."""

    space: Space
    weights: np.ndarray
    """weights_B: of the rows of ``space``."""
    bias: float
    slope: float
    shift: float
    outside: np.ndarray
    """outside_N: the decision on each text that it learnt from, by a model that had not seen its fold; NaN where there was none."""

    def decisions(self, counts: Counts) -> np.ndarray:
        return self.space.rows(counts) @ self.weights + self.bias

    def probabilities(self, counts: Counts) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(self.slope * self.decisions(counts) + self.shift, -50, 50)))


def fit_model(counts: Counts, own: np.ndarray, folds: np.ndarray, near: np.ndarray | None = None) -> Model:
    """Learn to tell the rows where ``own_N`` is true from the others.

    ``folds_N`` numbers the parts for cross-fitting: the calibration of a fold's texts comes from a model that saw none of
    that fold. ``near_N`` says which of the others calibrate, when not all do: impostors of one single source, such as one
    model's drafts; what separates the author from them says less of other people, and the probabilities allow for that.
    """
    space = Space.of(counts)
    rows = space.rows(counts)
    # The regression in the basis of the texts themselves: as many unknowns as texts, the same solution.
    values, vectors = np.linalg.eigh((rows @ rows.T).toarray())
    kept = values > 1e-9 * values[-1]
    basis = vectors[:, kept] * np.sqrt(values[kept])
    outside = np.full(len(own), np.nan)
    for fold in np.unique(folds):
        inside = folds != fold
        if own[inside].any() and not own[inside].all():
            weights, bias = _regression(basis[inside], own[inside])
            outside[~inside] = basis[~inside] @ weights + bias
    weights, bias = _regression(basis, own)
    weights = rows.T @ (vectors[:, kept] @ (weights / np.sqrt(values[kept])))
    calibrating = ~np.isnan(outside)
    impostors = calibrating & (~own if near is None else near)
    if not impostors.any():
        return Model(space, weights, bias, 0.0, 0.0, outside)
    # Calibrated against the impostors: how far beyond them, since the size of a decision depends on the numbers of texts.
    centre, scale = outside[impostors].mean(), outside[impostors].std() + 1e-6
    outside = (outside - centre) / scale
    used = impostors | (calibrating & own)
    slope, shift = _platt(outside[used], own[used], _MANY_SOURCES if near is None else _ONE_SOURCE)
    return Model(space, weights / scale, (bias - centre) / scale, slope, shift, outside)


def _regression(rows: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, float]:
    # scikit-learn takes more than a second to import.
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000).fit(rows, own)
    return found.coef_[0], float(found.intercept_[0])


def _platt(decisions: np.ndarray, own: np.ndarray, usual: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """Slope and shift of the log-odds (Platt 1999) at even prior odds, the most probable ones: few texts can't fix them alone."""
    from scipy.optimize import minimize

    # Each class counts as many observations as there are of the author's texts, however many impostors there are.
    weight = np.where(own, 1.0, own.sum() / max(1, (~own).sum()))
    sign = np.where(own, 1.0, -1.0)

    def loss(found: np.ndarray) -> float:
        slope, shift = found
        fit = weight @ np.logaddexp(0, -sign * (slope * decisions + shift))
        return float(fit + sum(((value - mean) / spread) ** 2 / 2 for value, (mean, spread) in zip(found, usual, strict=True)))

    slope, shift = minimize(loss, np.array([mean for mean, _ in usual]), method="BFGS").x
    return max(float(slope), 0.0), float(shift)
