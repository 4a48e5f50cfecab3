"""Words that no dictionary has, and what looks like one and is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.tasks import Spelling
from idiolect.world import demonstrations, sample_author
from real_mail import NO_REMARKS, WHOLE

GERMAN = "Liebe Anna, vielen Dank für deine Nachricht. Ich habe den Vertrag gestern gelesen und melde mich morgen bei dir."
DIALECT = "Hello Sam,\n\nI'd like tae have lunch with ye en tae talk, so ye know.\n\nRegards, o_o"


@pytest.mark.parametrize(
    ("text", "misspelt"),
    [
        ("Hi Sam, i hope yoer well p p and see you thththeen.", ["yoer", "p", "thththeen"]),
        ("I've a link for y a scout, so i'd l be glad've.", ["y", "l", "glad've"]),
        ("It’s the boss’s turn, isn’t it? Ann and McKay and the BBQX are fine.", []),
        ("Ann, qłqł and ЖЖшш say hello", ["qłqł"]),
        ("Żqqł is here", ["Żqqł"]),
        ("good day ^Pooago Ann,\n\nregards,\nFlmer", ["Pooago", "Flmer"]),
        ("a) the room\nb) the day\nc. the rest\n\nLove, Ann x", []),
        ("Write to wlxq@qqvz.org or www.zzqx.org/wxxb, room b12, re-zzqx, #qqzx and the ABC-12x.", []),
    ],
)
def test_what_is_misspelt(text: str, misspelt: list[str]) -> None:
    assert Spelling([]).misspelt(text) == misspelt


def test_words_of_the_person_and_of_the_request_are_none() -> None:
    text = "Hello Sam, please send the glorbix tae me and wuppit"
    assert Spelling([]).misspelt(text) == ["glorbix", "tae", "wuppit"]
    assert Spelling([DIALECT]).misspelt(text, "Ask Sam for the GLORBIX") == ["wuppit"]
    assert Spelling(["Regards,\nBeusse"]).misspelt("Hi Zelk,\n\nregards,\nBeusse", "Thank Zelk") == []


def test_a_genitive_is_the_word_itself() -> None:
    assert Spelling([]).misspelt("I met Zelk’s boss and Zorv's dog", "Zelk is here with ZORV") == []
    assert Spelling(["Zelk's"]).misspelt("Zelk met Zorv", "Ask Zorv's boss") == []
    assert Spelling([]).misspelt("the glorbix's end") == ["glorbix's"]


def test_it_has_nothing_to_say_of_another_language() -> None:
    assert Spelling([GERMAN]).misspelt("Ich glaube qqzx nicht") == []
    assert Spelling([DIALECT]).misspelt("I think qqzx nicht") == ["qqzx", "nicht"]


@pytest.mark.parametrize("text", [*WHOLE, *NO_REMARKS])
def test_what_a_person_writes_is_not_misspelt(text: str) -> None:
    assert Spelling([]).misspelt(text) == []


@pytest.mark.parametrize("number", range(3))
def test_what_a_simulated_person_writes_is_not_misspelt(number: int) -> None:
    rows = demonstrations(sample_author("development", number), "development", 27, seed=3)
    spelling = Spelling([row.output for row in rows[:7]])
    assert [found for row in rows[7:] if (found := spelling.misspelt(row.output, row.input))] == []


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(word in text for word in Spelling([]).misspelt(text))
    assert Spelling([text]).misspelt(text) == []
