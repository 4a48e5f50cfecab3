"""Whether a draft reads like the person: against the truth for simulated people, by a verifier for real ones.

Knows texts, and of requests no more than that the truth reads a relation from them. Knows nothing of facts or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from idiolect.evaluation.features import count_texts, first_words, word_count
from idiolect.evaluation.roc import Scores
from idiolect.evaluation.verifier import LENGTHS, Model, fit_model
from idiolect.world import Author, demonstrations, parts_found, sample_author

__all__ = ["MIN_KNOWN_WORDS", "MIN_TEXTS", "MIN_WORDS", "Judge", "StyleMeasure", "TruthStyle", "Unknown", "Verifier"]

Judge = Literal["truth", "verifier"]
MIN_TEXTS = 5
"""Fewer texts of a person are not enough to tell."""
MIN_KNOWN_WORDS = 150
"""Nor are fewer words of the person's in all."""
MIN_WORDS = 20
"""A text of fewer words is too short to tell whose it is."""

_FOLDS = 5
_NEUTRAL = 40


class StyleMeasure(Protocol):
    """A number in [0, 1] for how much a text reads like the person; None where it cannot be told.

    Who knows the requests that the texts answer, gives them: a person may write otherwise to a friend than to the boss.
    """

    @property
    def judge(self) -> Judge: ...
    def scores(self, texts: Sequence[str], requests: Sequence[str] | None = None) -> list[float | None]: ...
    def missed(self, text: str, request: str = "") -> list[str]: ...
    def about(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class TruthStyle:
    """The share of a simulated author's true traits and habits that a text shows."""

    author: Author
    judge: Judge = "truth"

    def scores(self, texts: Sequence[str], requests: Sequence[str] | None = None) -> list[float | None]:
        asked = [""] * len(texts) if requests is None else requests
        found = [parts_found(self.author, text, request).values() for text, request in zip(texts, asked, strict=True)]
        return [sum(values) / len(values) if text.strip() else 0.0 for values, text in zip(found, texts, strict=True)]

    def missed(self, text: str, request: str = "") -> list[str]:
        """The traits and habits that the text does not show."""
        return [trait for trait, found in parts_found(self.author, text, request).items() if not found]

    def about(self) -> dict[str, Any]:
        return {
            "measure": "share of the simulated author's true traits and habits found in the draft",
            "traits": len(self.author.traits),
            "habits": len(self.author.habits),
            "registers": len(self.author.registers),
        }


@dataclass(frozen=True)
class Unknown:
    """Stands where there are too few texts of a person for a verifier."""

    texts: int
    words: int | None = None
    judge: Judge = "verifier"

    def scores(self, texts: Sequence[str], requests: Sequence[str] | None = None) -> list[float | None]:
        return [None] * len(texts)

    def missed(self, text: str, request: str = "") -> list[str]:
        return []

    def about(self) -> dict[str, Any]:
        had = f"{self.texts} texts with impostors" if self.words is None else f"{self.texts} texts of {self.words} words together"
        needed = f"at least {MIN_TEXTS} texts of {MIN_KNOWN_WORDS} words together are needed"
        return {"measure": f"not enough to tell: {had}, {needed}", "texts": self.texts}


class Verifier:
    """The calibrated probability that the person wrote a text.

    A logistic regression on four views of a text (``features``) tells the person's texts from impostors': drafts on the
    same requests, so that a topic can't stand in for style, and neutral e-mails of the simulated world. The
    probabilities are calibrated on folds that keep a request's texts together, against the drafts alone, and allow for
    there being no other people's texts on these requests (``verifier``). A text of fewer than ``MIN_WORDS`` words gets
    None: not enough to tell.
    """

    judge: Judge = "verifier"

    def __init__(self, model: Model, texts: int, auc: float) -> None:
        self._model, self._texts, self.auc = model, texts, auc

    @classmethod
    def fit(cls, own: Sequence[str], impostors: Sequence[str]) -> Verifier | Unknown:
        """``own[i]`` and ``impostors[i]`` answer the same request. ``Unknown`` below ``MIN_TEXTS`` non-empty pairs."""
        pairs = [(mine, other) for mine, other in zip(own, impostors, strict=True) if mine.strip() and other.strip()]
        if len(pairs) < MIN_TEXTS:
            return Unknown(texts=len(pairs))
        if sum(word_count(mine) for mine, _ in pairs) < MIN_KNOWN_WORDS:
            return Unknown(texts=len(pairs), words=sum(word_count(mine) for mine, _ in pairs))
        size = len(pairs)
        neutral = _neutral_texts()
        folds = np.concatenate([np.arange(size), np.arange(size), np.arange(len(neutral))]) % min(_FOLDS, size)
        is_own = np.arange(len(folds)) < size
        drafts = ~is_own & (np.arange(len(folds)) < 2 * size)
        texts = [*(mine for mine, _ in pairs), *(other for _, other in pairs), *neutral]
        cut = {length: count_texts([first_words(text, length) for text in texts]) for length in LENGTHS}
        model = fit_model(count_texts(texts), cut, is_own, folds, near=drafts)
        compared = is_own | drafts
        auc = Scores(model.outside[compared], is_own[compared]).auc(np.ones(2 * size))
        return cls(model, size, auc)

    def scores(self, texts: Sequence[str], requests: Sequence[str] | None = None) -> list[float | None]:
        """Probabilities; an empty text is nobody's and gets 0, one below ``MIN_WORDS`` gets None."""
        told = [text for text in texts if word_count(text) >= MIN_WORDS]
        found = iter(self._model.probabilities(count_texts(told)) if told else ())
        return [float(next(found)) if word_count(text) >= MIN_WORDS else None if text.strip() else 0.0 for text in texts]

    def missed(self, text: str, request: str = "") -> list[str]:
        """A verifier sees no single traits."""
        return []

    def about(self) -> dict[str, Any]:
        return {
            "measure": "calibrated probability that the person wrote the draft, against the baseline's drafts as impostors",
            "texts": self._texts,
            "auc": round(self.auc, 4),
        }


def _neutral_texts() -> list[str]:
    """E-mails of simulated people, one each: what anybody's mail may look like."""
    return [row.output for seed in range(_NEUTRAL) for row in demonstrations(sample_author("train", seed), "train", 1)]
