"""The SDK's own command line against the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tinker
from raw import trained
from tinker.cli.__main__ import main

from running_engine import RunningEngine


@pytest.fixture(scope="module")
def saved(engine: RunningEngine, qwen3: Path):
    """A run with a training and two sampler checkpoints."""
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=3, seed=2, user_metadata={"who": "me"}).result()
        trained(client)
        paths = [client.save_state("w").result().path, *(client.save_weights_for_sampler(name).result().path for name in ("s", "t"))]
        yield client.model_id, paths


@pytest.fixture
def cli(engine: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs what the installed ``tinker`` runs, in this process: a Python that imports it anew takes seconds for each command."""
    for name, value in {"TINKER_BASE_URL": engine.url, "TINKER_API_KEY": engine.token, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Any:
        monkeypatch.setattr(sys, "argv", ["tinker", "--format", "json", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, error = capsys.readouterr()
        assert (ended.value.code or 0) == code, error
        if code:
            return error
        return json.loads(out) if out.startswith("{") else out

    return run


def test_it_runs_as_a_process(engine: RunningEngine, saved) -> None:
    environment = {**os.environ, "TINKER_BASE_URL": engine.url, "TINKER_API_KEY": engine.token}
    command = [str(Path(sys.executable).with_name("tinker")), "--format", "json", "run", "info", saved[0]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert (ended.returncode, json.loads(ended.stdout)["training_run_id"]) == (0, saved[0]), ended


@pytest.mark.conformance(
    "GET training_runs: tinker run list", "GET training_runs/{id}: tinker run info", "GET checkpoints: tinker checkpoint list",
    "GET get_server_capabilities: tinker model list", "GET billing/usage/checkpoints/current: tinker billing checkpoint-storage",
    "GET billing/usage/events: tinker billing usage", "GET sessions/{id}/trace_export: tinker session export-trace",
)  # fmt: skip
def test_what_there_is(cli, engine: RunningEngine, saved) -> None:
    run, paths = saved
    assert cli("version").startswith("tinker 0.38")
    listed = next(entry for entry in cli("run", "list", "--limit", "0")["runs"] if entry["training_run_id"] == run)
    assert listed == cli("run", "info", run)
    assert (listed["lora_rank"], listed["user_metadata"], listed["last_checkpoint"]["tinker_path"]) == (3, {"who": "me"}, paths[0])
    assert set(paths) <= {entry["tinker_path"] for entry in cli("checkpoint", "list", "--limit", "0")["checkpoints"]}
    assert "not found" in cli("run", "info", "none", code=1).lower()
    assert [entry["model_name"] for entry in cli("model", "list")["models"]] == engine.models
    assert sum(entry["checkpoint_count"] for entry in cli("billing", "checkpoint-storage")["data"]) >= 3
    assert cli("billing", "usage", "2026-07-13T00:00:00Z", "2026-07-14T00:00:00Z")["data"] == []
    assert "keeps no timeline" in cli("session", "export-trace", run.split(":")[0], code=1)


@pytest.mark.conformance(
    "training_runs/{run}/checkpoints/{kind}/{name}/publish: tinker checkpoint publish",
    "DELETE training_runs/{run}/checkpoints/{kind}/{name}/publish: tinker checkpoint unpublish",
    "PUT training_runs/{run}/checkpoints/{kind}/{name}/ttl: tinker checkpoint set-ttl",
)
def test_changing_a_checkpoint(cli, saved) -> None:
    _, (path, *_) = saved
    cli("checkpoint", "publish", path)
    cli("checkpoint", "set-ttl", path, "--ttl", "7200")
    info = cli("checkpoint", "info", path)
    assert (info["public"], info["lora_rank"], info["expires_at"] is None, info["size_bytes"] > 1000) == (True, 3, False, True)
    cli("checkpoint", "unpublish", path)
    cli("checkpoint", "set-ttl", path, "--remove")
    info = cli("checkpoint", "info", path)
    assert (info["public"], info["expires_at"]) == (False, None)


@pytest.mark.conformance(
    "GET training_runs/{run}/checkpoints/{kind}/{name}/archive: tinker checkpoint download",
    "DELETE training_runs/{run}/checkpoints/{kind}/{name}: tinker checkpoint delete",
)
def test_downloading_and_deleting(cli, saved, qwen3: Path, tmp_path: Path) -> None:
    run, (path, sampler, other) = saved
    folder = Path(cli("checkpoint", "download", path, "--output", str(tmp_path / "out"))["destination"])
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(qwen3)
    assert (folder / "adapter_model.safetensors").stat().st_size > 1000
    deleted = cli("checkpoint", "delete", "--yes", other, "tinker://none/weights/none")
    assert (deleted["deleted_count"], len(deleted["failed"])) == (1, 1)
    assert cli("checkpoint", "delete", "--yes", "--run-id", run, "--type", "weights")["deleted_count"] == 1
    assert [entry["tinker_path"] for entry in cli("checkpoint", "list", "--run-id", run)["checkpoints"]] == [sampler]
