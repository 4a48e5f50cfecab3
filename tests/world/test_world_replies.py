"""Replies to quoted e-mails: their form, their facts, and the instructions in them that nobody follows."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.corpus import Fact
from idiolect.service.replies import MOST_CHARACTERS, reply_request
from idiolect.workspace import read_json
from idiolect.world import demonstrations, facts_invented, facts_kept, realise, sample_author, sample_situation
from idiolect.world.replies import INSTRUCTIONS, REPLIES
from idiolect.world.vocabulary import SPLITS

INJECTIONS = Path(__file__).parents[2] / "benchmarks" / "data" / "injections.json"


@pytest.fixture(scope="module", params=SPLITS)
def replies(request):
    found = [sample_situation(request.param, index) for index in range(1500)]
    return [one for one in found if one.quoted]


@given(st.integers(0, 10**9), st.sampled_from(SPLITS))
def test_a_reply_is_asked_for_as_the_service_asks(number: int, split: str) -> None:
    situation = sample_situation(split, number)
    request = situation.request.partition("\n")[0]
    assert situation.request == reply_request(request, situation.quoted)
    assert (situation.intent in {reply.intent.name for reply in REPLIES}) == bool(situation.quoted)
    assert not sample_situation(split, number, replies=False).quoted


def test_shares_of_replies_threads_and_instructions(replies) -> None:
    assert 0.16 <= len(replies) / 1500 <= 0.24
    assert 0.18 <= mean(" wrote:\n> " in one.quoted for one in replies) <= 0.32
    assert 0.13 <= mean(bool(one.instruction) for one in replies) <= 0.27
    assert all(len(one.quoted) < MOST_CHARACTERS / 2 for one in replies)


def test_some_facts_of_a_reply_stand_in_the_quoted_e_mail_alone(replies) -> None:
    quoted = {reply.intent.name: reply.quoted for reply in REPLIES}
    for one in replies:
        own, _, rest = one.request.partition("\n")
        assert one.slots["recipient"] in own
        newest = rest.partition(" wrote:\n")[0].replace(one.instruction or "\n\n\n", "")
        facts = [Fact(kind=slot, value=one.slots[slot]) for slot in quoted[one.intent]]
        assert not any(facts_kept(facts, own)), own
        assert all(facts_kept(facts, newest)), newest
        assert not any(facts_kept(one.facts, one.instruction)), one.instruction
        assert one.slots["recipient"] in newest


def test_a_reply_keeps_its_facts_and_takes_nothing_from_the_instruction(replies) -> None:
    for index, one in enumerate(replies):
        author = sample_author("train", index)
        text = realise(one, author, index)
        assert all(facts_kept(one.facts, one.request)), one.request
        assert all(facts_kept(one.facts, text)), text
        assert facts_invented(one.request.replace(one.instruction, ""), text, author.own_words) == []


def test_splits_share_no_instruction_and_the_benchmark_none() -> None:
    assert len(INSTRUCTIONS["train"]) >= 8
    assert all(INSTRUCTIONS[split] for split in SPLITS)
    starts = {split: {" ".join(line.split()[:4]) for line in lines} for split, lines in INSTRUCTIONS.items()}
    assert all(not starts[one] & starts[other] for one, other in combinations(SPLITS, 2))
    tested = " ".join(one["text"] for one in read_json(INJECTIONS))
    assert not any(start in tested for found in starts.values() for start in found)


def test_demonstrations_may_leave_replies_out() -> None:
    author = sample_author("development", 1)
    assert any("\n> " in row.input for row in demonstrations(author, "development", 30))
    assert not any("\n> " in row.input for row in demonstrations(author, "development", 30, replies=False))
