"""What is dropped, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.synthesis.filters import Unlike, request_fault, request_line, similarity, text_fault
from idiolect.tasks import request_facts

FACTS = request_facts("Ask Dana to come on Friday")


@pytest.mark.parametrize(
    ("text", "finished", "reason"),
    [
        ("Hi Dana, please come on Friday. Best, Tom", True, None),
        ("", True, "empty"),
        (" ...!", True, "empty"),
        ("Hi Dana, please come on Fri", False, "truncated"),
        ("Hi Dana, please come on Friday. [Your Name]", True, "placeholder"),
        ("Hi Dana, please come on Monday.", True, "fact-losing"),
    ],
)
def test_text_faults(text: str, finished: bool, reason: str | None) -> None:
    assert text_fault(text, finished=finished, facts=FACTS, min_words=3) == reason


def test_what_the_person_says_twice_may_be_said_twice() -> None:
    text = "Hi Dana, hop hop, please come on Friday. Best, Tom"
    assert text_fault(text, finished=True, facts=FACTS, min_words=3) == "repeating"
    assert text_fault(text, finished=True, facts=FACTS, min_words=3, usual={"hop hop"}) is None


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("Ask Dana", "Ask Dana"),
        ("\n- Ask Dana\n- Ask Sam", "Ask Dana"),
        ("1. “Ask Dana to come”", "Ask Dana to come"),
        ("Request: Ask Dana", "Ask Dana"),
        ("***\n\n", ""),
        ("3 chairs for Dana", "3 chairs for Dana"),
    ],
)
def test_request_line(answer: str, line: str) -> None:
    assert request_line(answer) == line


def test_request_faults() -> None:
    assert request_fault("Ask Dana to come", finished=True) is None
    assert request_fault("Ask", finished=True) == "empty"
    assert request_fault("Ask Dana to", finished=False) == "truncated"
    assert request_fault("Ask {name} to come", finished=True) == "placeholder"


def test_near_repeats_are_found_and_other_facts_are_not_repeats() -> None:
    unlike = Unlike(["Ask Dana to move the review to Friday at 3 pm because of the audit"])
    assert unlike.repeats("ask dana to move the review to friday, at 3 pm because of the audit.")
    assert not unlike.repeats("Ask Marek to move the retreat to Monday at 2 pm because of the storm")
    unlike.add("Thank Sam")
    assert unlike.repeats("thank Sam!")


@given(st.text(max_size=80), st.text(max_size=80))
def test_similarity_is_a_symmetric_share(one: str, other: str) -> None:
    value = similarity(one, other)
    assert 0 <= value <= 1
    assert value == similarity(other, one)
    assert similarity(one, one) == 1
