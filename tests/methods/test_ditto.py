"""DITTO on a tiny model over the real engine: its figures, its comparisons, and going on after a stop."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from checkpoints import tiny_checkpoint
from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.ditto import DittoConfig, _Trainer, ditto
from idiolect.methods.replay import Draft, Mix, ReplayBuffer
from idiolect.methods.run import open_run
from idiolect.methods.tracking import tracked
from idiolect.service import Connection, Writer
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace, read_json_lines
from running_engine import start_engine

ROWS = [Demonstration(id=str(n), input=f"Ask Ann for {n}", output=f"hello Ann, is {n} there? see you soon") for n in range(3)]
SMALL = DittoConfig(
    demonstrations=3, imitate_steps=2, rounds=2, steps=3, samples=2, batch_size=5, learning_rate=5e-3, beta=0.1, prompted=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3")


@pytest.fixture(scope="module")
def connection(model: Path, tmp_path_factory: pytest.TempPathFactory):
    with start_engine(model, state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as connection:
        yield connection


def run(connection: Connection, model: Path, folder: Path, config: DittoConfig = SMALL, on_progress=None) -> tuple[Writer, Path]:
    place = Workspace(folder)
    settings = Settings(seed=4, model=Models(policy=str(model)))
    writer = connection.run(ditto(connection, place, settings, ROWS, config, on_progress=on_progress))
    (found,) = place.runs.iterdir()
    return writer, found


def rows(folder: Path, phase: str) -> list[dict]:
    return [row for row in read_json_lines(folder / "metrics.jsonl") if row["phase"] == phase]


def test_the_loss_starts_at_ln_2_and_leaves_it(connection: Connection, model: Path, tmp_path: Path) -> None:
    writer, folder = run(connection, model, tmp_path / "one")
    assert writer.name == "ditto"
    assert writer.adapter
    assert writer.system_prompt is None
    losses = [row["dpo_loss"] for row in rows(folder, "dpo")]
    assert len(losses) == 6
    # The reference's log-probabilities come from the sampler, the policy's from training.
    assert losses[0] == pytest.approx(math.log(2), abs=2e-3)
    assert losses[-1] < losses[0] - 0.05
    # Two drafts for each of three requests, without those that were cut off where others were not.
    assert all(1 <= len(list(read_json_lines(folder / "rounds" / f"{number}.jsonl"))) <= 6 for number in range(2))


class StoppedError(Exception):
    """What a kill at this place would be."""


@pytest.mark.parametrize("after", [0, 1])
def test_a_stopped_run_goes_on_to_the_same_figures(connection: Connection, model: Path, tmp_path: Path, after: int) -> None:
    def stop(done: int, total: int) -> None:
        if done == after:
            raise StoppedError

    _, whole = run(connection, model, tmp_path / "whole")
    with pytest.raises(StoppedError):
        run(connection, model, tmp_path / "stopped", on_progress=stop)
    _, resumed = run(connection, model, tmp_path / "stopped")
    assert (resumed / "rounds" / "1.jsonl").read_bytes() == (whole / "rounds" / "1.jsonl").read_bytes()
    assert rows(resumed, "dpo") == rows(whole, "dpo")
    assert rows(resumed, "imitation") == rows(whole, "imitation")


def test_spin_takes_each_round_s_policy_as_its_reference(connection: Connection, model: Path, tmp_path: Path) -> None:
    writer, folder = run(connection, model, tmp_path / "spin", SMALL.model_copy(update={"method": "spin", "layers": "attention"}))
    assert writer.name == "spin"
    losses = [row["dpo_loss"] for row in rows(folder, "dpo")]
    assert losses[0] == pytest.approx(math.log(2), abs=2e-3)
    assert losses[3] == pytest.approx(math.log(2), abs=2e-3)


def test_a_trained_writer_s_adapter_is_trained_on(connection: Connection, model: Path, tmp_path: Path) -> None:
    place, settings = Workspace(tmp_path), Settings(seed=4, model=Models(policy=str(model)))
    first = connection.run(ditto(connection, place, settings, ROWS, SMALL))
    (before,) = place.runs.iterdir()
    second = connection.run(ditto(connection, place, settings, ROWS, SMALL, first=first))
    (after,) = set(place.runs.iterdir()) - {before}
    assert second.adapter != first.adapter
    # It begins where the first run ended, nearer to the demonstrations than a new adapter does.
    assert rows(after, "imitation")[0]["loss"] < rows(before, "imitation")[0]["loss"] - 0.05
    assert rows(after, "dpo")[0]["dpo_loss"] == pytest.approx(math.log(2), abs=2e-3)
    with pytest.raises(InputError, match="no adapter"):
        connection.run(ditto(connection, place, settings, ROWS, SMALL, first=first.model_copy(update={"adapter": None})))


def test_a_prompted_adapter_is_trained_and_writes_after_the_description(connection: Connection, model: Path, tmp_path: Path) -> None:
    place, settings = Workspace(tmp_path), Settings(seed=4, model=Models(policy=str(model)))
    place.prompt.write_text("Write short lines.\n")
    # Of an untrained model most drafts run on to their limit.
    many = SMALL.model_copy(update={"samples": 6})
    writer = connection.run(ditto(connection, place, settings, ROWS, many.model_copy(update={"prompted": None})))
    assert writer.system_prompt is not None
    assert writer.system_prompt.endswith("Write short lines.")
    (prompted,) = place.runs.iterdir()
    # Sampler and trainer see the same prompt: the policy that has not moved is the reference.
    assert rows(prompted, "dpo")[0]["dpo_loss"] == pytest.approx(math.log(2), abs=2e-3)
    plain = connection.run(ditto(connection, place, settings, ROWS, many))
    (other,) = set(place.runs.iterdir()) - {prompted}
    assert plain.system_prompt is None
    # The same adapter, request and text: the prompt alone makes the difference.
    assert abs(rows(prompted, "imitation")[0]["loss"] - rows(other, "imitation")[0]["loss"]) > 1e-3
    further = connection.run(ditto(connection, place, settings, ROWS, many.model_copy(update={"prompted": None}), first=writer))
    assert further.system_prompt == writer.system_prompt


def test_drafts_that_do_not_fit_the_context_are_left_out(connection: Connection, model: Path, tmp_path: Path) -> None:
    place, settings = Workspace(tmp_path), Settings(seed=4, model=Models(policy=str(model)))
    told, run = plain_writer(place, settings, name="ditto", temperature=1.0), open_run(place, "ditto", {}, again=False)
    longest = connection.run(connection.context_length(str(model)))
    assert longest == 512
    with tracked(run, None) as tracker:
        trainer = _Trainer(connection, run, told, SMALL, [(row.input, row.output) for row in ROWS], 4, tracker)
        chats = [[*told.messages(ROWS[0].input), {"role": "assistant", "content": "a" * count}] for count in range(360, 400)]
        sizes = [trainer.renderer.build_supervised_example(chat)[0].length for chat in chats]  # type: ignore[arg-type]
        assert {longest, longest + 1} <= set(sizes)
        kept = connection.run(trainer._fitting([(0, chat[-1]["content"]) for chat in chats]))
        assert kept == [(0, chat[-1]["content"]) for chat, size in zip(chats, sizes, strict=True) if size <= longest]
        with pytest.raises(InputError, match="512 tokens"):
            connection.run(trainer._fitting([(0, "a" * 900)]))


def test_comparisons_have_the_paper_s_shares(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path)
    for number in range(3):
        buffer.add(number, [Draft(one, f"round {number} text {index}", -1.0) for one in range(4) for index in range(5)])
    kinds: Counter[str] = Counter()
    for better, worse in buffer.comparisons(2, 4000, Mix(), random.Random(0)):
        online, newer = worse.text.startswith("round 2"), isinstance(better, Draft)
        assert (better.demonstration if isinstance(better, Draft) else better) == worse.demonstration
        kinds["between" if newer else "online" if online else "replay"] += 1
        assert not (newer and online)
    shares = {kind: count / 4000 for kind, count in kinds.items()}
    assert shares == pytest.approx({"online": 0.7, "replay": 0.2, "between": 0.1}, abs=0.03)
    assert all(isinstance(better, int) for better, _ in buffer.comparisons(0, 100, Mix(), random.Random(0)))


def test_what_an_ablation_leaves_out_goes_to_current_drafts() -> None:
    assert DittoConfig().mix == Mix(pytest.approx(0.7), 0.2, 0.1)
    assert DittoConfig(replay=False, between=False).mix == Mix(1.0, 0.0, 0.0)
    assert DittoConfig(method="spin").mix == Mix(1.0, 0.0, 0.0)
