"""The simulated world: what an author writes shows the author's traits and the request's facts."""

from __future__ import annotations

import random
import re
from statistics import mean

import pytest

from idiolect.errors import InputError
from idiolect.world import (
    HOUSE_AUTHOR,
    TRAITS,
    Author,
    demonstrations,
    describe,
    facts_invented,
    facts_kept,
    habits_found,
    parts_found,
    realise,
    sample_author,
    sample_situation,
    traits_found,
)
from idiolect.world.habits import odd_habits
from idiolect.world.intents import FOLLOW_UPS, INTENTS, TAILS
from idiolect.world.replies import REPLIES
from idiolect.world.traits import HOUSE
from idiolect.world.vocabulary import SPLITS, draw, kinds, split_of

COUNT = 400


@pytest.fixture(scope="module")
def written():
    """(author, situation, e-mail) triples of the development split."""
    triples = []
    for index in range(COUNT):
        author, situation = sample_author("development", index), sample_situation("development", index)
        triples.append((author, situation, realise(situation, author)))
    return triples


def test_an_author_s_own_e_mail_shows_nearly_all_traits(written):
    shown = [traits_found(author, text, situation.request) for author, situation, text in written]
    by_trait = {trait: mean(found[trait] for found in shown) for trait in TRAITS}
    assert min(by_trait.values()) >= 0.97, by_trait
    assert mean(by_trait.values()) >= 0.995


def test_another_author_s_e_mail_shows_far_fewer(written):
    share = mean(mean(traits_found(sample_author("train", index), text).values()) for index, (_, _, text) in enumerate(written))
    assert share <= 0.5


def test_the_house_style_shares_about_two_traits_in_five(written):
    share = mean(
        mean(traits_found(author, realise(situation, HOUSE_AUTHOR), situation.request).values()) for author, situation, _ in written
    )
    assert 0.35 <= share <= 0.45


def test_every_fact_of_the_request_is_in_the_e_mail_and_none_is_invented(written):
    for author, situation, text in written:
        assert all(facts_kept(situation.facts, situation.request))
        assert all(facts_kept(situation.facts, text)), text
        assert facts_invented(situation.request, text, author.own_words) == []


def test_a_lost_and_an_invented_fact_are_seen(written):
    for _, situation, text in written[:100]:
        fact = situation.facts[-1]
        flat = " ".join(text.split())
        start = flat.lower().index(fact.value.lower())
        lost = flat[:start] + "something" + flat[start + len(fact.value) :]
        if fact.value.lower() not in lost.lower():
            assert not facts_kept([fact], lost)[0]
        assert "zorblat" in facts_invented(situation.request, text + "\nSee you at Zorblat.")


def test_flipping_a_trait_is_seen(written):
    """Each trait's checker turns when the author changes that trait alone."""
    for trait in ("contractions", "hedging", "dash", "bullets", "exclamation", "case", "length", "paragraphs"):
        changed = 0
        for author, situation, _ in written[:60]:
            author = author.towards(situation.request)
            other = {"length": ("short", "long"), "case": ("normal", "lower"), "paragraphs": ("block", "spaced")}.get(trait, ("no", "yes"))
            value = other[1] if author.traits[trait] == other[0] else other[0]
            text = realise(situation, Author(name=author.name, traits=author.traits | {trait: value}))
            changed += not traits_found(author, text, situation.request)[trait]
        assert changed >= 57, trait


def test_traits_are_found_in_any_text():
    author = sample_author("heldout", 1)
    for text in ("", " ", "\n\n\n", "PS", "!" * 1000, "Hi", "\u2603" * 50, "a\n" * 200):
        assert set(traits_found(author, text)) == set(TRAITS)


def test_splits_share_no_author_name_or_topic():
    sets = {split: {repr(sample_author(split, index).traits) for index in range(300)} for split in SPLITS}
    words = {}
    for split in SPLITS:
        values = [sample_situation(split, index).slots for index in range(300)]
        words[split] = {value["recipient"] for value in values}
        assert all(split_of(name) == split for name in words[split])
    for first, second in (("train", "development"), ("train", "heldout"), ("development", "heldout")):
        assert not sets[first] & sets[second]
        assert not words[first] & words[second]


def test_forty_intents_and_all_of_them_and_all_replies_occur():
    assert len(INTENTS) >= 40
    names = [intent.name for intent in (*INTENTS, *(reply.intent for reply in REPLIES))]
    assert len(set(names)) == len(names)
    assert {sample_situation("train", index).intent for index in range(2500)} == set(names)


