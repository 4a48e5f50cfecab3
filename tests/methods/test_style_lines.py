"""Reading style descriptions, agreeing on them, and choosing examples."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.corpus import Demonstration
from idiolect.methods.examples import diverse
from idiolect.methods.prompting import PromptingConfig, _groups, agreed, described_lines, is_borne_out, trait_lines
from idiolect.settings import Settings
from idiolect.workspace import Workspace
from idiolect.world.authors import describe, sample_author
from idiolect.world.simulate import demonstrations
from scripted_sampler import scripted


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


@pytest.mark.parametrize(
    ("line", "borne_out"),
    [
        ('signs off "Best,"', True),
        ('signs as "M"', False),
        ('signs as "-."', False),
        ('ends with "--"', True),
        ('adds "PS: Say hello to the family."', True),
        ('last says "Thanks in advance."', False),
        ('greets with "Greetings NAME,"', False),
        ('greets with "Hi NAME,"', True),
        ('greets with "NAME,"', True),
        ("greets with “Hi [Name],” and signs off «Regards»", False),
        ('never writes "Dear Sir"', True),
        ('first says "No news today."', False),
        ("uses contractions", True),
    ],
)
def test_a_line_that_quotes_what_no_text_has_is_not_borne_out(line: str, borne_out: bool) -> None:
    texts = ["Hi Tom,\n\nI've got it.\n\nBest,\nMara\n--", "Hi Ann,\n\nOn Monday.\n\nPS: Say hello tae the famly."]
    assert is_borne_out(line, texts) is borne_out


def test_what_is_true_of_a_simulated_person_is_borne_out_by_seven_texts() -> None:
    """Habits bend the words that traits put into a text; another person's lines are mostly told from them."""
    authors = [sample_author("development", number) for number in range(12)]
    texts = [[row.output for row in demonstrations(author, "development", 7, seed=1)] for author in authors]
    quoting = [[line for line in describe(author.model_copy(update={"registers": {}})) if '"' in line] for author in authors]
    assert sum(map(len, quoting)) > 40
    assert all(is_borne_out(line, own) for own, lines in zip(texts, quoting, strict=True) for line in lines)
    others = [
        is_borne_out(line, own)
        for own, lines, foreign in zip(texts, quoting, quoting[1:] + quoting[:1], strict=True)
        for line in foreign
        if line not in lines
    ]
    assert len(others) > 40
    assert sum(others) < 0.5 * len(others)


def test_descriptions_leave_out_what_they_made_up(tmp_path: Path) -> None:
    """Where nothing is borne out, the description stands as it is: some description is better than none."""
    rows = [Demonstration(input="Ask Tom", output="Hi Tom,\n\nCan you?\n\nBest,\nMara")]
    says = {"a": '- greets with "Hi NAME,"\n- signs as "-."\n- brief', "b": '- signs as "-."'}
    for name, left in (("a", ['greets with "Hi NAME,"', "brief"]), ("b", ['signs as "-."'])):
        connection, _ = scripted(lambda _, name=name: says[name])
        place = Workspace(tmp_path / name)
        found = connection.run(described_lines(connection, place, Settings(), rows, PromptingConfig()))
        assert found == [left]


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
