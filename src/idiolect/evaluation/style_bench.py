"""How well the verifier does on authors whose texts are known, beside Burrows's Delta and the cosine of character 4-grams.

Knows a collection of authors, the verifier and measures. Knows nothing of models or workspaces. Every author is asked
about in turn: from some known texts, did the same person write a new one? The authors whose texts are asked about
never serve as impostors of the same verifier. Only attribution, where all candidates are known, sets each author
against all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from idiolect.evaluation.authors import Collection
from idiolect.evaluation.delta import cosine_scores, delta_scores, four_grams, word_shares
from idiolect.evaluation.features import Counts, count_texts, first_words, word_count
from idiolect.evaluation.roc import Scores, Trials, over_authors
from idiolect.evaluation.statistics import Measure
from idiolect.evaluation.style import MIN_WORDS
from idiolect.evaluation.verifier import LENGTHS, fit_model

__all__ = ["Condition", "MethodScores", "Setting", "StyleBench", "bench_style"]

Setting = Literal["unlabelled", "same", "different", "swapped"]
"""Subjects of known and new texts: not known, shared, or different; ``swapped``: one's own new texts on another subject, others'
on the known subjects, so that whoever goes by subject is wrong."""

_PARTS = 4
_MOST_IMPOSTORS = 200
_FOLDS = 5
_CLOSED = "verifier against all"


class MethodScores(BaseModel):
    """One method's figures; ``brier`` and ``ece`` only where its scores are probabilities."""

    model_config = ConfigDict(frozen=True)
    auc: Measure
    eer: Measure
    attribution: Measure | None = None
    """The share of new texts whose writer scores highest of all. Not for ``swapped``: others' verifiers learn from its texts."""
    brier: Measure | None = None
    ece: Measure | None = None


class Condition(BaseModel):
    model_config = ConfigDict(frozen=True)
    own: int
    """Trials on an author's own new text."""
    others: int
    """Trials on somebody else's."""
    methods: dict[str, MethodScores]
    gains: dict[str, Measure]
    """The verifier's AUC less each baseline's, paired."""


class StyleBench(BaseModel):
    model_config = ConfigDict(frozen=True)
    authors: int
    texts: int
    known: float
    """Known texts of an author, mean over trials."""
    words: float
    """Words of a new text, mean."""
    too_short: int
    """New texts below the verifier's ``MIN_WORDS``, measured here all the same."""
    conditions: dict[Setting, Condition]


@dataclass(frozen=True)
class _Case:
    """One author's known texts, those of others that may serve as impostors, and the new texts of each setting."""

    author: str
    known: np.ndarray
    impostors: np.ndarray
    new: dict[Setting, np.ndarray]


