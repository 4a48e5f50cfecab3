"""Pieces of a draft with their marks, and its differences from the person's own text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from idiolect.report.document import Piece
from idiolect.report.marking import changes, marked

WORDS = st.text(alphabet="ab .,\n<&é", max_size=60)


def test_whole_words_are_marked_whatever_their_case() -> None:
    made = marked("hi ann & Joanna, dana <b>", facts=["Ann", "Dana Whitlock"], invented=["Joanna"])
    assert [piece for piece in made if piece.marks] == [Piece("ann", ("kept",)), Piece("Joanna", ("invented",)), Piece("dana", ("kept",))]
    assert marked("", facts=["x"]) == ()


def test_slots_and_remarks_go_before_facts_and_differences_lie_over_all() -> None:
    made = marked("Note: meet [Ann] on Tuesday", facts=["Ann", "Tuesday"], slots=["[Ann]"], remarks=["Note:"], own="meet Ann on Friday")
    assert [piece for piece in made if piece.marks] == [
        Piece("Note:", ("remark", "other")),
        Piece("[", ("slot", "other")),
        Piece("Ann", ("slot",)),
        Piece("]", ("slot", "other")),
        Piece("Tuesday", ("kept", "other")),
    ]


def test_a_difference_is_one_stretch_of_words_without_the_space_around_it() -> None:
    made = marked("Let us meet on Monday at noon.", own="Let us talk on Monday.")
    assert [piece.text for piece in made if piece.marks] == ["meet", "at noon"]


def test_changes_read_as_both_texts() -> None:
    made = changes("We meet at noon.", "We talk at noon!")
    assert made == (
        Piece("We "), Piece("talk ", ("gone",)), Piece("meet ", ("new",)), Piece("at noon"), Piece("!", ("gone",)), Piece(".", ("new",)),
    )  # fmt: skip


@given(text=WORDS, own=WORDS, values=st.lists(st.text(alphabet="ab é", max_size=4), max_size=4))
def test_no_letter_is_lost_or_made(text: str, own: str, values: list[str]) -> None:
    made = marked(text, facts=values, invented=values[:1], slots=values[1:2], own=own)
    assert "".join(piece.text for piece in made) == text
    both = changes(text, own)
    assert "".join(piece.text for piece in both if "gone" not in piece.marks).split() == text.split()
    kept = "".join(piece.text if piece.marks else piece.text + " " for piece in both if "new" not in piece.marks)
    assert "".join(kept.split()) == "".join(own.split())
