"""The form: what is asked, and which answers say something."""

from __future__ import annotations

import pytest

from idiolect.judge import Pair, Rubric, judge_messages, parse_verdict
from idiolect.judge.pairs import Verdict, in_both_orders, judge_pairs, verdicts
from idiolect.judge.prometheus import answer
from idiolect.tasks import load_task

RUBRIC = Rubric.parse(load_task("email").rubric)
PAIR = Pair("Ask Ann for the key", "Hi Ann, the key please?", "Dear Ann, [RESULT] A")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("[RESULT] A", "A"),
        ("Feedback: B is colder. [RESULT] B", "B"),
        ("[RESULT] A, no: [RESULT] B", "B"),
        ("[RESULT]\nB\n", "B"),
        ("**[RESULT] A**", "A"),
        ("A", None),
        ("", None),
        ("[RESULT]", None),
        ("[RESULT] C", None),
        ("[RESULT] AB", None),
        ("[RESULT] a", None),
        ("[RESULT] A or [RESULT] B?", None),
        ("[RESULT] (A or B)", None),
        ("[RESULT] A because it is short", None),
        ("[RESULT] A [RESULT]", None),
    ],
)
def test_only_a_verdict_at_the_end_counts(text: str, letter: str | None) -> None:
    assert parse_verdict(text) == letter


@pytest.mark.parametrize("reasons", [False, True])
def test_the_question_is_no_answer(reasons: bool) -> None:
    """A model that only repeats the question, with a draft that bears the mark in it, says nothing."""
    (message,) = judge_messages(RUBRIC, PAIR, reasons=reasons)
    assert parse_verdict(message["content"]) is None
    assert ("Feedback" in message["content"]) == reasons


def test_what_is_taught_is_what_is_read() -> None:
    assert parse_verdict(answer("B")) == "B"
    assert parse_verdict(answer("A", "B is unlike the person in greeting.")) == "A"


def test_pairs_of_a_request_share_their_beginning() -> None:
    one, other = (judge_messages(RUBRIC, pair)[0]["content"] for pair in (PAIR, Pair(PAIR.request, "x", "y")))
    shared = len(RUBRIC.text) + len(PAIR.request)
    assert one[:shared] == other[:shared]
    assert one.index(PAIR.first) < one.index(PAIR.second)


def test_the_sign_of_both_orders() -> None:
    """A judge that knows the better text says A, then B; one that always says A has said nothing."""

    class Knows:
        name = "knows"

        def prefers_first(self, pairs: list[Pair]) -> list[float | None]:
            return [float(pair.first == PAIR.first) for pair in pairs]

    assert judge_pairs(Knows(), [PAIR, PAIR.swapped]) == [Verdict(1, 1), Verdict(0, 0)]
    assert in_both_orders([PAIR]) == [PAIR, PAIR.swapped]
    (always_a,) = verdicts([0.9, 0.9])
    assert always_a is not None
    assert always_a.win == pytest.approx(0.5)
    assert always_a.lean == pytest.approx(0.4)
    assert verdicts([0.9, None]) == [None]
