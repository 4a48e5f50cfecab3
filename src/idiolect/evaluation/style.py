"""Whether a draft reads like the person: against the truth for simulated people, by a verifier for real ones.

Knows texts. Knows nothing of requests, facts or models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from idiolect.world import Author, traits_found

__all__ = ["MIN_TEXTS", "Judge", "StyleMeasure", "TruthStyle", "Unknown", "Verifier"]

Judge = Literal["truth", "verifier"]
MIN_TEXTS = 5
"""Fewer texts of a person are not enough to tell."""

_FUNCTION_WORDS_TEXT = """
    a about after all also always am an and any are as at be because been before but by can could did do does for from get got had has
    have he her here him his how i if in into is it its just let like made make may me might more most much must my no not now of on one
    only or other our out over please quite rather really she should so some still such than that the their them then there these they
    this those though through to too up us very was we well were what when where which while who why will with would you your
"""
_FUNCTION_WORDS = _FUNCTION_WORDS_TEXT.split()
_MARKS = ".,;:!?-–—…()\"'’“”/&*#@%+=_"


class StyleMeasure(Protocol):
    """A number in [0, 1] for how much a text reads like the person; None where it cannot be told."""

    @property
    def judge(self) -> Judge: ...
    def scores(self, texts: Sequence[str]) -> list[float | None]: ...
    def missed(self, text: str) -> list[str]: ...
    def about(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class TruthStyle:
    """The share of a simulated author's true traits that a text shows."""

    author: Author
    judge: Judge = "truth"

    def scores(self, texts: Sequence[str]) -> list[float | None]:
        found = [traits_found(self.author, text).values() for text in texts]
        return [sum(values) / len(values) if text.strip() else 0.0 for values, text in zip(found, texts, strict=True)]

    def missed(self, text: str) -> list[str]:
        """The traits that the text does not show."""
        return [trait for trait, found in traits_found(self.author, text).items() if not found]

    def about(self) -> dict[str, Any]:
        return {"measure": "share of the simulated author's true traits found in the draft", "traits": len(self.author.traits)}


@dataclass(frozen=True)
class Unknown:
    """Stands where there are too few texts of a person for a verifier."""

    texts: int
    judge: Judge = "verifier"

    def scores(self, texts: Sequence[str]) -> list[float | None]:
        return [None] * len(texts)

    def missed(self, text: str) -> list[str]:
        return []

    def about(self) -> dict[str, Any]:
        return {"measure": f"not enough to tell: {self.texts} texts with impostors, at least {MIN_TEXTS} are needed", "texts": self.texts}


class Verifier:
    """The calibrated probability that the person wrote a text.

    A logistic regression on character n-grams (2 to 4), function words, and marks and layout tells the person's texts
    from impostors': other texts on the same requests, so that a topic can't stand in for style. The probabilities are
    calibrated (Platt) on folds that keep a request's texts together. Why n-grams: arXiv 2209.06869.
    """

    judge: Judge = "verifier"

    def __init__(self, model: Any, texts: int, auc: float) -> None:
        self._model, self._texts, self.auc = model, texts, auc

    @classmethod
    def fit(cls, own: Sequence[str], impostors: Sequence[str]) -> Verifier | Unknown:
        """``own[i]`` and ``impostors[i]`` answer the same request. ``Unknown`` below ``MIN_TEXTS`` non-empty pairs."""
        pairs = [(mine, other) for mine, other in zip(own, impostors, strict=True) if mine.strip() and other.strip()]
        if len(pairs) < MIN_TEXTS:
            return Unknown(texts=len(pairs))
        # scikit-learn takes more than a second to import.
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import GroupKFold, cross_val_predict

        texts = np.array([text for pair in pairs for text in pair], dtype=object)
        labels = np.array([1, 0] * len(pairs))
        groups = np.repeat(np.arange(len(pairs)), 2)
        folds = list(GroupKFold(n_splits=min(5, len(pairs))).split(texts, labels, groups))
        outside = cross_val_predict(_classifier(), texts, labels, cv=folds, method="decision_function")
        # One calibrator on the pooled folds: of few texts, a fold alone has too few to calibrate on.
        pooled: Any = False
        model = CalibratedClassifierCV(_classifier(), method="sigmoid", cv=folds, ensemble=pooled).fit(texts, labels)
        return cls(model, len(pairs), float(roc_auc_score(labels, outside)))

    def scores(self, texts: Sequence[str]) -> list[float | None]:
        """Probabilities; an empty text is nobody's and gets 0."""
        if not texts:
            return []
        found = self._model.predict_proba(np.array(texts, dtype=object))[:, 1]
        return [float(value) if text.strip() else 0.0 for value, text in zip(found, texts, strict=True)]

    def missed(self, text: str) -> list[str]:
        """A verifier sees no single traits."""
        return []

    def about(self) -> dict[str, Any]:
        return {
            "measure": "calibrated probability that the person wrote the draft, against the baseline's drafts as impostors",
            "texts": self._texts,
            "auc": round(self.auc, 4),
        }


def _classifier() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    grams = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), sublinear_tf=True, min_df=2, max_features=20_000, lowercase=False)
    words = make_pipeline(FunctionTransformer(_function_words), StandardScaler(), FunctionTransformer(_shrunk))
    layout = make_pipeline(FunctionTransformer(_layout), StandardScaler(), FunctionTransformer(_shrunk))
    return make_pipeline(make_union(grams, words, layout), LogisticRegression(C=10.0, max_iter=2000))


def _shrunk(features: np.ndarray) -> np.ndarray:
    """Standardised features clipped and scaled so that a group of them weighs about as much as the n-grams, whose rows have norm 1."""
    return np.clip(features, -3, 3) / np.sqrt(features.shape[1])


def _function_words(texts: Sequence[str]) -> np.ndarray:
    """features_N_W: each function word's share of the words."""
    rows = []
    for text in texts:
        words = re.findall(r"[a-z]+", text.lower())
        rows.append([words.count(word) / max(1, len(words)) for word in _FUNCTION_WORDS])
    return np.array(rows)


def _layout(texts: Sequence[str]) -> np.ndarray:
    """features_N_F: marks by 100 characters, then lengths of words, sentences, lines and paragraphs, capitals, contractions, emoji."""
    rows = []
    for text in texts:
        size = max(1, len(text))
        words = re.findall(r"\w+(?:['’]\w+)?", text)
        sentences = [part for part in re.split(r"[.!?]+\s+|\n+", text) if part.strip()]
        lines = [line for line in text.split("\n") if line.strip()]
        starts = [found[0] for part in sentences if (found := re.search(r"[^\W\d_]", part))]
        rows.append(
            [text.count(mark) * 100 / size for mark in _MARKS]
            + [
                np.log1p(len(words)),
                sum(map(len, words)) / max(1, len(words)),
                len(words) / max(1, len(sentences)),
                len(words) / max(1, len(lines)),
                text.count("\n\n") / max(1, len(lines)),
                sum(start.islower() for start in starts) / max(1, len(starts)),
                sum(character.isupper() for character in text) / size,
                sum(bool(re.search("['’]", word)) for word in words) / max(1, len(words)),
                len(re.findall(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", text)) * 100 / size,
                len(re.findall(r"^\s*[-*•]\s", text, re.MULTILINE)) / max(1, len(lines)),
            ]
        )
    return np.array(rows)
