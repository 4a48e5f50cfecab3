"""The judge beside the editors: what it is asked, what the page says of its answers, and what is said where it cannot be asked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

import pytest
from starlette.testclient import TestClient

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.judge import Judge
from idiolect.judge.rubric import Rubric
from idiolect.methods.run import open_run
from idiolect.service import Connection
from idiolect.settings import Settings, pocket_model
from idiolect.studio import Access, studio_app
from idiolect.workspace import Workspace
from scripted_sampler import Script, scripted
from studio_visitor import HOME, HOSTILE, Visitor, started_again

RUBRIC = "# Mine\n\n1. **Greeting.** Says hi."


def own(number: int) -> str:
    return f"Hi Ann, keys number {number}? {HOSTILE}"


def judges(prompt: str) -> tuple[float, float]:
    """Sure of the own text by 4 to 1 where it stands second, not sure where it stands first; of number 7 the other way."""
    first = prompt.index("Response A:") < prompt.index("Hi Ann, keys") < prompt.index("Response B:")
    if "number 7?" in prompt:
        return (-2.0, 0.0) if first else (0.0, -2.0)
    return (0.0, 0.0) if first else (-1.3862944, 0.0)


@pytest.fixture
def script(place: Workspace) -> tuple[Connection, Script]:
    rows = [Demonstration(id=str(number), input=f"Ask Ann for key {number}", output=own(number)) for number in range(8)]
    save_demonstrations(place.demonstrations, [*rows, Demonstration(id="bare", input="", output="Nobody asked for it")])
    return scripted(lambda prompt: "Dear Ann, I write concerning keys. " + ("Told so." if "Be brief" in prompt else ""), judges)


@pytest.fixture
def judged(place: Workspace, script: tuple[Connection, Script], access: Access) -> Iterator[Visitor]:
    def connect(models: Sequence[str]) -> Connection:
        assert list(models) == [pocket_model()]
        script[0]._client = object()  # type: ignore[assignment]
        return script[0]

    with TestClient(studio_app(place, Settings.load(place.settings), connect, access), base_url=HOME) as client:
        assert client.get(access.link).status_code == 200
        yield Visitor(client)


def ask(visitor: Visitor, name: str, text: str) -> str:
    """Save, ask, and wait until the page has stopped to say that it works."""
    version = visitor.get("/setup").split(f'action="/setup/{name}"')[1].split('name="version" value="')[1].split('"')[0]
    answer = visitor.post(f"/setup/{name}", version=version, text=text, ask="1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/setup?saved={name}#{name}-verdicts")
    deadline = time.monotonic() + 60
    while "data-state" in (part := visitor.get(f"/setup/{name}/verdicts")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return part


def test_a_saved_rubric_is_asked_about_the_newest_own_texts_in_both_orders(judged: Visitor, script: tuple[Connection, Script]) -> None:
    assert "verdict" not in judged.get("/setup/rubric/verdicts")
    part = ask(judged, "rubric", RUBRIC)
    questions = [prompt for prompt in script[1].asked if "Response A:" in prompt]
    assert len(questions) == 12
    assert all("Says hi." in prompt for prompt in questions)
    assert not any("key 0" in prompt or "key 1" in prompt for prompt in script[1].asked)
    assert "<b>5 of 6</b>" in part
    assert re.findall(r"(\d+) % for yours", part) == ["65"] * 5 + ["12"]
    assert "50 % with yours first, 80 % with it second" in part
    assert "in 0 whichever text it reads first" in part
    assert "It leans to the second place by" in part
    assert "There is no trained judge yet" in part
    assert "<script>" not in part
    assert "&lt;script&gt;" in part
    assert part.split("<div")[1] in judged.get("/setup")


def test_a_changed_file_makes_the_verdicts_old(judged: Visitor, place: Workspace) -> None:
    assert "changed since" not in ask(judged, "rubric", RUBRIC)
    place.rubric.write_text(RUBRIC + "\n2. **Ending.** Says bye.\n")
    assert "changed since: ask again" in judged.get("/setup/rubric/verdicts")


def test_verdicts_are_there_when_the_studio_starts_again(judged: Visitor, place: Workspace) -> None:
    part = ask(judged, "rubric", RUBRIC)
    assert "verdict" in part
    assert started_again(place).get("/setup/rubric/verdicts") == part
    (place.root / "studio" / "verdicts-rubric.json").write_text('{"version": 1')
    assert "verdict" not in started_again(place).get("/setup/rubric/verdicts")


def test_a_prompt_is_shown_by_its_drafts(judged: Visitor, script: tuple[Connection, Script], place: Workspace) -> None:
    part = ask(judged, "prompt", "Be brief.")
    assert part.count("By this prompt") == 2
    assert part.count("I write concerning keys. Told so.") == 2
    assert "<b>1 of 2</b>" in part
    assert part.count("<details") == part.count(" open>") == 2
    drafted = len(script[1].asked) - 4
    assert drafted == 2
    ask(judged, "prompt", "Be brief.")
    assert len(script[1].asked) == 2 + 4 + 4
    assert {path.name.rsplit("-", 1)[0] for path in place.drafts.iterdir()} == {"prompt-edited"}


def test_a_trained_judge_is_asked_under_the_new_rubric(judged: Visitor, script: tuple[Connection, Script], place: Workspace) -> None:
    run = open_run(place, "judge", {}, result="judge.json")
    old = Rubric.parse("1. **Old.** Is old.")
    Judge(base_model=pocket_model(), renderer="qwen3_instruct", rubric=old).save(run.folder / "judge.json")
    part = ask(judged, "rubric", RUBRIC)
    assert "It was trained under another rubric" in part
    assert "no trained judge" not in part
    assert not any("Is old." in prompt for prompt in script[1].asked)
    assert "another rubric" not in ask(judged, "rubric", old.markdown())


@pytest.mark.parametrize(("text", "told"), [("Nothing but words.", "is no criterion"), (RUBRIC, "cannot be reached. Check the network")])
def test_what_is_in_the_way_is_told_beside_the_editor(visitor: Visitor, text: str, told: str) -> None:
    """Without a service, and with a rubric that is none."""
    part = ask(visitor, "rubric", text)
    assert 'class="problem"' in part
    assert told in part


def test_without_requests_there_is_nothing_to_ask(visitor: Visitor, place: Workspace) -> None:
    save_demonstrations(place.demonstrations, [Demonstration(id="1", input="", output="Hi")])
    assert "no text of yours with a request" in ask(visitor, "rubric", RUBRIC)
    assert visitor.client.get("/setup/else/verdicts").status_code == 400
