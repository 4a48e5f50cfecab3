"""Other facts of the same kinds, the same in request and text."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from idiolect.tasks import known_facts, missing_facts, request_facts, with_other_facts
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


@given(st.integers(0, 10**6))
def test_no_fact_is_lost_and_no_other_is_left(seed: int) -> None:
    rows = demonstrations(sample_author("development", seed % 7), "development", 4, seed=seed % 50)
    known = known_facts(row.input for row in rows)
    for row in rows:
        asked, written = with_other_facts(row.input, row.output, known, random.Random(seed))
        assert len(missing_facts(request_facts(asked), written)) <= len(missing_facts(request_facts(row.input), row.output))
        assert with_other_facts(row.input, row.output, known, random.Random(seed)) == (asked, written)
