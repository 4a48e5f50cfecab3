"""The measures that a verifier has to beat: Burrows's Delta and the cosine of character 4-grams.

Knows texts and which of them are an author's. Learns nothing but how common each word or n-gram is. Larger scores mean
nearer to the author.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["cosine_scores", "delta_scores", "four_grams", "word_shares"]

_WORDS = 150
"""How many of the most frequent words Delta looks at."""


def word_shares(texts: Sequence[str]) -> Any:
    """shares_N_V: each word's share of a text's words, sparse."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    words = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
    how: Any = {"analyzer": lambda text: words.findall(text.lower()), "dtype": float}
    return normalize(CountVectorizer(**how).fit_transform(texts), norm="l1")


def four_grams(texts: Sequence[str]) -> Any:
    """counts_N_B: character 4-grams, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer

    how: Any = {"alternate_sign": False, "norm": None, "lowercase": False}
    return HashingVectorizer(analyzer="char", ngram_range=(4, 4), n_features=2**18, **how).transform(texts)


def delta_scores(shares: Any, known: np.ndarray, others: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Minus Delta (Burrows 2002): the mean distance of z-scores to those of the known texts together."""
    reference = np.concatenate([known, others])
    total = np.asarray(shares[reference].sum(axis=0)).ravel()
    common = np.argsort(-total, kind="stable")[:_WORDS]
    dense = shares[reference][:, common].toarray()
    centre, spread = dense.mean(axis=0), dense.std(axis=0) + 1e-12
    profile = (dense[: len(known)].mean(axis=0) - centre) / spread
    return -np.abs((shares[new][:, common].toarray() - centre) / spread - profile).mean(axis=1)


def cosine_scores(grams: Any, known: np.ndarray, others: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The cosine of tf-idf-weighted counts with the known texts' mean (tf logarithmic, idf from the known and others' texts)."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    reference = np.concatenate([known, others])
    found = np.bincount(grams[reference].indices, minlength=grams.shape[1])
    idf = sparse.diags(np.log((1 + len(reference)) / (1 + found)) + 1)

    def rows(chosen: np.ndarray) -> Any:
        part = grams[chosen].copy()
        part.data = 1 + np.log(part.data)
        return normalize(part @ idf)

    profile = np.asarray(rows(known).mean(axis=0)).ravel()
    return rows(new) @ profile / max(float(np.linalg.norm(profile)), 1e-12)
