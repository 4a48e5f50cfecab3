"""A teacher that thinks and criticizes: how its answers are read, which of two texts is kept, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.corpus import Demonstration
from idiolect.errors import ServiceError
from idiolect.service import Connection, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.synthesis import SynthesisConfig, synthesize
from idiolect.synthesis.teaching import faults, text_of
from idiolect.tasks import Checks, Task
from idiolect.workspace import Workspace
from running_engine import start_engine
from scripted_sampler import scripted

TASK = Task(name="note", one="note", instruction="x", request_form="x", topics=("cats",), rubric="x", checks=Checks(min_words=1))
WORDS = st.text(st.characters(blacklist_characters="<>", blacklist_categories=["Cs"]), max_size=60)


@given(WORDS, WORDS, WORDS, WORDS)
def test_a_text_comes_back_without_the_thoughts(around: str, thoughts: str, text: str, after: str) -> None:
    answer = f"{around}<thoughts>{thoughts}</thoughts>{around}<text>\n{text}\n</text>{after}"
    assert text_of(answer, "thoughts") == (text.strip() or None)
    assert text_of(answer, "critique") is None


@given(st.lists(st.sampled_from(["<thoughts>", "</thoughts>", "<text>", "</text>", "words ", "<b>"]), max_size=8))
def test_no_text_is_guessed_from_another_form(parts: list[str]) -> None:
    marks = [part for part in parts if part not in ("words ", "<b>")]
    found = text_of("".join(parts), "thoughts")
    if marks != ["<thoughts>", "</thoughts>", "<text>", "</text>"]:
        assert found is None
    else:
        assert found == ("".join(parts[parts.index("<text>") + 1 : parts.index("</text>")]).strip() or None)


@given(st.text(max_size=200))
def test_whatever_comes_is_read_or_left(answer: str) -> None:
    found = text_of(answer, "critique")
    assert found is None or found in answer


def test_faults_are_facts_lost_and_invented_slots_and_remarks() -> None:
    request = "Ask Dana to come on Friday at 3 pm"
    assert faults(request, "Hi Dana, can you come on Friday at 3 pm?") == 0
    assert faults(request, "Hi Dana, can you come on Friday?") == 1
    assert faults(request, "Hi Dana, can you come on Friday at 3 pm? Call Boris on Monday.") >= 1
    assert faults(request, "Hi Dana, can you come on Friday at 3 pm? [Your Name]") == 1
    assert faults(request, "Hi Dana, Friday at 3 pm? call Mara Keller", allowed=("Mara Keller",)) == 0


REQUEST = "Tell Dana that the cat eats on Friday"
DRAFT, BETTER, WORSE = "hi Dana, the cat eats", "hi Dana, the cat eats on Friday", "hi there, it eats"


TEACHER = Writer(name="teacher", base_model=pocket_model(), renderer="qwen3_instruct", system_prompt="Write like me.", max_tokens=64)


def made(opened: Connection, folder: Path, **options: Any) -> tuple[list[str], dict[str, Any]]:
    config = SynthesisConfig(per_topic=1, attempts=2, **options)
    rows, report = opened.run(synthesize(opened, Workspace(folder), TASK, TEACHER, [], [], config=config, seed=0))
    return [row.output for row in rows], report


def says(thoughts: str = "", critique: str = "") -> Callable[[str], str]:
    """A teacher that proposes the request, and answers the other prompts so."""

    def answer(prompt: str) -> str:
        if "<thoughts>" in prompt:
            return thoughts
        return critique if "<critique>" in prompt else REQUEST if "request about" in prompt else DRAFT

    return answer


def test_the_thoughts_are_in_no_text(tmp_path: Path) -> None:
    opened, script = scripted(says(f"<thoughts>Dana likes Mondays</thoughts>\n<text>{BETTER}</text>"))
    texts, report = made(opened, tmp_path, think=True)
    assert texts == [BETTER]
    assert "critiques" not in report
    assert ["Write like me." in prompt for prompt in script.asked] == [False, True]
    before = len(script.asked)
    (tmp_path / "synthetic" / "report.json").unlink()
    assert made(opened, tmp_path, think=True) == (texts, report)
    assert len(script.asked) == before


@pytest.mark.parametrize(
    "answer", [BETTER, f"<thoughts>so</thoughts>{BETTER}", f"<text>{BETTER}</text>", f"<thoughts>a</thoughts><text>{BETTER}"]
)
def test_what_keeps_not_the_form_is_counted(answer: str, tmp_path: Path) -> None:
    opened, _ = scripted(says(answer))
    with pytest.raises(ServiceError, match=r"\(2 unparsed\).*turn think off"):
        made(opened, tmp_path, think=True)


def test_a_text_longer_than_the_tasks_is_truncated_however_long_the_thoughts_may_be(tmp_path: Path) -> None:
    opened, _ = scripted(says(f"<thoughts>{'well ' * 100}</thoughts><text>{BETTER + ' and eats' * 70}</text>"))
    with pytest.raises(ServiceError, match=r"\(2 truncated\)"):
        made(opened, tmp_path, think=True)


@pytest.mark.parametrize(
    ("critique", "counts", "kept"),
    [
        (f"<critique>Friday is lost</critique><text>{BETTER}</text>", {"revised": 1}, [BETTER]),
        (f"It lacks Friday. {BETTER}", {"unparsed": 2}, []),
        (f"<critique>-</critique><text>{WORSE}</text>", {"draft": 2}, []),
    ],
)
def test_the_truer_of_draft_and_revision_is_kept(critique: str, counts: dict[str, int], kept: list[str], tmp_path: Path) -> None:
    opened, script = scripted(says(critique=critique))
    if not kept:
        # The draft stands, and it loses a fact: no text at all comes of it.
        with pytest.raises(ServiceError, match=r"\(2 fact-losing\)"):
            made(opened, tmp_path, critique=True)
        return
    texts, report = made(opened, tmp_path, critique=True)
    assert (texts, report["critiques"]) == (kept, counts)
    assert f"> {DRAFT}" in script.asked[-1]
    assert "It must hold: Dana; Friday." in script.asked[-1]


def test_a_draft_that_is_better_than_its_revision_stays(tmp_path: Path) -> None:
    told = says(f"<thoughts>-</thoughts><text>{BETTER}</text>", f"<critique>-</critique><text>{DRAFT}</text>")
    opened, _ = scripted(told)
    texts, report = made(opened, tmp_path, think=True, critique=True)
    assert (texts, report["critiques"]) == ([BETTER], {"draft": 1})


def test_the_settings_say_it_for_every_method_and_an_option_overrides_them(tmp_path: Path) -> None:
    path = tmp_path / "idiolect.toml"
    path.write_text('preset = "handout"\n[synthesis]\nthink = true\n')
    settings = Settings.load(path)
    assert settings.filled("synthesis", SynthesisConfig()).think
    assert settings.filled("synthesis", SynthesisConfig()).per_topic == 10
    assert not settings.filled("synthesis", SynthesisConfig(think=False)).think
    assert not Settings().filled("synthesis", SynthesisConfig()).critique


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(pocket_model(), state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened


def test_the_pocket_model_breaks_nothing_and_what_it_cannot_do_is_counted(pocket: Connection, tmp_path: Path) -> None:
    """It has never seen such prompts: the run must say so by numbers, whatever comes."""
    from idiolect.tasks import load_task

    task = load_task("email").model_copy(update={"topics": load_task("email").topics[:2]})
    teacher = Writer(name="teacher", base_model=pocket_model(), renderer="qwen3_instruct", max_tokens=96)
    known = [Demonstration(input="Ask Ann for the keys", output="Hi Ann, the keys?")]

    def run(folder: Path, **options: bool) -> dict[str, Any]:
        config = SynthesisConfig(per_topic=2, attempts=1, **options)
        return pocket.run(synthesize(pocket, Workspace(folder), task, teacher, known, [], config=config, seed=0))[1]

    report = run(tmp_path / "critique", critique=True)
    assert sum(report["critiques"].values()) >= 1
    assert report["critiques"]["unparsed"] >= 1
    with pytest.raises(ServiceError, match=r"unparsed|truncated"):
        run(tmp_path / "think", think=True, critique=True)
