"""Facts found by form alone, checked against the simulated world, whose facts are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.corpus import Fact
from idiolect.tasks import missing_facts, placeholders, request_facts
from idiolect.world import realise, sample_author, sample_situation


def found(text: str) -> dict[str, str]:
    return {fact.value: fact.kind for fact in request_facts(text)}


def test_every_form_is_found() -> None:
    text = (
        'Ask Dana Whitfield to move the "spring plan" to Friday at 3 pm or May 4 at 15:30, for $1,200.50 or 12 %, '
        "order INV-2231, room 12, see https://example.org/a?b=1. or write to sam@example.org by 2026-05-03."
    )
    assert found(text) == {
        "Dana Whitfield": "person", "spring plan": "quote", "Friday": "day", "3 pm": "time", "May 4": "day", "15:30": "time",
        "$1,200.50": "amount", "12 %": "amount", "INV-2231": "code", "12": "count", "https://example.org/a?b=1": "link",
        "sam@example.org": "address", "2026-05-03": "day",
    }  # fmt: skip


def test_a_capital_at_a_sentences_start_says_nothing() -> None:
    assert found("Tell her. Thanks! I think it is OK: Bring it.") == {}
    assert found("Tell Mara. Mara knows.") == {"Mara": "person"}


def test_links_without_a_scheme_keep_no_full_stop() -> None:
    assert found("it is at lealer.example/bosheth.") == {"lealer.example/bosheth": "link"}


@pytest.mark.parametrize(
    ("request_text", "draft"),
    [
        ("Meet at 3 pm", "see you at 3pm."),
        ("Meet at 3 pm", "at 3 p.m. then"),
        ("Pay $1,200", "the $1200 are due"),
        ("Come on 3rd of May", "on 3 of may"),
        ("Ask Dana Whitfield", "Hi dana,"),
        ("It is Sam's book, ask Sam", "Hi SAM"),
    ],
)
def test_other_spellings_keep_a_fact(request_text: str, draft: str) -> None:
    assert missing_facts(request_facts(request_text), draft) == []


def test_lost_and_changed_facts_are_missing() -> None:
    facts = request_facts("Ask Dana to come on Friday at 3 pm to room 12")
    assert [fact.value for fact in missing_facts(facts, "Hi Dana, come on Monday at 13 pm to room 120")] == ["Friday", "3 pm", "12"]
    assert missing_facts([Fact(kind="person", value="Ann")], "Annual review") != []


def test_the_worlds_own_mail_keeps_what_is_found_and_nearly_all_is_found() -> None:
    known = seen = 0
    for number in range(300):
        situation, author = sample_situation("development", number, replies=False), sample_author("development", number)
        facts = request_facts(situation.request)
        assert missing_facts(facts, realise(situation, author)) == []
        values = " ".join(fact.value for fact in facts)
        for fact in situation.facts:
            if fact.kind in ("recipient", "person", "day", "time", "amount", "code", "link", "address"):
                known += 1
                seen += fact.value.removeprefix("the ") in values
    assert seen / known > 0.97


def test_placeholders() -> None:
    assert placeholders("Dear [Name], on <date> pay XXX, {{amount}} ____") == ["[Name]", "<date>", "XXX", "{{amount}}", "____"]
    assert placeholders("a [1] b <3 c f(x)") == []


@given(st.text(max_size=300))
def test_any_text_is_read_and_keeps_its_own_facts(text: str) -> None:
    facts = request_facts(text)
    assert len(set(facts)) == len(facts)
    assert all(fact.value for fact in facts)
