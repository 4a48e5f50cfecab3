"""Style by truth and by the verifier, and win rates."""

from __future__ import annotations

import numpy as np
import pytest

from handmade_drafts import by
from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.style import MIN_TEXTS, TruthStyle, Unknown, Verifier
from idiolect.world import HOUSE_AUTHOR, Author


def test_truth_counts_traits(author: Author, heldout: list[Demonstration], house: Drafted) -> None:
    style = TruthStyle(author)
    own = style.scores([row.output for row in heldout])
    plain = style.scores([draft.text for draft in house.drafts])
    assert np.mean([one or 0 for one in own]) > 0.95
    assert np.mean([one or 0 for one in plain]) < 0.6
    assert style.scores([""]) == [0.0]
    assert not style.missed(heldout[0].output)
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
    assert "not enough to tell" in found.about()["measure"]
