"""Labelled pairs: the better text is the person's, the worse one differs in what is said, and both letters are right equally often."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.judge import Rubric, parse_verdict
from idiolect.judge.examples import (
    conversations,
    draft_pairs,
    dressed_pairs,
    labelled_pairs,
    own_pairs,
    padded_pairs,
    simulated_pairs,
    spoilt_pairs,
    strangers,
)
from idiolect.judge.perturb import FACTS, perturb
from idiolect.judge.seen import FEATURES, common, differing, distinctive, parted, runs
from idiolect.tasks import load_task, missing_facts, request_facts
from idiolect.world import (
    HOUSE_AUTHOR,
    Author,
    demonstrations,
    facts_invented,
    facts_kept,
    parts_found,
    realise,
    sample_author,
    sample_situation,
    traits_found,
)

RUBRIC = Rubric.parse(load_task("email").rubric)
AUTHORS = [sample_author("development", number) for number in range(8)]


def rows_of(author: Author) -> list[Demonstration]:
    return demonstrations(author, "development", 10, seed=1)


@pytest.fixture(scope="module")
def spoilt() -> list[tuple[Author, Demonstration, str, str]]:
    found = []
    for author in AUTHORS:
        rows = rows_of(author)
        for number, row in enumerate(rows * 4):
            others = [one.input for one in rows if one is not row]
            made = perturb(row.output, row.input, random.Random(number), others=others, habits=common([one.output for one in rows]))
            assert made
            found.append((author, row, made.text, made.feature))
    return found


def test_a_spoilt_text_shows_less_of_the_person(spoilt: list[tuple[Author, Demonstration, str, str]]) -> None:
    """Fewer of the true traits where a habit was broken, and facts lost or invented where facts are named, never both kinds."""
    for author, row, text, feature in spoilt:
        before, after = (sum(traits_found(author, one, row.input).values()) for one in (row.output, text))
        kept = all(facts_kept(row.facts, text))
        invented = facts_invented(row.input, text, author.own_words)
        if feature == FACTS:
            assert not kept or invented
        else:
            assert after <= before
            assert text != row.output
    habits = [(author, row, text) for author, row, text, feature in spoilt if feature != FACTS]
    fewer = [sum(traits_found(a, t, r.input).values()) < sum(traits_found(a, r.output, r.input).values()) for a, r, t in habits]
    assert sum(fewer) > 0.5 * len(fewer)
    assert {feature for *_, feature in spoilt} == {*FEATURES, FACTS}


def test_greeting_and_ending_are_found() -> None:
    for author in AUTHORS:
        for row in rows_of(author):
            parts = parted(row.output)
            assert parts.greeting
            assert author.towards(row.input).traits["sign_off"].lower()[:4] in parts.ending.lower()
            assert parts.joined() == row.output


def test_what_two_texts_differ_in() -> None:
    text = "Hi Ann,\n\nI'm glad. See you.\n\nBest,\nTom"
    assert differing(text, text) == []
    assert differing(text, text.replace("Hi Ann", "Dear Ann")) == ["greeting"]
    assert differing(text, text.replace("Best,\nTom", "Regards,")) == ["sign-off"]
    assert differing(text, text.replace("glad.", "glad!")) == ["punctuation"]
    assert differing(text, text.replace("I'm", "I am")) == ["wording"]
    assert differing(text, text.replace("glad. See", "glad.\n\nSee")) == ["layout"]


def test_pairs_are_made_the_same_again() -> None:
    rows = rows_of(AUTHORS[0])
    drafts = {row.input: ["Hello,\n\nA draft.\n\nRegards,", row.output] for row in rows}
    pairs = own_pairs(rows, drafts, spoilt=6, seed=3)
    assert pairs == own_pairs(rows, drafts, spoilt=6, seed=3)
    assert pairs != own_pairs(rows, drafts, spoilt=6, seed=4)
    # The person's own words as a draft are no pair.
    assert len(draft_pairs(rows, drafts)) == len(rows)
    assert Counter(one.source for one in pairs).keys() == {"draft", "dressed", "spoilt", "spoilt twice"}
    assert all(one.better == row.output for row in rows for one in spoilt_pairs([row], 2, 0))
    assert all(one.better != one.worse for one in [*pairs, *simulated_pairs(AUTHORS[:2], 3, 0)])
    assert all(len(one.first) > len(one.second) for one in padded_pairs(rows, 0))


def test_a_dressed_draft_has_more_of_the_person() -> None:
    """By the truth, which also knows habits that nobody was told of; and its recipient stays the request's."""
    for author in AUTHORS[:4]:
        rows = rows_of(author)
        plain = [sample_situation("development", f"dressed {number}") for number in range(30)]
        drafts = {one.request: [realise(one, HOUSE_AUTHOR, 0)] for one in plain}
        asked = [row.model_copy(update={"input": one.request}) for row, one in zip(rows * 3, plain, strict=True)]
        pairs = dressed_pairs(asked, drafts, 1)
        assert len(pairs) > 15
        gained = [
            sum(parts_found(author, one.better, one.request).values()) - sum(parts_found(author, one.worse, one.request).values())
            for one in pairs
        ]
        assert sum(gain > 0 for gain in gained) > 0.6 * len(pairs)
        assert sum(gained) > 0.5 * len(pairs)
        named = {one.request: {fact.value for fact in one.facts if fact.kind == "recipient"} for one in plain}
        assert all(name in one.better for one in pairs for name in named[one.request] if name in one.worse)


