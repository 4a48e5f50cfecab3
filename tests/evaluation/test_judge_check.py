"""A judge's figures, with faults planted in judges that know the truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from idiolect.evaluation.judge_check import check_judge, win_table
from idiolect.evaluation.judges import truth_judge
from idiolect.evaluation.ranking import rank
from idiolect.judge import Pair
from idiolect.judge.examples import LabelledPair, padded_pairs, simulated_pairs, spoilt_pairs
from idiolect.world import HOUSE_AUTHOR, Author, demonstrations, realise, sample_author, sample_situation


@dataclass(frozen=True)
class Knows:
    """Prefers the better of labelled pairs, leans to the first place, and to the longer text by so much a word."""

    better: frozenset[str]
    first_place: float = 0.0
    by_word: float = 0.0
    silent: bool = False
    name: str = "knows"

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        return [None if self.silent else self._chance(pair) for pair in pairs]

    def _chance(self, pair: Pair) -> float:
        more = len(re.findall(r"\w+", pair.first)) - len(re.findall(r"\w+", pair.second))
        worth = 0.3 * ((pair.first in self.better) - (pair.second in self.better))
        return min(1.0, max(0.0, 0.5 + worth + self.first_place + self.by_word * more))


@pytest.fixture(scope="module")
def pairs(author: Author) -> list[LabelledPair]:
    rows = demonstrations(author, "heldout", 20, seed=4)
    return [*(one for one in spoilt_pairs(rows, 2, 0) if one.source == "spoilt"), *simulated_pairs([author], 20, 0)]


def knowing(pairs: list[LabelledPair], **faults: float) -> Knows:
    return Knows(frozenset(one.better for one in pairs), **faults)  # type: ignore[arg-type]


def test_a_fair_judge_has_no_bias(pairs: list[LabelledPair], author: Author) -> None:
    found = check_judge(knowing(pairs), pairs, padded=padded_pairs(demonstrations(author, "heldout", 8, seed=9), 0))
    everything = found.by_source["all"]
    assert (everything.right.mean, everything.right_in_both.mean, everything.unjudged) == (1, 1, 0)
    assert everything.position_bias.mean == pytest.approx(0)
    assert everything.length_bias.mean == pytest.approx(0)
    assert found.verbosity_bias.mean == pytest.approx(0)
    assert found.by_source.keys() == {"spoilt", "simulated", "all"}
    assert set(found.by_source["spoilt"].by_feature) <= {"greeting", "sign-off", "punctuation", "wording", "layout", "length", "facts"}


def test_planted_faults_are_measured(pairs: list[LabelledPair], author: Author) -> None:
    rows = demonstrations(author, "heldout", 8, seed=9)
    leaning = check_judge(knowing(pairs, first_place=0.1), pairs).by_source["all"]
    assert leaning.position_bias.mean == pytest.approx(0.1, abs=0.02)
    assert leaning.right_in_both.mean == 1
    blind = check_judge(knowing(pairs, first_place=0.4), pairs).by_source["all"]
    assert blind.right_in_both.mean == 0
    wordy = check_judge(knowing(pairs, by_word=0.05), pairs, padded=padded_pairs(rows, 0))
    assert wordy.verbosity_bias.mean is not None
    assert wordy.verbosity_bias.mean > 0.2
    assert wordy.by_source["simulated"].length_bias.mean is None or wordy.by_source["simulated"].length_bias.mean > 0.3
    silent = check_judge(knowing(pairs, silent=True), pairs).by_source["all"]
    assert (silent.right.mean, silent.unjudged) == (0, len(pairs))


def test_preferring_ones_own_is_measured_against_the_truth(author: Author) -> None:
    own = [(Pair(f"r {number}", "own draft", "other draft"), 0.5) for number in range(10)]
    assert check_judge(Knows(frozenset()), [], own_drafts=own).self_preference.mean == pytest.approx(0)
    assert check_judge(Knows(frozenset({"own draft"})), [], own_drafts=own).self_preference.mean == pytest.approx(0.3)


def test_more_than_two_writers_are_ranked(author: Author) -> None:
    situations = [sample_situation("heldout", f"ranked {number}") for number in range(12)]
    near = Author(name=author.name, traits={**author.traits, "sign_off": "Ciao,", "closing": "Shout if not."}, habits=author.habits)
    hands = {"house": HOUSE_AUTHOR, "own": author, "near": near, "other": sample_author("heldout", 77)}
    drafts = {name: [(one.request, realise(one, hand)) for one in situations] for name, hand in hands.items()}
    table = win_table(truth_judge(author), drafts)
    assert len(table) == 6
    assert all(len(won) == 12 for won in table.values())
    assert [one.writer for one in rank(table)][:2] == ["own", "near"]
