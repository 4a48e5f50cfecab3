"""Synthetic data from a real engine: what is kept, what is counted, and going on after a kill."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.errors import ServiceError
from idiolect.methods.synthetic import synthetic_data, synthetic_if_possible
from idiolect.service import Connection, Model, Writer
from idiolect.settings import Models, Settings
from idiolect.synthesis import SynthesisConfig, backgenerate, complete_demonstrations, similarity, synthesize
from idiolect.tasks import Checks, Task, load_task, missing_facts, request_facts
from idiolect.workspace import Workspace

TASK = Task(name="note", instruction="x", request_form="x", topics=("cats", "dogs"), rubric="x", checks=Checks(min_words=1))
CONFIG = SynthesisConfig(per_topic=8, attempts=4)


def make(
    connection: Connection, teacher: Writer, folder: Path, config: SynthesisConfig = CONFIG, heldout: tuple[str, ...] = (), seed: int = 0
) -> tuple[list[Demonstration], dict[str, Any]]:
    held = [Demonstration(input=text, output="") for text in heldout]
    return connection.run(synthesize(connection, Workspace(folder), TASK, teacher, [], held, config=config, seed=seed))


def test_rows_keep_the_facts_end_and_differ(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    rows, report = make(connection, teacher, tmp_path)
    assert 1 <= len(rows) <= 2 * CONFIG.per_topic
    assert load_demonstrations(tmp_path / "synthetic" / "demonstrations.jsonl") == rows
    for row in rows:
        assert missing_facts(request_facts(row.input), row.output) == []
        assert row.source in ("synthetic: cats", "synthetic: dogs")
    assert all(similarity(one.input, other.input) < 0.8 for one in rows for other in rows if one is not other)
    assert report["texts"]["kept"] == len(rows)
    assert report["requests"]["kept"] + sum(report["requests"]["dropped"].values()) > 0
    assert make(connection, teacher, tmp_path / "again")[0] == rows
    assert make(connection, teacher, tmp_path / "other", seed=1)[0] != rows


def test_a_killed_run_ends_with_the_same_rows(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    rows, report = make(connection, teacher, tmp_path / "whole")
    logs = sorted((tmp_path / "whole" / "synthetic").glob("*-*.jsonl"))
    assert len(logs) == 2
    for number, (log, share) in enumerate([(logs[0], 0.3), (logs[0], 0.9), (logs[1], 0.4), (logs[1], 0.99)]):
        place = tmp_path / f"killed{number}"
        (place / "synthetic").mkdir(parents=True)
        # As after SIGKILL: the logs up to some byte, no result. Texts come after all requests.
        for each in logs[: logs.index(log) + 1]:
            data = each.read_bytes()
            (place / "synthetic" / each.name).write_bytes(data[: int(len(data) * share)] if each == log else data)
        assert make(connection, teacher, place) == (rows, report)


def test_what_is_done_is_not_done_again_until_something_changes(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    many = SynthesisConfig(per_topic=12, attempts=4)
    rows, _ = make(connection, teacher, tmp_path, many)
    final = tmp_path / "synthetic" / "demonstrations.jsonl"
    before = final.stat().st_mtime_ns
    assert make(connection, teacher, tmp_path, many)[0] == rows
    assert final.stat().st_mtime_ns == before
    held_out, report = make(connection, teacher, tmp_path, many, heldout=(rows[0].input,))
    assert rows[0].input not in [row.input for row in held_out]
    assert report["requests"]["dropped"]["near a heldout"] >= 1


def test_a_training_takes_as_many_as_were_asked_for(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.prompt.write_text("Babble.\n")
    (tmp_path / "note.toml").write_text(
        'name = "note"\ninstruction = "x"\nrequest_form = "x"\ntopics = ["cats", "dogs"]\nrubric = "x"\n[checks]\nmin_words = 1\n'
    )
    settings = Settings(preset="local", task="note", model=Models(policy=teacher.base_model, renderer=teacher.renderer))
    own = [Demonstration(id="a", input="Ask Ann", output="so be it then, all is well here")]

    def made(config: SynthesisConfig | None = None) -> list[Demonstration]:
        return connection.run(synthetic_data(connection, place, settings, own, [], config))[0]

    rows = made(SynthesisConfig(per_topic=12, attempts=4))
    log = sorted(path.name for path in place.synthetic.glob("*.jsonl"))
    # As `idiolect sft` and `idiolect rlaif` ask for them: without a word about their number.
    assert made() == rows
    assert sorted(path.name for path in place.synthetic.glob("*.jsonl")) == log
    assert {row.source for row in rows} == {"synthetic: cats", "synthetic: dogs"}
    assert made(SynthesisConfig(per_topic=1)) != rows


def test_where_nothing_can_be_made_up_the_own_texts_have_to_do(tmp_path: Path) -> None:
    said: list[str] = []
    settings = Settings(task="review")  # the pocket model has learnt e-mails only
    work = synthetic_if_possible(Connection(), Workspace(tmp_path), settings, [], [], progress=lambda what, *_: said.append(what))
    assert asyncio.run(work) == []
    assert said == ["The pocket model cannot make up product reviews; going by the person's own texts alone"]


def test_a_teacher_that_never_ends_its_texts_is_said(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    hasty = teacher.model_copy(update={"max_tokens": 1})
    with pytest.raises(ServiceError, match=r"nothing that can be learnt from \(.*truncated.*model\.teacher"):
        make(connection, hasty, tmp_path, SynthesisConfig(per_topic=2, attempts=1))
    assert not (tmp_path / "synthetic" / "demonstrations.jsonl").exists()


def test_requests_for_real_texts_have_their_facts(connection: Connection, teacher: Writer) -> None:
    model = Model(teacher.base_model, teacher.renderer)
    mails = [
        Demonstration(id="a", input="", output="Hi Dana,\n\nplease come on Friday at 3 pm.\n\nBest,\nTom"),
        Demonstration(id="b", input="", output="so be it then, all is well here"),
    ]
    rows, outcome = connection.run(backgenerate(connection, model, mails, seed=0, task=load_task("email")))
    assert outcome.kept == len(rows)
    assert outcome.kept + sum(outcome.dropped.values()) == 2
    first = next(row for row in rows if row.id == "a")
    assert missing_facts(request_facts("Ask Dana to come on Friday at 3 pm"), first.input) == []
    assert "Tom" not in first.input
    assert first.output == mails[0].output


def test_a_workspace_is_completed_once(connection: Connection, teacher: Writer, tmp_path: Path) -> None:
    place, model = Workspace(tmp_path), Model(teacher.base_model, teacher.renderer)
    given = Demonstration(id="1", input="Ask Ann", output="Hello Ann")
    save_demonstrations(place.demonstrations, [given, Demonstration(id="2", input="", output="Hi Dana,\n\ncome on Friday.\n\nTom")])
    save_demonstrations(place.heldout, [Demonstration(id="3", input="", output="Hi Sam,\n\npay $12 now.\n\nTom")])
    assert connection.run(complete_demonstrations(connection, place, model, seed=0, task=TASK)).kept == 2
    rows = load_demonstrations(place.demonstrations)
    assert rows[0] == given
    assert "Friday" in rows[1].input
    assert "$12" in load_demonstrations(place.heldout)[0].input
    before = place.demonstrations.stat().st_mtime_ns
    assert connection.run(complete_demonstrations(connection, place, model, seed=0, task=TASK)).kept == 0
    assert place.demonstrations.stat().st_mtime_ns == before
