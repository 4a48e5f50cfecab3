"""Weights & Biases, offline and for real: curves and tables lie in files that are read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idiolect.methods.run import open_run
from idiolect.methods.tracking import Tracking, links, tracked
from idiolect.workspace import Workspace
from wandb_files import points, records

wandb = pytest.importorskip("wandb")

LOGS = """
import sys
from pathlib import Path
from tinker_cookbook.utils import ml_log
from idiolect.methods.run import open_run
from idiolect.methods.tracking import Tracking, tracked
from idiolect.workspace import Workspace
run = open_run(Workspace(Path(sys.argv[1])), "sft", {"rate": 0.5, "base_model": "/somewhere/secret/model"})
with tracked(run, Tracking(wandb=True, wandb_project="mine")) as tracker:
    tracker.log(0, loss=2.5, note="no number")
    tracker.table("drafts", [{"request": "Ask Ann", "draft": "Hi Ann"}], step=0)
    (run.folder / "training").mkdir()
    cookbook = ml_log.setup_logging(str(run.folder / "training"), wandb_project=tracker.project, wandb_name=tracker.name)
    cookbook.log_metrics({"train_mean_nll": 1.25}, step=1)
    cookbook.close()
"""


def test_offline_run_holds_curves_tables_and_the_cookbooks_points(tmp_path: Path) -> None:
    environment = {**os.environ, "WANDB_MODE": "offline"}
    done = subprocess.run([sys.executable, "-c", LOGS, str(tmp_path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    folder = next((tmp_path / "runs").iterdir())
    known = json.loads((folder / "wandb.json").read_text())
    assert (known["project"], known["name"], known["url"], known["offline"]) == ("mine", folder.name, None, True)

    # One run, not one of ours and another of the cookbook's.
    (file,) = [path for path in folder.rglob("*.wandb") if path.stat().st_size > 500]
    logged = points(file)
    assert (logged["loss"], logged["train_mean_nll"]) == ([2.5], [1.25])
    assert "note" not in logged
    table = json.loads(next(folder.rglob("drafts*.table.json")).read_text())
    assert table["data"] == [["Ask Ann", "Hi Ann"]]
    (begun,) = [record.run for record in records(file) if record.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in begun.config.update}
    assert (begun.project, begun.run_id, config["rate"], config["base_model"]) == ("mine", known["id"], 0.5, "model")
    assert "somewhere" not in str(begun)
    assert links(Workspace(tmp_path)) == {folder.name: f"logged offline, project mine, run {known['id']}; `wandb sync` sends it"}


def test_off_by_default(tmp_path: Path) -> None:
    run = open_run(Workspace(tmp_path), "sft", {})
    for tracking in (None, Tracking()):
        with tracked(run, tracking) as tracker:
            tracker.log(0, loss=1.0)
            tracker.table("drafts", [{"a": 1}])
        assert tracker.project is None
    assert {path.name for path in run.folder.iterdir()} == {"config.json", "process.lock"}