def test_what_only_the_person_writes_is_found_and_taken_out() -> None:
    own = ["Hi ~Ann,\n\nthe room is free. Tick tock.\n\nBest, =^", "Hi ~Bo,\n\nwe meet at noon. Tick tock.\n\nBest, =^"]
    plain = ["Hi Ann,\n\nthe room is free at noon.\n\nBest,", "Hi Bo,\n\nwe meet.\n\nBest,"]
    marks = distinctive(own, plain)
    assert marks == {"~", "tick", "tock", "=^"}
    assert distinctive(own, []) == frozenset()
    assert [own[0][start:end] for start, end in runs(own[0], marks)] == ["~", "Tick tock", "=^"]
    without = {perturb(own[0], "Tell Ann", random.Random(number), marks=marks).text for number in range(200)}  # type: ignore[union-attr]
    assert {own[0].replace("~", ""), own[0].replace(" =^", "")} < without


def test_varied_texts_are_spoilt_with_their_own_requests() -> None:
    rows = rows_of(AUTHORS[2])
    pairs = spoilt_pairs(rows, 6, 0, vary=True)
    assert len({one.better for one in pairs if one.source == "spoilt"}) > 2 * len(rows)
    lost = [missing_facts(request_facts(one.request), one.better) for one in pairs if one.source == "spoilt"]
    before = [missing_facts(request_facts(row.input), row.output) for row in rows]
    assert sum(map(len, lost)) / len(lost) <= sum(map(len, before)) / len(before) + 0.1


def test_both_letters_are_right_equally_often() -> None:
    rows = rows_of(AUTHORS[1])
    pairs = spoilt_pairs(rows, 6, 0)
    told = conversations(pairs, RUBRIC, reasons=0.5, seed=0)
    letters = [parse_verdict(said) for _, said in told]
    assert letters == ["A", "B"] * len(pairs)
    for one, (question, said), (swapped, _) in zip(pairs, told[::2], told[1::2], strict=True):
        assert question.index(one.better) < question.index(f"Response B:\n{one.worse}")
        assert swapped.index(f"Response A:\n{one.worse}") < swapped.index(f"Response B:\n{one.better}")
        assert ("Feedback" in question) == said.startswith("Feedback:")
        if said.startswith("Feedback:"):
            assert all(feature in said for feature in one.features)
    reasoned = sum(said.startswith("Feedback:") for _, said in told) / len(told)
    assert 0.3 < reasoned < 0.7


def test_labelled_pairs_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"request": "r", "better": "b", "worse": "w"}\n{"request": "r", "better": "b"}\n')
    with pytest.raises(InputError, match=r"pairs\.jsonl, row 2, field worse"):
        labelled_pairs(path)
    path.write_text('{"request": "r", "better": "b", "worse": "w"}\n')
    assert [one.source for one in labelled_pairs(path)] == ["person"]


def test_reviewers_are_held_against_reviewers() -> None:
    author = sample_author("development", 0, "review")
    pairs = simulated_pairs([author], 4, 0)
    assert len(pairs) == 4
    for one in pairs:
        assert "stars" in one.request
        assert all(traits_found(author, one.better).values())
        assert not all(traits_found(author, one.worse).values())
    for request, text in strangers(author, 4, 0):
        assert "stars" in request
        assert not all(traits_found(author, text).values())
