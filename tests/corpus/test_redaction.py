"""Private details go, the same ones by the same placeholder, and nothing else goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idiolect.corpus import Demonstration, Fact, RedactionTable, redact, redact_demonstrations, restore
from idiolect.workspace import write_json


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("mara.keller+post@mail.example.co.uk", "email"),
        ("+49 170 1234567", "phone"),
        ("+1 (555) 010-9999", "phone"),
        ("(555) 010-9999", "phone"),
        ("555-010-9999", "phone"),
        ("030 / 123 45 67", "phone"),
        ("0049 30 1234567", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("5500-0000-0000-0004", "card"),
        ("378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("GB82WEST12345698765432", "iban"),
        ("https://example.org/reset?user=3&token=9fK2", "link"),
        ("https://example.org/s/aB3dE5fG7hJ9kL1mN2pQ", "link"),
        ("https://example.org/f/123e4567-e89b-12d3-a456-426614174000", "link"),
        ("https://mara:secret@example.org/", "link"),
        ("https://bucket.example.org/file.pdf?X-Amz-Signature=abc&Expires=1", "link"),
        ("123-45-6789", "account"),
    ],
)
def test_details_go_and_come_back(detail: str, kind: str) -> None:
    table = RedactionTable()
    text = f"Hi Dana, use {detail}, please. Or ({detail})."
    assert redact(text, table) == f"Hi Dana, use <{kind}-1>, please. Or (<{kind}-1>)."
    assert restore(redact(text, table), table) == text
    assert table.counts() == {kind: 1}


def test_account_numbers_are_known_by_the_word_before_them() -> None:
    table = RedactionTable()
    assert (
        redact("My account number is 1234 5678 and Konto: 99887766.", table) == "My account number is <account-1> and Konto: <account-2>."
    )
    assert redact("call me at 5551234, or text 555 4321", table) == "call me at <phone-1>, or text <phone-2>"


@pytest.mark.parametrize(
    "text",
    [
        "On 2024-01-31 and 31.01.2024 at 09.30 - 11.00, 10:30, in 2019-2024, for 1,234,567.89 or 12 000 000 people.",
        "Order 4111111111111112 and invoice 20240131, room 0815, version 10.0.12.3, € 1 234 567.",
        "https://example.org/how-to-write-a-good-letter-in-2024?page=2&lang=en and www.example.org/about",
        "Meet @dana at 5 pm, ratio 1234/5678, DE89 3704 0044 0532 0130 01 is no IBAN.",
        "See <email-1> and <phone-3>.",
    ],
)
def test_what_is_not_private_stays(text: str) -> None:
    assert redact(text, RedactionTable()) == text


def test_spellings_of_one_detail_share_a_placeholder_across_the_corpus() -> None:
    table = RedactionTable()
    assert redact("Mara@Example.org, +49 170 123 45 67", table) == "<email-1>, <phone-1>"
    assert redact("mara@example.ORG or dana@example.org, 0049-170-1234567", table) == "<email-1> or <email-2>, <phone-1>"


def test_placeholders_that_were_in_a_text_are_not_given_out() -> None:
    table = RedactionTable()
    text = "Write <email-1> for mara@example.org"
    assert redact(text, table) == "Write <email-1> for <email-2>"
    assert restore(redact(text, table), table) == text


def test_demonstrations_and_a_table_kept_for_the_next_import(tmp_path: Path) -> None:
    row = Demonstration(input="Give Dana a@b.org", output="It is a@b.org.", facts=(Fact(kind="address", value="a@b.org"),))
    table = RedactionTable()
    (done,) = redact_demonstrations([row], table)
    assert "a@b.org" not in done.model_dump_json()
    assert done.facts[0].value in done.input
    assert done.facts[0].value in done.output
    write_json(tmp_path / "table.json", table.to_dict())
    again = RedactionTable.load(tmp_path / "table.json")
    assert redact("c@d.org and a@b.org", again) == "<email-2> and <email-1>"


detail = st.one_of(
    st.emails(),
    st.from_regex(r"\+[1-9]\d{1,2} \d{3} \d{4,6}", fullmatch=True),
    st.sampled_from(["4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "https://example.org/x?token=abc"]),
    st.text(max_size=30),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(detail, max_size=8), st.sampled_from([" ", "\n", ", ", " (", ""]))
def test_redacting_is_stable_and_consistent(parts: list[str], between: str) -> None:
    text = between.join(parts)
    table = RedactionTable()
    once = redact(text, table)
    assert redact(once, table) == once
    assert redact(text, table) == once


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    table = RedactionTable()
    assert restore(redact(text, table), table) == text


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**15 - 1))
def test_every_number_with_a_right_last_digit_is_a_card(number: int) -> None:
    stem = f"4{number:014d}"[:15]
    digits = [int(digit) * (2 - at % 2) for at, digit in enumerate(stem)]
    check = -sum(digit - 9 if digit > 9 else digit for digit in digits) % 10
    assert redact(f"pay with {stem}{check} now", RedactionTable()) == "pay with <card-1> now"
    assert "<card" not in redact(f"pay with {stem}{(check + 1) % 10} now", RedactionTable())
