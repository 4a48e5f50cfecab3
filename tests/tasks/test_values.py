"""What spellings mean, and which of them are one value."""

from __future__ import annotations

import pytest

from idiolect.corpus import Fact
from idiolect.tasks import missing_facts
from idiolect.tasks.values import Amount, Day, agree, amounts, days, numbers, times


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("time", "3 pm", "15:00"), ("time", "half past two", "14:30"), ("time", "quarter to three", "2:45 pm"), ("time", "noon", "12:00"),
        ("time", "9 o'clock", "nine o'clock"), ("time", "3:30 p.m.", "15:30"), ("time", "ten past four", "16:10"),
        ("day", "Friday", "Fri"), ("day", "14 March", "March 14th"), ("day", "14 March", "14/3"), ("day", "2025-03-14", "14.3.2025"),
        ("day", "the 3rd", "3 May"), ("amount", "$1,200", "1200 dollars"), ("amount", "EUR 12,50", "12.50 euros"),
        ("amount", "$1.2m", "1.2 million USD"), ("amount", "5 %", "five percent"), ("amount", "1.200 €", "1200 euros"),
        ("count", "12", "twelve"), ("count", "1,200", "1200"), ("code", "INV-2231", "#inv2231"),
        ("link", "https://a.example/b/", "a.example/b"),
    ],
)  # fmt: skip
def test_spellings_of_one_value(kind: str, one: str, other: str) -> None:
    assert missing_facts([Fact(kind=kind, value=one)], f"It is {other} then") == []
    assert missing_facts([Fact(kind=kind, value=other)], f"It is {one} then") == []


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("time", "3 pm", "3 am"), ("time", "3 pm", "13:00"), ("day", "Friday", "Sunday"), ("day", "14 March", "14 May"),
        ("day", "3 May", "13 May"),
        ("amount", "$9", "$9.50"), ("amount", "$9", "9 euros"), ("amount", "5 %", "$5"), ("count", "12", "120"), ("count", "3", "3:30"),
        ("code", "INV-2231", "INV-2232"), ("link", "a.example/b", "a.example/c"),
    ],
)  # fmt: skip
def test_other_values_are_missing(kind: str, one: str, other: str) -> None:
    assert missing_facts([Fact(kind=kind, value=one)], f"It is {other} then")


def test_a_claim_may_say_no_more_than_the_context() -> None:
    asked = "Come on 14 March, Dana Whitlock"
    assert missing_facts([Fact(kind="day", value="March"), Fact(kind="day", value="the 14th")], asked, whole=True) == []
    assert missing_facts([Fact(kind="day", value="14 March 2031")], asked, whole=True)
    assert missing_facts([Fact(kind="person", value="Dana Miller")], asked, whole=True)
    assert missing_facts([Fact(kind="person", value="Dana Miller")], asked) == []
    # The weekday follows from a whole date.
    assert missing_facts([Fact(kind="day", value="Tuesday")], "on 2025-06-03", whole=True) == []
    assert missing_facts([Fact(kind="day", value="Monday")], "on 2025-06-03", whole=True)


def test_readings() -> None:
    assert numbers("two hundred and ten") == {210}
    assert numbers("1.200") == {1200, 1.2}
    assert numbers("soon") == frozenset()
    assert amounts("£45.90") == {Amount(45.9, "GBP")}
    assert times("3-4 pm") == (frozenset([900]), frozenset([960]))
    assert days("3/4") == (frozenset([Day(day=3, month=4), Day(day=4, month=3)]),)
    assert days("50/70") == (frozenset(),)
    assert days("3-5 May") == (frozenset([Day(day=3, month=5)]), frozenset([Day(day=5, month=5)]))
    assert not agree([Day(day=3, month=5)], [Day(month=6)])
