"""Open slots, remarks and cut ends on mail written by hand, each with what looks alike and is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.tasks import cut_short, ending, meta_comments, placeholders, repeated, usually_repeated
from real_mail import CUT, NO_REMARKS, NO_SLOTS, REMARKS, SLOTS, WHOLE


@pytest.mark.parametrize("text", SLOTS)
def test_open_slots_are_found(text: str) -> None:
    assert placeholders(text)


@pytest.mark.parametrize("text", NO_SLOTS)
def test_what_looks_like_a_slot_is_none(text: str) -> None:
    assert placeholders(text) == []


@pytest.mark.parametrize("text", REMARKS)
def test_remarks_are_found(text: str) -> None:
    assert meta_comments(text)


@pytest.mark.parametrize("text", NO_REMARKS)
def test_what_a_person_writes_is_no_remark(text: str) -> None:
    assert meta_comments(text) == []


def test_what_the_request_says_itself_is_no_remark() -> None:
    text = "Hi Dana,\n\nCan you come?\n\nBest,\nRobin\n\nNote: this message was written on a phone."
    assert meta_comments(text)
    assert meta_comments(text, context="End with: Note: this message was written on a phone.") == []


@pytest.mark.parametrize("text", CUT)
def test_an_end_in_the_middle_is_seen(text: str) -> None:
    assert cut_short(text)


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_mail_is_not_cut(text: str) -> None:
    assert not cut_short(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hi Ann,\n\nsee you.\n\nPS: Bring an umbrella.\n\nPS: bring an umbrella.", ["PS: Bring an umbrella."]),
        ("Hi Ann,\n\nTick tock. Tick tock. Tick tock. See you on Friday.", ["Tick tock."]),
        ("We meet at noon.\nWe meet at noon.\n", ["We meet at noon."]),
        ("Hi Ann,\n\ni'd like like you p p something at the  The office", ["like like", "p p", "the  The"]),
        ("It's NOT NOT done, don't don't worry.", ["NOT NOT", "don't don't"]),
    ],
)
def test_what_is_said_twice_is_told_once(text: str, said: list[str]) -> None:
    assert repeated(text) == said


@pytest.mark.parametrize(
    "text",
    [
        *WHOLE, *NO_REMARKS, *NO_SLOTS,
        "Thanks,\nAnn\n\n> we meet at noon\n> we meet at noon",
        "- 2 copies\n- 2 copies\n\nYes, yes. No, no. Thank you. And again, thank you.",
        "The room is free. The room is free on Monday.",
        "We fly to Bora Bora on Monday, Monday works best. I had had very very little of it.",
        "See you at 5 5 people will come to to-day@home.de, dot. Dot",
        "Is it done\ndone",
    ],
)  # fmt: skip
def test_what_a_person_writes_is_not_said_twice(text: str) -> None:
    assert repeated(text) == []


def test_what_a_person_says_twice_all_the_time_is_none_in_that_persons_draft() -> None:
    usual = usually_repeated(["Hop hop!\n\nAnn", "See you.\nPS: Bring an umbrella.\nPS: Bring an umbrella."])
    assert usual == {"hop hop", "ps: bring an umbrella."}
    assert repeated("Hi Bo,\n\nhop hop, the the bus leaves.", usual) == ["the the"]


def test_a_person_who_writes_no_full_stops_is_not_cut() -> None:
    text = "hi sam\n\nthe report is on your desk and i called the office about it"
    assert cut_short(text)
    assert ending(text) == "open"
    assert not cut_short(text, usual="open")
    assert cut_short(text + " and the", usual="open")


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert ending(text) in ("closed", "stopped", "open")
    assert all(slot in text for slot in placeholders(text))
    assert isinstance(meta_comments(text), list)
