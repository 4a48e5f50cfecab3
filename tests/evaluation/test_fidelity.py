"""Each defect, planted, moves its measure and no other."""

from __future__ import annotations

import pytest

from idiolect.corpus import Demonstration
from idiolect.evaluation.fidelity import CopyFinder, FidelityChecker, invented_facts, usual_facts
from idiolect.world import Author

REQUEST = "Ask Dana Whitlock to send $1,200 by Friday 14 March at 3 pm, copy kim@example.org"
GOOD = "Hi Dana,\n\nCould you send the $1,200 by Friday 14 March, 3 pm? Please copy kim@example.org.\n\nThanks,\nRobin"
KNOWN = [
    Demonstration(input="x", output=f"Hi {name},\n\nI was glad to hear from you about the {thing}.\n\nThanks,\nRobin, call 555-0100")
    for name, thing in (("Ann", "garden"), ("Bo", "boat trip"), ("Cy", "roof"))
]
ROW = Demonstration(input=REQUEST, output=GOOD)


@pytest.fixture(scope="module")
def checker() -> FidelityChecker:
    return FidelityChecker(KNOWN)


def test_a_faithful_draft_has_nothing_against_it(checker: FidelityChecker) -> None:
    found = checker.check(ROW, GOOD)
    assert (found.kept, found.invented, found.placeholders, found.truncated) == (1.0, (), (), False)
    assert found.length_ratio == 1.0
    assert found.verbatim_overlap < 0.3


def test_a_lost_fact_is_named(checker: FidelityChecker) -> None:
    found = checker.check(ROW, GOOD.replace("$1,200", "money"))
    assert [fact.value for fact in found.lost] == ["$1,200"]
    assert found.kept is not None
    assert found.kept < 1
    assert not found.invented


@pytest.mark.parametrize(
    ("planted", "word"),
    [
        ("See you on Tuesday.", "Tuesday"),
        ("It is on 3 June.", "3 June"),
        ("Call at 9:30.", "9:30"),
        ("That makes $99.", "$99"),
        ("Write to lee@example.net.", "lee@example.net"),
        ("Look at https://example.net/form please.", "https://example.net/form"),
        ("I told Oskar about it.", "Oskar"),
    ],
)
def test_what_nobody_gave_is_invented(checker: FidelityChecker, planted: str, word: str) -> None:
    found = checker.check(ROW, GOOD.replace("Please", f"{planted} Please"))
    assert found.invented == (word,)
    assert found.kept == 1.0


def test_a_name_from_one_demonstration_is_invented_but_the_persons_own_constants_are_not(checker: FidelityChecker) -> None:
    assert checker.check(ROW, GOOD.replace("Please", "I saw Ann, and Bo too. Please")).invented == ("Ann", "Bo")
    assert not checker.check(ROW, GOOD + ", call 555-0100").invented
    assert {"555", "0100"} <= set(usual_facts([row.output for row in KNOWN]))


def test_formulas_and_lists_are_no_inventions() -> None:
    text = "Dear Dana,\n\n1. Thank You for the $1,200\n2. It was fine\n\nKind Regards,\nAll The Best"
    assert invented_facts(REQUEST, text) == ()


@pytest.mark.parametrize("slot", ["[Your Name]", "<date>", "{{amount}}", "XXX"])
def test_an_open_slot_is_a_placeholder_and_no_invention(checker: FidelityChecker, slot: str) -> None:
    found = checker.check(ROW, GOOD + f" {slot}")
    assert found.placeholders == (slot,)
    assert not found.invented


def test_a_slot_that_the_request_names_is_meant(checker: FidelityChecker) -> None:
    row = Demonstration(input="Send Dana the form with [Your Name] in it", output="")
    assert not checker.check(row, "Hi Dana, the form with [Your Name] in it is here.").placeholders


def test_copied_text_raises_the_overlap(checker: FidelityChecker) -> None:
    copy = "Hi Bo,\n\nI was glad to hear from you about the boat trip.\n\nThanks,\nRobin, call 555-0100"
    found = checker.check(ROW, copy)
    assert found.verbatim_overlap == 1.0
    changed = checker.check(ROW, copy.replace("boat", "canoe"))
    assert 0.5 < changed.verbatim_overlap < 0.8
    assert found.copied == copy


def test_length_is_that_of_the_persons_text_or_of_the_usual_one(checker: FidelityChecker) -> None:
    assert checker.check(ROW, f"{GOOD} {GOOD}").length_ratio == pytest.approx(2.0)
    unknown = Demonstration(input=REQUEST, output="")
    usual = len(KNOWN[0].output.split())
    assert checker.check(unknown, "one two three").length_ratio == pytest.approx(3 / usual, rel=0.1)
    assert FidelityChecker([]).check(unknown, "one").length_ratio is None


def test_truncation_and_emptiness(checker: FidelityChecker) -> None:
    assert checker.check(ROW, GOOD, finished=False).truncated
    empty = checker.check(ROW, "")
    assert (empty.kept, empty.verbatim_overlap, empty.length_ratio) == (0.0, 0.0, 0.0)


def test_a_request_without_facts_says_nothing_about_facts(checker: FidelityChecker) -> None:
    assert checker.check(Demonstration(input="say thanks", output=""), "Thanks!").kept is None


def test_simulated_facts_are_the_simulators(author: Author, known: list[Demonstration], heldout: list[Demonstration]) -> None:
    checker = FidelityChecker(known, author=author, world=True)
    row = heldout[0]
    assert checker.check(row, row.output).kept == 1.0
    assert not checker.check(row, row.output).invented
    without = row.output.replace(row.facts[0].value, "Blurbo")
    found = checker.check(row, without)
    assert row.facts[0] in found.lost
    assert found.invented == ("blurbo",)


def test_runs_do_not_cross_from_one_text_to_the_next() -> None:
    finder = CopyFinder(["a b c", "d e f"])
    assert finder.longest("a b c d e f") == (0.5, "a b c")
    assert finder.longest("x y") == (0.0, "")
    assert finder.longest("") == (0.0, "")
    assert finder.longest("B C x") == (pytest.approx(2 / 3), "B C")
    assert CopyFinder([]).longest("a") == (0.0, "")
