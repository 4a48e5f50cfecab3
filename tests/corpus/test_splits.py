"""Threads stay whole, the newest are held out, a few stand for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailboxes import ME, letter, text_of, write_mbox

from idiolect.corpus import Demonstration, choose_demonstrations, default_heldout, import_messages, split
from idiolect.errors import InputError

START = datetime(2024, 1, 1, tzinfo=UTC)


def demonstration(number: int, thread: str = "", days: int | None = None, words: int = 10) -> Demonstration:
    date = None if days is None else START + timedelta(days=days)
    return Demonstration(input="", output=f"text {number} " + "word " * words, id=str(number), thread=thread, date=date)


def test_the_newest_threads_are_held_out() -> None:
    rows = [demonstration(n, f"t{n}", days=n) for n in range(20)]
    train, heldout = split(rows, 5)
    assert (train, heldout) == (rows[:15], rows[15:])
    assert split(rows[::-1], 5)[1] == rows[15:][::-1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 50))), min_size=2, max_size=30), st.integers(0, 12))
def test_no_thread_is_on_both_sides(made: list[tuple[int, int | None]], heldout: int) -> None:
    rows = [demonstration(n, f"t{thread}", days) for n, (thread, days) in enumerate(made)]
    if heldout and (len({one.thread for one in rows}) < 2 or heldout >= len(rows)):
        with pytest.raises(InputError):
            split(rows, heldout)
        return
    train, held = split(rows, heldout)
    assert train
    assert min(heldout, 1) <= len(held) <= heldout
    assert not {one.thread for one in train} & {one.thread for one in held}
    assert {one.id for one in train + held} <= {one.id for one in rows}
    assert split(rows, heldout) == (train, held)


def test_too_few_is_said() -> None:
    rows = [demonstration(n, "one") for n in range(5)]
    with pytest.raises(InputError, match=r"2 cannot be held out of 5 demonstrations in 1 conversation"):
        split(rows, 2)
    with pytest.raises(InputError, match="cannot be held out"):
        split([demonstration(n, f"t{n}") for n in range(3)], 3)
    assert split(rows, 0) == (rows, [])


def test_how_many_are_held_out_by_default() -> None:
    assert [default_heldout([demonstration(n, f"t{n}") for n in range(size)]) for size in (0, 1, 2, 10, 249, 1000)] == [0, 0, 1, 2, 49, 50]
    assert default_heldout([demonstration(n, "same") for n in range(50)]) == 0


def test_threads_are_joined_by_references_and_by_subject_and_correspondent(tmp_path: Path) -> None:
    messages = [
        letter(text_of(1), number=1, subject="Parcel"),
        letter("Somebody else's answer of many words to Mara.", number=2, sender="dana@example.com", In_Reply_To="<1@example.org>"),
        letter(text_of(3), number=3, subject="Something else", References="<2@example.org>"),
        letter(text_of(4), number=4, subject="AW: Re: parcel"),
        letter(text_of(5), number=5, subject="Parcel", to="lee@example.com"),
        letter(text_of(6), number=6, subject="Garden"),
    ]
    found = {m.body: m.thread for m in import_messages(write_mbox(tmp_path / "Sent.mbox", messages), [ME]).messages}
    assert len(found) == 5
    assert found[text_of(1)] == found[text_of(3)] == found[text_of(4)]
    assert len(set(found.values())) == 3
    # the order of the messages in the file does not matter
    again = {m.body: m.thread for m in import_messages(write_mbox(tmp_path / "Back.mbox", messages[::-1]), [ME]).messages}
    assert again == found


def test_the_chosen_few_are_recent_of_all_lengths_and_typical() -> None:
    rows = [demonstration(n, f"t{n}", days=n, words=5 + n % 4 * 40) for n in range(80)]
    odd = Demonstration(input="", output="zzz qqq " * 22, id="odd", thread="odd", date=START + timedelta(days=79))
    chosen = choose_demonstrations([*rows, odd], 4)
    assert {len(one.output) // 100 for one in choose_demonstrations(rows, 4)} == {0, 2, 4, 6}
    assert all(one.date > START + timedelta(days=60) for one in chosen if one.date)
    assert odd not in chosen
    assert chosen == choose_demonstrations([*rows, odd], 4)
    assert choose_demonstrations(rows, 100) == rows
    with pytest.raises(InputError):
        choose_demonstrations(rows, 0)
