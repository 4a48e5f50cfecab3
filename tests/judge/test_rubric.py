"""Rubrics as files: what is read is what was written, and what cannot be read is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idiolect.errors import InputError
from idiolect.judge import Criterion, Rubric
from idiolect.judge.propose import propose
from idiolect.tasks import load_task
from idiolect.world import demonstrations, sample_author

_WORDS = st.lists(st.from_regex(r"[A-Za-z0-9,;']{1,8}", fullmatch=True), min_size=1, max_size=6).map(" ".join)


@given(
    title=_WORDS,
    criteria=st.lists(st.builds(Criterion, name=_WORDS, text=_WORDS, good=st.lists(_WORDS, max_size=2).map(tuple)), min_size=1, max_size=4,
                      unique_by=lambda one: one.name),
    failures=st.lists(_WORDS, max_size=3),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(title: str, criteria: list[Criterion], failures: list[str]) -> None:
    rubric = Rubric(title=title, criteria=tuple(criteria), failures=tuple(failures))
    assert Rubric.parse(rubric.markdown()) == rubric


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# Title\n\nwords\n", "line 3: 'words' is no criterion"),
        ("# Title\n", "has no criterion"),
        ("1. **One.** a\n1. **One.** b\n", "line 2: there are two criteria 'One'"),
        ("1. **One.** a\n- maybe: b\n", "line 2: '- maybe: b' is neither a good nor a bad anchor"),
        ("1. **One.** a\n## Hard failures\nnone\n", "line 3: 'none' is no failure"),
        ("1. **One.** a\n## Others\n", "line 2: '## Others' is no criterion"),
    ],
)
def test_what_fits_nowhere_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rubric.md"
    path.write_text(text)
    with pytest.raises(InputError, match=r"rubric\.md") as caught:
        Rubric.load(path)
    assert told in str(caught.value)


def test_a_criterion_goes_on_in_the_next_line() -> None:
    rubric = Rubric.parse("1. **Voice.** As the\n   person writes.\n   - good: hi\n   - Bad: Dear Sir\n")
    assert rubric.criteria == (Criterion(name="Voice", text="As the person writes.", good=("hi",), bad=("Dear Sir",)),)


def test_the_packaged_rubric_is_one() -> None:
    rubric = Rubric.parse(load_task("email").rubric)
    assert [one.name for one in rubric.criteria] == ["Voice", "Facts", "Length", "Ready to send"]


def test_the_first_draft_shows_the_persons_own_words() -> None:
    author = sample_author("development", 5)
    texts = [row.output for row in demonstrations(author, "development", 10)]
    rubric = propose(texts)
    assert Rubric.parse(rubric.markdown()) == rubric
    found = {one.name: one for one in rubric.criteria}
    assert any(texts[0].startswith(good) for good in found["Greeting"].good)
    assert found["Layout"].text == "Points as a list."
    assert "Contractions." in found["Wording"].text
    assert found["Greeting"].bad


def test_reviews_are_not_asked_to_greet() -> None:
    author = sample_author("development", 0, "review")
    texts = [row.output for row in demonstrations(author, "development", 10)]
    assert not {"Greeting", "Sign-off"} & {one.name for one in propose(texts, letter=False).criteria}
    # Where most of them do, it is part of the voice.
    greeting = [f"Hello everybody,\n\n{text}" for text in texts]
    assert "Greeting" in {one.name for one in propose(greeting, letter=False).criteria}
