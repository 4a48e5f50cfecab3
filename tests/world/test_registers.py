"""Registers: the relation in a request, the traits that hold for it, and their description."""

from __future__ import annotations

import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.errors import InputError
from idiolect.world import (
    HOUSE_AUTHOR,
    RELATIONS,
    Author,
    describe,
    parts_found,
    realise,
    sample_author,
    sample_situation,
    traits_found,
)
from idiolect.world.registers import REGISTER_TRAITS, describe_registers, relation_of
from idiolect.world.traits import HOUSE, VALUES

numbers = st.integers(0, 10**6)
relations = st.sampled_from(list(RELATIONS))


@given(numbers, relations, st.booleans())
def test_a_situations_relation_is_found_in_its_request(number: int, relation: str, replies: bool) -> None:
    assert relation_of(sample_situation("train", number, replies=replies, relation=relation).request) == relation
    assert relation_of(sample_situation("train", number, replies=replies, relation="").request) is None


@given(st.text(max_size=200), relations)
def test_the_relation_of_any_text_and_none_from_a_quote(text: str, relation: str) -> None:
    assert relation_of(text) in {None, *RELATIONS}
    for phrase in RELATIONS[relation]:
        assert relation_of(f"Answer Karin\n\n> I met {phrase} Karin") is None
        assert relation_of(f"Ask {phrase} Karin to come\n\n{text}") == relation
        assert relation_of(f"Ask x{phrase} Karin to come") is None


def test_a_third_of_the_requests_name_a_relation() -> None:
    found = [relation_of(sample_situation("train", index).request) for index in range(1000)]
    assert 0.3 <= mean(one is not None for one in found) <= 0.4
    assert {*found} == {None, *RELATIONS}


@given(numbers, st.sampled_from(["train", "development", "heldout"]))
def test_registers_change_one_to_three_traits_to_other_values(number: int, split: str) -> None:
    author = sample_author(split, number)
    for changed in author.registers.values():
        assert 1 <= len(changed) <= 3
        assert all(value in VALUES[trait] and value != author.traits[trait] for trait, value in changed.items())
    assert set(author.registers) <= set(RELATIONS)
    assert {value for changed in author.registers.values() for value in changed.values()} <= set(author.own_words)


def test_about_half_of_the_relations_have_a_register_and_nobody_has_none_of_the_houses_values() -> None:
    authors = [sample_author("train", index) for index in range(400)]
    assert 0.45 <= mean(relation in author.registers for author in authors for relation in RELATIONS) <= 0.55
    house = [HOUSE[trait] == value for one in authors for changed in one.registers.values() for trait, value in changed.items()]
    assert 0.1 <= mean(house) <= 0.4
    assert not HOUSE_AUTHOR.registers
    assert not sample_author("train", 1, "review").registers


@given(numbers, relations)
def test_towards_somebody_the_changed_traits_hold_and_no_others(number: int, relation: str) -> None:
    author = sample_author("train", number)
    towards = author.towards(f"Ask {RELATIONS[relation][0]} Karin to come")
    assert towards.traits == author.traits | author.registers.get(relation, {})
    assert not towards.registers
    assert author.towards("Ask Karin to come").traits == author.traits
    assert towards.towards(f"Ask {RELATIONS['boss'][0]} Karin") is towards


def test_an_e_mail_shows_the_register_of_its_recipient_and_not_the_usual_traits() -> None:
    own, usual = [], []
    for index in range(300):
        author = sample_author("development", index)
        for relation, changed in author.registers.items():
            situation = sample_situation("development", index, relation=relation)
            text = realise(situation, author, index)
            own.append(mean(parts_found(author, text, situation.request).values()))
            found = traits_found(author, text)
            usual.append(mean(found[trait] for trait in changed))
    assert mean(own) >= 0.99
    assert mean(usual) <= 0.05


def test_a_description_tells_every_changed_trait_in_a_line_of_its_own() -> None:
    for relation in RELATIONS:
        for trait in REGISTER_TRAITS:
            for value in VALUES[trait]:
                lines = {describe_registers({relation: {trait: value}}, wording)[0] for wording in (0, 1)}
                assert len(lines) == 2
                assert all("none" not in line and " a None" not in line and "{}" not in line for line in lines), lines
    assert describe_registers({"boss": {"greeting": "Dear {},", "emoji": "none"}}) == [
        'to the boss: greets with "Dear NAME,"',
        "to the boss: no emoji",
    ]
    author = sample_author("train", 5)
    told = [line for line in describe(author, random.Random(1)) if line.startswith("to ")]
    assert len(told) == sum(map(len, author.registers.values())) > 0


def test_registers_are_saved_and_checked(tmp_path) -> None:
    path = tmp_path / "author.json"
    for number in range(20):
        author = sample_author("heldout", number)
        author.save(path)
        assert Author.load(path) == author
    for wrong in ({"aunt": {"emoji": ":)"}}, {"boss": {"length": "long"}}):
        author.model_copy(update={"registers": wrong}).save(path)
        with pytest.raises(InputError, match="field registers"):
            Author.load(path)
    sample_author("train", 1, "review").model_copy(update={"registers": {"boss": {"emoji": ":)"}}}).save(path)
    with pytest.raises(InputError, match="field registers"):
        Author.load(path)
