"""Style by truth and by the verifier, and win rates."""

from __future__ import annotations

import time

import numpy as np
import pytest

from handmade_drafts import by
from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.judges import truth_judge
from idiolect.evaluation.roc import Scores
from idiolect.evaluation.style import MIN_KNOWN_WORDS, MIN_TEXTS, MIN_WORDS, TruthStyle, Unknown, Verifier
from idiolect.judge.pairs import Pair
from idiolect.world import HOUSE_AUTHOR, Author, realise, sample_author, sample_situation


def test_truth_counts_traits(author: Author, heldout: list[Demonstration], house: Drafted) -> None:
    style = TruthStyle(author)
    own = style.scores([row.output for row in heldout], [row.input for row in heldout])
    plain = style.scores([draft.text for draft in house.drafts])
    assert np.mean([one or 0 for one in own]) > 0.95
    assert np.mean([one or 0 for one in plain]) < 0.6
    assert style.scores([""]) == [0.0]
    assert not style.missed(heldout[0].output, heldout[0].input)
    assert style.missed(house.drafts[0].text)


@pytest.fixture(scope="module")
def verifier(author: Author, known: list[Demonstration]) -> Verifier:
    found = Verifier.fit([row.output for row in known], by(HOUSE_AUTHOR, author, known, seed=1))
    assert isinstance(found, Verifier)
    return found


def test_verifier_tells_the_person_from_the_model(verifier: Verifier, heldout: list[Demonstration], house: Drafted) -> None:
    own = np.array(verifier.scores([row.output for row in heldout]), dtype=float)
    plain = np.array(verifier.scores([draft.text for draft in house.drafts]), dtype=float)
    assert own.min() > 0.5 > plain.max()
    assert verifier.auc == 1.0
    assert verifier.scores([""]) == [0.0]
    assert verifier.scores([]) == []


def test_verifier_tells_the_person_from_people_that_it_never_saw(verifier: Verifier, heldout: list[Demonstration], author: Author) -> None:
    """Only the model's drafts were there to learn from, and the probabilities hold for other people's texts too."""
    own = verifier.scores([row.output for row in heldout])
    others = [text for seed in range(10, 20) for text in by(sample_author("heldout", seed, habits=False), author, heldout[:6])]
    values = np.array([*own, *verifier.scores(others)], dtype=float)
    scores = Scores(values, np.arange(len(values)) < len(own))
    even = np.ones(len(values))
    assert scores.auc(even) > 0.97
    assert scores.brier(even) < 0.1


def test_verifier_goes_by_the_hand_and_not_by_the_subject(author: Author) -> None:
    """Known texts are all on the first subject; then own texts on the second stand against others' on the first."""
    situations = [sample_situation("heldout", f"swap {index}") for index in range(400)]
    intents = sorted({situation.intent for situation in situations})
    first, second = ([one for one in situations if one.intent in half] for half in (set(intents[::2]), set(intents[1::2])))
    known, new = first[:12], first[12:42]
    found = Verifier.fit([realise(one, author, 1) for one in known], [realise(one, HOUSE_AUTHOR, 1) for one in known])
    others = [realise(one, sample_author("heldout", 30 + index % 10, habits=False), 1) for index, one in enumerate(new)]
    values = np.array(found.scores([*(realise(one, author, 1) for one in second[:30]), *others]), dtype=float)
    assert Scores(values, np.arange(60) < 30).auc(np.ones(60)) > 0.95


def test_same_texts_same_probabilities_and_soon(author: Author, known: list[Demonstration], verifier: Verifier, house: Drafted) -> None:
    began = time.process_time()
    again = Verifier.fit([row.output for row in known], by(HOUSE_AUTHOR, author, known, seed=1))
    assert time.process_time() - began < 2.0
    texts = [draft.text for draft in house.drafts]
    assert again.scores(texts) == verifier.scores(texts)
    assert again.scores(texts[:1]) == pytest.approx(verifier.scores(texts)[:1], abs=1e-9)


def test_verifier_knows_when_there_is_nothing_to_tell(author: Author, known: list[Demonstration], heldout: list[Demonstration]) -> None:
    """Impostors who write exactly like the person: probabilities near one half, and an AUC that says so."""
    rows = [*known, *heldout]
    same = [*by(author, author, known, seed=1), *by(author, author, heldout, seed=2)]
    found = Verifier.fit([row.output for row in rows], same)
    assert isinstance(found, Verifier)
    assert found.auc < 0.75
    scores = np.array(found.scores([row.output for row in rows]), dtype=float)
    assert 0.3 < scores.mean() < 0.7


def test_too_few_texts_are_not_enough_to_tell() -> None:
    texts = [f"text {number}" for number in range(MIN_TEXTS - 1)]
    found = Verifier.fit([*texts, ""], [*texts, "x"])
    assert isinstance(found, Unknown)
    assert found.scores(["a", "b"]) == [None, None]
    assert "not enough to tell: 4 texts" in found.about()["measure"]


def test_too_few_words_are_not_enough_to_tell(verifier: Verifier) -> None:
    short = ["one two three four five"] * (MIN_KNOWN_WORDS // 5 - 1)
    found = Verifier.fit(short, short)
    assert isinstance(found, Unknown)
    assert "145 words" in found.about()["measure"]
    words = ["word"] * MIN_WORDS
    below, enough = verifier.scores([" ".join(words[1:]), " ".join(words)])
    assert below is None
    assert enough is not None


def test_the_truth_holds_an_e_mail_to_its_recipients_register() -> None:
    author = next(one for one in (sample_author("heldout", index) for index in range(50)) if "boss" in one.registers)
    rows = [sample_situation("heldout", f"boss {index}", relation="boss") for index in range(10)]
    style = TruthStyle(author)
    texts, asked = [realise(row, author) for row in rows], [row.request for row in rows]
    usual = [realise(row, author.model_copy(update={"registers": {}})) for row in rows]
    assert np.mean(np.array(style.scores(texts, asked), dtype=float)) > 0.98
    assert all(a > b for a, b in zip(style.scores(texts, asked), style.scores(usual, asked), strict=True))  # type: ignore[operator]
    assert set(style.missed(texts[0])) == set(author.registers["boss"])
    pairs = [Pair(request, mine, other) for request, mine, other in zip(asked, texts, usual, strict=True)]
    assert truth_judge(author).prefers_first(pairs) == [1.0] * len(rows)
