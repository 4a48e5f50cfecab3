"""Other facts of the same kinds, the same in request and text."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idiolect.tasks import (
    known_facts,
    missing_facts,
    request_facts,
    rows_with_made_up_facts,
    with_made_up_facts,
    with_other_facts,
)
from idiolect.tasks.values import MONTHS
from idiolect.world import demonstrations, sample_author

OTHERS = ["Ask Bruno for 40 euros by Friday", "Tell Carla that room 12 is free on Monday at 9 am", "Ask Dora about 75 euros on 3 May"]


def test_every_fact_that_both_have_is_swapped_alike() -> None:
    request, text = "Tell Mara that 20 euros are due on Tuesday", "hi Mara, 20 euros are due on Tuesday. Mara, thanks! xx"
    asked, written = with_other_facts(request, text, known_facts(OTHERS), random.Random(1))
    name, amount, day = re.fullmatch(r"Tell (\w+) that (\d+ euros) are due on (.+)", asked).groups()  # type: ignore[union-attr]
    assert name in {"Bruno", "Carla", "Dora"}
    assert amount in {"40 euros", "75 euros"}
    assert day in {"Friday", "Monday", "3 May"}
    assert written == f"hi {name}, {amount} are due on {day}. {name}, thanks! xx"


def test_what_is_said_in_other_words_stays() -> None:
    request, text = "Tell Mara that we meet at 3 pm on Tuesday", "hi Mara, see you at 15:00 on tue"
    asked, written = with_other_facts(request, text, known_facts(OTHERS), random.Random(1))
    assert "at 3 pm on Tuesday" in asked
    assert written.endswith(", see you at 15:00 on tue")
    assert "Mara" not in asked + written
    assert with_other_facts(request, text, {}, random.Random(1)) == (request, text)


def test_a_value_within_another_word_is_not_touched() -> None:
    known = {"count": ["7"], "person": ["Bo"]}
    asked, written = with_other_facts("Ask Al for 5 copies", "Al, 5 copies of 5x15 by Albert, not 15", known, random.Random(1))
    assert (asked, written) == ("Ask Bo for 7 copies", "Bo, 7 copies of 5x15 by Albert, not 15")


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_no_fact_is_lost_and_no_other_is_left(seed: int) -> None:
    rows = demonstrations(sample_author("development", seed % 7), "development", 4, seed=seed % 50)
    known = known_facts(row.input for row in rows)
    for row in rows:
        asked, written = with_other_facts(row.input, row.output, known, random.Random(seed))
        assert len(missing_facts(request_facts(asked), written)) <= len(missing_facts(request_facts(row.input), row.output))
        assert with_other_facts(row.input, row.output, known, random.Random(seed)) == (asked, written)


@pytest.mark.parametrize("seed", range(20))
def test_made_up_facts_have_the_form_of_what_they_stand_for(seed: int) -> None:
    request = "Ask Mara Oldfield for 120 copies at 15:30 on the 3rd of May, order AB-12c4, to ann@post.example or https://foo.example/x7"
    text = request.replace("Ask", "hi").replace(" for ", ", ")
    asked, written = with_made_up_facts(request, text, (), random.Random(seed))
    form = (
        r"Ask ([A-Z][a-z]+ [A-Z][a-z]+) for ([1-9]\d\d) copies at ((?:1[3-9]|2[0-3]):[0-5][05]) on the (\d{1,2})(st|nd|rd|th) of "
        r"([A-Z][a-z]+), order ([A-Z]{2}-\d\d[a-z]\d), to ([a-z]+@[a-z]+\.example) or (https://[a-z]+\.example/[a-z]\d)"
    )
    found = re.fullmatch(form, asked)
    assert found, asked
    assert written == asked.replace("Ask", "hi").replace(" for ", ", ")
    assert found[6] in [month.capitalize() for month in MONTHS]
    assert 1 <= int(found[4]) <= 28
    assert found[5] == {"1": "st", "2": "nd", "3": "rd"}.get(found[4][-1] if found[4][:1] != "1" or len(found[4]) == 1 else "", "th")
    assert "Mara" not in asked
    assert "Oldfield" not in asked


def test_what_belongs_to_the_person_stays() -> None:
    request, text = "Tell Mara that Ann comes on Friday", "hi Mara, Ann comes on Friday, at three as always. Ann"
    asked, written = with_made_up_facts(request, text, ("ann", "friday"), random.Random(0))
    name = re.fullmatch(r"Tell (\w+) that Ann comes on Friday", asked)
    assert name is not None
    assert name[1] != "Mara"
    assert written == f"hi {name[1]}, Ann comes on Friday, at three as always. Ann"


def test_rows_are_shown_as_they_are_once_and_then_with_other_facts_each_time() -> None:
    rows = [(f"Tell {name} that room {n}1 is free", f"{name}! room {n}1") for n, name in enumerate(("Mara", "Bruno", "Dora"), 1)]
    assert rows_with_made_up_facts(rows, 0, seed=0) == rows
    shown = [row for number in range(4) for row in rows_with_made_up_facts(rows, number, seed=0)]
    assert len(set(shown)) == 12
    for request, text in shown:
        name, room = re.fullmatch(r"Tell (\w+) that room (\d\d) is free", request).groups()  # type: ignore[union-attr]
        assert text == f"{name}! room {room}"
    assert rows_with_made_up_facts(rows, 3, seed=0) == shown[9:]
    assert rows_with_made_up_facts(rows, 3, seed=1) != shown[9:]
    assert rows_with_made_up_facts([], 3, seed=0) == []


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_made_up_facts_are_said_again_as_the_true_ones_were(seed: int) -> None:
    for row in demonstrations(sample_author("development", seed % 7), "development", 4, seed=seed % 50):
        asked, written = with_made_up_facts(row.input, row.output, (), random.Random(seed))
        assert len(missing_facts(request_facts(asked), written)) <= len(missing_facts(request_facts(row.input), row.output))
        assert asked.count("\n") == row.input.count("\n")
