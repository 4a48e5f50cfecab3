"""Reading style descriptions, agreeing on them, and choosing examples."""

from hypothesis import given
from hypothesis import strategies as st

from idiolect.corpus import Demonstration
from idiolect.methods.examples import diverse
from idiolect.methods.prompting import _groups, agreed, trait_lines


def test_trait_lines_are_list_items_or_all_lines() -> None:
    assert trait_lines("Here you are:\n- Greets with Hi.\n* No emoji.\n2) Short.\n- No emoji.") == [
        "Greets with Hi.",
        "No emoji.",
        "Short.",
    ]
    assert trait_lines("Greets with Hi.\n\nShort.") == ["Greets with Hi.", "Short."]
    assert trait_lines("  \n") == []


def test_lines_of_half_of_the_answers_stand_in_their_usual_order() -> None:
    answers = [["a", "b", "c"], ["a", "c", "d"], ["b", "a", "c"], ["a", "x", "c"]]
    assert agreed(answers) == ["a", "b", "c"]


def test_without_repeats_the_longest_description_stands() -> None:
    assert agreed([["one"], ["two", "three"], []]) == ["two", "three"]
    assert agreed([["one", "two"]]) == ["one", "two"]


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 8))
def test_groups_use_all_texts_as_far_as_they_reach(count: int, size: int, calls: int) -> None:
    texts = [str(number) for number in range(count)]
    groups = _groups(texts, size, calls)
    assert all(len(set(group)) == len(group) == min(size, count) for group in groups)
    assert len(groups) == (1 if count <= size else calls)
    if count > size and calls * size >= count + calls:
        assert {text for group in groups for text in group} == set(texts)


def test_examples_are_spread_and_do_not_depend_on_chance() -> None:
    texts = [
        "dear sir, the report is done",
        "dear sir, the report is late",
        "yo!! lunch???",
        "dear sir, the report is here",
        "PS: 12345 67890",
    ]
    rows = [Demonstration(input=f"r{number}", output=text) for number, text in enumerate(texts)]
    chosen = diverse(rows, 3)
    assert chosen == diverse(rows, 3)
    assert {"r2", "r4"} < {row.input for row in chosen}
    assert diverse(rows[:2], 3) == rows[:2]
