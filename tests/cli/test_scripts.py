"""The handout's command lines on the pocket model, one after the other in one workspace, each logged to Weights & Biases offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.methods.run import writer_named
from idiolect.pocket.demo import prepare
from idiolect.settings import pocket_model
from idiolect.workspace import Workspace, read_json, read_json_lines, write_json
from running_engine import RunningEngine, start_engine
from wandb_files import points

ROOT = Path(__file__).parent.parent.parent
COMMON = ("model_name=pocket", "learning_rate=1e-3", "wandb_project=mine")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with start_engine(pocket_model(), state=tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("scripts") / "place")
    prepare(place, 0)
    rows = load_demonstrations(place.demonstrations)[:4]
    save_demonstrations(place.demonstrations, rows)
    place.prompt.write_text("Write as I do.\n")  # edited by hand, so that no model has to describe the style
    write_json(place.synthetic / "config.json", {"per_topic": 1, "attempts": 1})
    return place


def ran(engine: RunningEngine, place: Workspace, script: str, *words: str) -> str:
    """What the script prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINKER_")}
    environment |= {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "TINKER_API_KEY": engine.token}
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{script}", f"workspace={place.root}", f"base_url={engine.url}", *COMMON, *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing here makes it public for you" in done.stderr
    return done.stdout


def logged(folder: Path) -> dict[str, list]:
    """The curves of the run's one offline file."""
    assert read_json(folder / "wandb.json")["project"] == "mine"
    (file,) = [path for path in folder.rglob("*.wandb") if path.stat().st_size > 500]
    return points(file)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_script_trains_and_logs_its_curves(engine: RunningEngine, place: Workspace) -> None:
    # One test, since each goes on from what the one before it left.
    told = ran(engine, place, "sft", "data=demonstrations", "max_steps=3", "batch_size=2", "lora_rank=4")
    tuned = writer_named(place, "sft")
    assert tuned.adapter
    assert tuned.adapter in told
    folder = next(place.runs.glob("sft-*"))
    config = json.loads((folder / "config.json").read_text())
    assert (config["steps"], config["learning_rate"], config["rank"]) == (3, 1e-3, 4)
    rows = list(read_json_lines(folder / "metrics.jsonl"))
    assert len(rows) == 3
    assert logged(folder)["train_mean_nll"] == pytest.approx([row["train_mean_nll"] for row in rows])

    told = ran(engine, place, "train_rubric_rm", "data=own", "max_steps=2", "batch_size=4", "lora_rank=4")
    folder = next(place.runs.glob("judge-*"))
    judge = read_json(folder / "judge.json")
    assert judge["adapter"] in told
    assert judge["base_model"] == pocket_model()
    assert len(logged(folder)["train_mean_nll"]) == 2

    made = [
        row.model_copy(update={"input": f"Tell Ann about number {number}"})
        for number, row in enumerate(load_demonstrations(place.heldout)[:2])
    ]
    save_demonstrations(place.synthetic / "demonstrations.jsonl", made)
    words = ("max_steps=1", "batch_size=2", "group_size=2", "eval_every=1", "max_tokens=48", "tournament_pattern=all_pairs_both_ways")
    told = ran(engine, place, "rl_with_rubric_rm", *words)
    folder = next(place.runs.glob("rlaif-*"))
    watched = read_json(folder / "watch.json")
    assert watched["last_step"] == 1
    assert watched["why"] in told
    assert read_json(folder / "config.json")["first"]["adapter"] == tuned.adapter
    assert read_json(folder / "config.json")["max_tokens"] == 48
    assert len(logged(folder)["env/all/reward/total"]) == 1

    words = ("num_demos=2", "sft_steps=2", "num_rounds=1", "steps_per_round=2", "samples_per_demo=2", "batch_size=2", "dpo_beta=0.1")
    told = ran(engine, place, "ditto_dpo", *words)
    preferred = writer_named(place, "ditto")
    assert preferred.adapter
    assert preferred.adapter in told
    assert preferred.adapter != tuned.adapter
    assert len(logged(next(place.runs.glob("ditto-*")))["dpo_loss"]) == 2
