"""Votes and edits make a writer better, and a killed run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from idiolect.corpus.preferences import Preference
from idiolect.errors import InputError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.improve import ImproveConfig, improve
from idiolect.methods.run import training_state
from idiolect.service import Connection, text_logprobs
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, read_json_lines, write_json, write_json_lines
from idiolect.world import HOUSE_AUTHOR, realise, sample_author, sample_situation
from running_engine import start_engine

AUTHOR = sample_author("development", 1)


def choices(count: int, seed: str) -> list[Preference]:
    """Simulated edits: the model's house style made into the author's."""
    situations = [sample_situation("development", f"{seed} {index}") for index in range(count)]
    return [
        Preference(
            request=one.request,
            preferred=realise(one, AUTHOR, 0),
            rejected=realise(one, HOUSE_AUTHOR, 0),
            source="edit",
            writers=("baseline",),
        )
        for one in situations
    ]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(pocket_model(), state=tmp_path_factory.mktemp("state")) as engine:
        yield Connection(base_url=engine.url, api_key=engine.token)


@pytest.mark.slow
def test_unseen_texts_of_the_person_become_likelier_than_the_models(connection: Connection, tmp_path: Path) -> None:
    workspace, settings = Workspace(tmp_path), Settings()
    start = plain_writer(workspace, settings, name="baseline", temperature=0.3)
    config = ImproveConfig(steps=12, save_every=4)
    told = choices(12, "learn")
    done = connection.run(improve(connection, workspace, settings, start, told, config))
    assert (done.name, done.system_prompt) == ("improved", start.system_prompt)

    unseen = choices(8, "unseen")

    def margin(writer) -> float:
        chats = [
            [*writer.messages(one.request), {"role": "assistant", "content": text}]
            for one in unseen for text in (one.preferred, one.rejected)
        ]  # fmt: skip
        sums = [sum(found) for found in connection.run(text_logprobs(connection, writer, chats))]
        return sum(sums[::2]) - sum(sums[1::2])

    assert margin(done) - margin(start) > 8 * 5.0
    rows = list(read_json_lines(next(workspace.runs.glob("improve-*")) / "metrics.jsonl"))
    assert rows[0]["dpo_loss"] == pytest.approx(0.6931, abs=0.02)
    assert rows[-1]["dpo_loss"] < 0.5

    # Killed after its second checkpoint, the run goes on from there and ends at the same losses.
    killed = Workspace(tmp_path / "killed")
    calls = 0

    def stop(step: int, steps: int) -> None:
        nonlocal calls
        calls += 1
        if step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.run(improve(connection, killed, settings, start, told, config, on_progress=stop))
    calls = 0
    connection.run(improve(connection, killed, settings, start, told, config, on_progress=lambda *_: stop(0, 0)))
    assert calls == 4
    again = {row["step"]: row for row in read_json_lines(next(killed.runs.glob("improve-*")) / "metrics.jsonl")}
    assert again[11]["dpo_loss"] == pytest.approx(rows[11]["dpo_loss"], abs=1e-4)

    # And what was improved can be improved again.
    assert training_state(workspace, done)


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    start = plain_writer(workspace, Settings(), name="baseline", temperature=0.3)
    same = Preference(request="x", preferred="a ", rejected="a", source="edit", writers=("sft",))
    connection = Connection(base_url="http://127.0.0.1:9", api_key="tml-x")
    with pytest.raises(InputError, match="no votes and no edits"):
        connection.run(improve(connection, workspace, Settings(), start, [same]))


def test_the_state_behind_an_adapter(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    start = plain_writer(workspace, Settings(), name="baseline", temperature=0.3)
    assert training_state(workspace, start) is None
    lost = start.model_copy(update={"adapter": "tinker://x/sampler_weights/final"})
    with pytest.raises(InputError, match="not known here"):
        training_state(workspace, lost)
    run = workspace.runs / "sft-20260101-000000"
    rows = [
        {"sampler_path": f"tinker://x/sampler_weights/{name}", "state_path": f"tinker://x/weights/{name}"} for name in ("final", "later")
    ]
    write_json_lines(run / "checkpoints.jsonl", rows)
    assert training_state(workspace, lost) == "tinker://x/weights/final"
    own = workspace.runs / "ditto-20260101-000000"
    write_json(own / "writer.json", lost.model_copy(update={"adapter": "tinker://y/sampler_weights/final"}).model_dump(mode="json"))
    write_json_lines(
        own / "checkpoints.jsonl", [{"round": 0, "state": "tinker://y/weights/0"}, {"round": 1, "state": "tinker://y/weights/1"}]
    )
    made = lost.model_copy(update={"adapter": "tinker://y/sampler_weights/final"})
    assert training_state(workspace, made) == "tinker://y/weights/1"