def bench_style(
    collection: Collection,
    *,
    known: int = 50,
    new: int = 10,
    words: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> StyleBench:
    """At most ``known`` known and ``new`` new texts of an author; ``words`` cuts new texts to their first so many."""
    cases = [*_shared(collection, known, new, seed), *_held_out(collection, known, new, seed)]
    texts = collection.texts
    asked = np.unique(np.concatenate([chosen for case in cases for chosen in case.new.values()]))
    fresh = {int(index): first_words(texts[index], words) if words else texts[index] for index in asked}
    both = [*texts, *(fresh.values() if words else [])]
    place = np.arange(len(texts))
    if words:
        place[asked] = len(texts) + np.arange(len(asked))
    counts, grams, shares = count_texts(both), four_grams(both), word_shares(both)
    cut = {length: count_texts([first_words(text, length) for text in texts]) for length in LENGTHS}
    found: dict[Setting, list[tuple[Any, ...]]] = defaultdict(list)
    for done, case in enumerate(cases):
        rows = np.unique(np.concatenate(list(case.new.values())))
        column = {int(row): number for number, row in enumerate(rows)}
        scores = {
            "verifier": _verify(collection, counts, cut, case, rows, place, seed),
            "delta": delta_scores(shares, case.known, case.impostors, place[rows]),
            "cosine": cosine_scores(grams, case.known, case.impostors, place[rows]),
            _CLOSED: _decide(collection, counts, case, rows, place),
        }
        for setting, chosen in case.new.items():
            columns = [column[int(row)] for row in chosen]
            found[setting].append((case.author, chosen, {name: values[columns] for name, values in scores.items()}))
        if on_progress:
            on_progress(done + 1, len(cases))
    lengths = [word_count(text) for text in fresh.values()]
    return StyleBench(
        authors=len(collection.names),
        texts=len(texts),
        known=round(float(np.mean([len(case.known) for case in cases])), 2),
        words=round(float(np.mean(lengths)), 1),
        too_short=sum(length < MIN_WORDS for length in lengths),
        conditions={setting: _measured(collection, rows, seed, setting != "swapped") for setting, rows in sorted(found.items())},
    )


def _shared(collection: Collection, known: int, new: int, seed: int) -> Iterator[_Case]:
    """A third of each author's texts is new where the author has other texts on the same subject."""
    rng = np.random.default_rng(seed)
    fresh, rest = {}, {}
    for author in collection.names:
        own = rng.permutation(np.flatnonzero(collection.authors == author))
        subjects = collection.subjects[own]
        taken = [index for subject in np.unique(subjects) for index in own[subjects == subject][: (subjects == subject).sum() // 3]]
        fresh[author] = rng.permutation(np.array(taken, dtype=int))[:new]
        rest[author] = own[~np.isin(own, taken)][:known]
    for author in collection.names:
        subjects = collection.subjects[rest[author]]
        asked = np.concatenate([chosen[np.isin(collection.subjects[chosen], subjects)] for chosen in fresh.values()])
        others = np.concatenate([chosen for name, chosen in rest.items() if name != author])
        impostors = others[np.isin(collection.subjects[others], subjects)]
        both = np.isin(fresh[author], asked).any() and (collection.authors[asked] != author).any() and len(impostors)
        if both:
            yield _Case(str(author), rest[author], impostors, {"same" if collection.labelled else "unlabelled": asked})


def _held_out(collection: Collection, known: int, new: int, seed: int) -> Iterator[_Case]:
    """Each author and subject in turn: the known texts are on the author's other subjects."""
    if not collection.labelled:
        return
    authors, subjects = collection.authors, collection.subjects
    rng = np.random.default_rng([seed, 1])
    for author in collection.names:
        own = authors == author
        for subject in np.unique(subjects[own]):
            rest = rng.permutation(np.flatnonzero(own & (subjects != subject)))[:known]
            on_it = _spread(authors, rng.permutation(np.flatnonzero(subjects == subject)), new)
            elsewhere = np.flatnonzero(~own & (subjects != subject) & np.isin(subjects, subjects[rest]))
            theirs = _spread(authors, rng.permutation(elsewhere), new)
            mine = on_it[authors[on_it] == author]
            if len(rest) and len(mine) < len(on_it) and len(theirs):
                yield _Case(str(author), rest, elsewhere, {"different": on_it, "swapped": np.concatenate([mine, theirs])})


def _spread(authors: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows of each author, in order."""
    return np.concatenate([np.array([], dtype=int), *(rows[authors[rows] == author][:most] for author in np.unique(authors[rows]))])


def _verify(
    collection: Collection, counts: Counts, cut: dict[int, Counts], case: _Case, rows: np.ndarray, place: np.ndarray, seed: int
) -> np.ndarray:
    """scores_R: others' texts by a verifier that has none of their writer's, one's own by the mean over such verifiers."""
    authors = collection.authors
    others = np.unique(authors[authors != case.author])
    rng = np.random.default_rng([seed, 2, *case.author.encode()])
    part = dict(zip(others, rng.permutation(len(others)) % min(_PARTS, len(others)), strict=True))
    mine = authors[rows] == case.author
    total, times = np.zeros(len(rows)), np.zeros(len(rows))
    for number in range(min(_PARTS, len(others))):
        impostors = case.impostors[[part[author] != number for author in authors[case.impostors]]]
        scored = mine | np.array([part.get(author) == number for author in authors[rows]])
        if not len(impostors):
            continue
        impostors = np.sort(rng.permutation(impostors)[:_MOST_IMPOSTORS])
        chosen = np.concatenate([case.known, impostors])
        beginnings = {length: one.rows(chosen) for length, one in cut.items()}
        folds = _folds(collection, case.known, impostors)
        model = fit_model(counts.rows(chosen), beginnings, authors[chosen] == case.author, folds)
        total[scored] += model.probabilities(counts.rows(place[rows[scored]]))
        times[scored] += 1
    return total / np.maximum(times, 1)


def _decide(collection: Collection, counts: Counts, case: _Case, rows: np.ndarray, place: np.ndarray) -> np.ndarray:
    """scores_R: by a verifier that has texts of all other authors as impostors, as many of each."""
    owners = collection.authors[case.impostors]
    impostors = _spread(owners, np.arange(len(owners)), max(1, _MOST_IMPOSTORS // len(np.unique(owners))))
    chosen = np.concatenate([case.known, case.impostors[impostors]])
    own = collection.authors[chosen] == case.author
    # One single fold: attribution needs no calibration.
    return fit_model(counts.rows(chosen), {}, own, np.zeros(len(chosen))).decisions(counts.rows(place[rows]))


def _folds(collection: Collection, known: np.ndarray, impostors: np.ndarray) -> np.ndarray:
    """A fold holds out some of the author's texts, by subject where they have one, and some of the impostors with all of their texts."""
    by = collection.subjects[known] if len(set(collection.subjects[known])) > 1 else np.arange(len(known))
    own = np.unique(by, return_inverse=True)[1]
    size = min(_FOLDS, int(own.max()) + 1)
    return np.concatenate([own % size, np.unique(collection.authors[impostors], return_inverse=True)[1] % size])


def _measured(collection: Collection, found: list[tuple[Any, ...]], seed: int, attributed: bool) -> Condition:
    number = {name: index for index, name in enumerate(collection.names)}
    writers = np.array([number[author] for author in collection.authors])
    asked = np.concatenate([np.full(len(rows), number[author]) for author, rows, _ in found])
    text = np.concatenate([rows for _, rows, _ in found])
    trials = Trials(asked, writers[text], text)
    scores = {name: Scores(np.concatenate([one[name] for *_, one in found]), trials.own) for name in found[0][2]}
    size = len(number)

    def interval(measure: Callable[[np.ndarray], float]) -> Measure:
        return over_authors(lambda authors: measure(trials.weights(authors)), size, seed=seed)

    closed = scores.pop(_CLOSED)

    def scored(name: str, one: Scores) -> MethodScores:
        told = {"brier": interval(one.brier), "ece": interval(one.ece)} if name == "verifier" else {}
        if attributed:
            right, of = trials.attributed((closed if name == "verifier" else one).values)
            told["attribution"] = over_authors(lambda authors: float(authors[of] @ right / authors[of].sum()), size, seed=seed)
        return MethodScores(auc=interval(one.auc), eer=interval(one.eer), **told)

    verifier = scores["verifier"]
    gains = {
        name: interval(lambda weights, one=one: verifier.auc(weights) - one.auc(weights))
        for name, one in scores.items()
        if one is not verifier
    }
    own = int(trials.own.sum())
    methods = {name: scored(name, one) for name, one in scores.items()}
    return Condition(own=own, others=len(text) - own, methods=methods, gains=gains)