def test_every_intent_has_wordings_and_keeps_its_facts_in_each():
    known = {intent.name: intent for intent in INTENTS}
    for intent, quoted in [*((intent, ()) for intent in INTENTS), *((reply.intent, reply.quoted) for reply in REPLIES)]:
        assert len(intent.requests) >= 3
        assert len(intent.mains) >= 3
        for template in intent.requests:
            assert all(f"{{{slot}}}" in template for slot in intent.slots if slot not in quoted), template
            # A relation may stand before the name: no request begins with it, and nothing is joined to it.
            assert re.search(r" {recipient}(?![\w'’])", template), template
        for template in intent.mains:
            assert all(f"{{{slot}}}" in template for slot in intent.slots), template
        assert {intent.mood} <= set(TAILS) & set(FOLLOW_UPS)
    for reply in REPLIES:
        assert all(set(reply.quoted) <= set(known[name].slots) for name in reply.answers)


def test_values_are_open():
    """Few repeats among many draws, so that a value cannot be recalled but must be copied."""
    import random

    rng = random.Random(0)
    for kind in kinds:
        values = {draw(kind, rng, "train") for _ in range(300)}
        assert len(values) >= (60 if kind in ("day", "time", "count") else 150), (kind, len(values))


def test_a_description_names_what_differs_from_the_house_style():
    author = sample_author("development", 3)
    differing = [trait for trait in TRAITS if author.traits[trait] != HOUSE[trait]]
    assert len(describe(author.model_copy(update={"registers": {}}))) == len(differing)
    assert describe(HOUSE_AUTHOR) == []


def test_the_same_seed_gives_the_same_world():
    author = sample_author("heldout", 5)
    assert author == sample_author("heldout", 5)
    assert demonstrations(author, "heldout", 3) == demonstrations(author, "heldout", 3)
    assert len({row.output for row in demonstrations(author, "heldout", 20)}) == 20


def test_author_files(tmp_path):
    author = sample_author("heldout", 2)
    author.save(tmp_path / "author.json")
    assert Author.load(tmp_path / "author.json") == author
    (tmp_path / "author.json").write_text('{"name": "x", "traits": {"greeting": "Hi {},"}}')
    with pytest.raises(InputError, match="traits"):
        Author.load(tmp_path / "author.json")


def test_an_author_s_own_e_mail_shows_the_habits_and_nobody_else_s_does():
    for split in ("development", "heldout"):
        own, others, house = [], [], []
        for index in range(200):
            author, situation = sample_author(split, index), sample_situation(split, index)
            own.append(mean(habits_found(author, realise(situation, author)).values()))
            house.append(mean(habits_found(author, realise(situation, HOUSE_AUTHOR)).values()))
            others.append(mean(habits_found(author, realise(situation, sample_author("train", index))).values()))
        assert mean(own) >= 0.99
        assert mean(house) <= 0.01
        assert mean(others) <= 0.01


def test_habits_are_seen_one_by_one():
    """Leaving one out turns its own detector and no other."""
    author, situation = sample_author("heldout", 4), sample_situation("heldout", 4)
    for habit in author.habits:
        rest = {kind: form for kind, form in author.habits.items() if kind != habit}
        found = habits_found(author, realise(situation, author.model_copy(update={"habits": rest})))
        assert [kind for kind, there in found.items() if not there] == [habit]


def test_only_development_and_held_out_authors_have_habits_and_share_none():
    forms = {split: {form for index in range(100) for form in sample_author(split, index).habits.values()} for split in SPLITS}
    assert not forms["train"]
    assert forms["development"]
    assert not forms["development"] & forms["heldout"]
    odd = {form for seed in range(500) for form in odd_habits(random.Random(seed)).values()}
    assert not odd & (forms["development"] | forms["heldout"])
    assert not HOUSE_AUTHOR.habits
    assert not sample_author("heldout", 1, habits=False).habits
    assert sample_author("heldout", 1, habits=False).traits == sample_author("heldout", 1).traits


def test_traits_and_habits_together_are_the_style():
    author = sample_author("heldout", 6)
    assert set(parts_found(author, "")) == {*TRAITS, *author.habits}
    for text in ("", " ", "PS", "!" * 1000, "a\n" * 200):
        assert set(habits_found(author, text)) == set(author.habits)
