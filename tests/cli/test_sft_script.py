"""``python -m scripts.sft`` on the pocket model: it trains, and its curve is logged to Weights & Biases offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.methods.run import writer_named
from idiolect.pocket.demo import prepare
from idiolect.workspace import Workspace, read_json_lines
from wandb_files import points

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_script_trains_and_logs_its_curve(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "place")
    prepare(place, 0)
    save_demonstrations(place.demonstrations, load_demonstrations(place.demonstrations)[:4])
    place.prompt.write_text("Write as I do.\n")  # edited by hand, so that no model has to describe the style
    words = ["data=demonstrations", "max_steps=3", "batch_size=2", "learning_rate=1e-3", "lora_rank=4", "wandb_project=mine"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINKER_")}
    environment |= {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.sft", f"workspace={place.root}", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing here makes it public for you" in done.stderr
    writer = writer_named(place, "sft")
    assert writer.adapter
    assert writer.adapter in done.stdout

    folder = next(place.runs.glob("sft-*"))
    config = json.loads((folder / "config.json").read_text())
    assert (config["steps"], config["learning_rate"], config["rank"]) == (3, 1e-3, 4)
    rows = list(read_json_lines(folder / "metrics.jsonl"))
    assert len(rows) == 3
    logged = points(next(path for path in folder.rglob("*.wandb") if path.stat().st_size > 500))
    assert logged["train_mean_nll"] == pytest.approx([row["train_mean_nll"] for row in rows])
