"""RLAIF against the real engine: what a run leaves, a killed run that goes on, logging to Weights & Biases without a network."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import rlaif_run
from checkpoints import tiny_checkpoint
from idiolect.errors import InputError
from idiolect.judge.pairs import Pair
from idiolect.methods.baseline import plain_writer
from idiolect.methods.looks import wins_against
from idiolect.methods.rlaif import RlaifConfig, rlaif
from idiolect.service import Connection
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, read_json, read_json_lines
from idiolect.world import demonstrations, sample_author
from rlaif_run import OWN, REQUESTS, Shorter
from running_engine import RunningEngine, start_engine

STEPS = 8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    tiny = tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3")
    with start_engine(pocket_model(), tiny, state=tmp_path_factory.mktemp("state")) as running:
        yield running


def start(folder: Path, engine: RunningEngine, steps: int, *project: str) -> subprocess.Popen[str]:
    command = [sys.executable, rlaif_run.__file__, str(folder), engine.url, engine.token, engine.models[1], str(steps), *project]
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error


@pytest.mark.timeout(300)
def test_a_run_looks_logs_and_ends_in_a_writer(tmp_path: Path, engine: RunningEngine) -> None:
    """Three steps on the pocket model; that they raise the win rate is the business of ``benchmarks.rlaif``."""
    author = sample_author("development", 0)
    rows = demonstrations(author, "development", 40, seed=3)
    place, settings = Workspace(tmp_path / "me"), Settings()
    config = RlaifConfig(steps=3, batch_size=4, every=3, dev_requests=8, learning_rate=4e-3)
    first = plain_writer(place, settings, name="baseline", temperature=0.3)
    with Connection(engine.url, engine.token) as connection:
        work = rlaif(connection, place, settings, first, Shorter(), [row.input for row in rows], rows[:10], config)
        writer = connection.run(work)
    looks = list(read_json_lines(next(place.runs.glob("rlaif-*/looks.jsonl"))))
    won = [look["figures"]["win_rate_vs_base"] for look in looks]
    assert [look["step"] for look in looks] == [0, 3]
    assert won[0]["mean"] == pytest.approx(0.5), "the first policy against itself"
    assert looks[0]["figures"]["kl"]["mean"] == pytest.approx(0, abs=1e-4)
    assert looks[-1]["figures"]["kl"]["mean"] != 0, "the policy has moved"
    assert writer.name == "rlaif"
    metrics = list(read_json_lines(next(place.runs.glob("rlaif-*/metrics.jsonl"))))
    assert [row["step"] for row in metrics] == list(range(3))
    assert {"win_rate_vs_base", "stderr_vs_base"} <= set(metrics[0])
    assert {"env/all/format", "env/all/faithful", "env/all/self_bleu", "env/all/words"} <= set(metrics[0])


@pytest.mark.timeout(300)
def test_a_killed_run_goes_on(tmp_path: Path, engine: RunningEngine) -> None:
    place = Workspace(tmp_path / "me")
    process = start(place.root, engine, STEPS)
    deadline = time.monotonic() + 120
    found: list[dict[str, object]] = []
    while len(found) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
        found = [row for path in place.runs.glob("rlaif-*/training/checkpoints.jsonl") for row in read_json_lines(path, torn_tail=True)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = place.runs.glob("rlaif-*")
    assert len(found) >= 3
    assert not (folder / "writer.json").exists()
    before = list(read_json_lines(folder / "looks.jsonl", torn_tail=True))

    finish(start(place.root, engine, STEPS))
    assert list(place.runs.glob("rlaif-*")) == [folder]
    looks = list(read_json_lines(folder / "looks.jsonl"))
    assert looks[: len(before)] == before
    assert [look["step"] for look in looks] == list(range(STEPS + 1)), "each step was looked at once"
    saved = [row["batch"] for row in read_json_lines(folder / "training" / "checkpoints.jsonl")]
    assert saved == sorted(saved)
    assert saved[-1] == STEPS
    assert [row["step"] for row in read_json_lines(folder / "metrics.jsonl")][-1] == STEPS - 1
    watch = read_json(folder / "watch.json")
    assert watch["last_step"] == STEPS
    assert str(watch["chosen_step"]) in watch["why"]
    done = (folder / "writer.json").stat().st_mtime_ns
    finish(start(place.root, engine, STEPS))
    assert (folder / "writer.json").stat().st_mtime_ns == done, "a finished run is not done again"


@pytest.mark.timeout(200)
def test_wandb_works_offline_and_is_off_by_default(tmp_path: Path, engine: RunningEngine) -> None:
    plain, logged = start(tmp_path / "plain", engine, 1), start(tmp_path / "logged", engine, 1, "a-project")
    finish(plain)
    finish(logged)
    assert not list((tmp_path / "plain").rglob("*.wandb"))
    (kept,) = (tmp_path / "logged").rglob("*.wandb")
    assert kept.parent.name.startswith("offline-run")
    said = "".join(path.read_text(errors="ignore") for path in (tmp_path / "logged").rglob("training/config.json"))
    assert not any(request in said for request in REQUESTS), "what the person was asked to write is not sent"


def test_too_few_requests_are_told(tmp_path: Path, engine: RunningEngine) -> None:
    place, settings = Workspace(tmp_path / "me"), Settings()
    first = plain_writer(place, settings, name="baseline", temperature=0.3)
    with Connection(engine.url, engine.token) as connection, pytest.raises(InputError, match="too few"):
        connection.run(rlaif(connection, place, settings, first, Shorter(), REQUESTS[:1] * 9, OWN))


def test_a_win_counts_only_in_both_orders():
    class First:
        name = "first"

        async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
            return [0.9] * len(pairs)

    assert asyncio.run(wins_against(First(), ["r"], ["a"], ["b"])) == [0.5]
    assert asyncio.run(wins_against(Shorter(), ["r"], ["a"], ["bb"])) == [1.0]
    assert asyncio.run(wins_against(Shorter(), ["r"], ["aa"], ["b"])) == [0.0]
