"""The real commands with the local engine: killed with SIGKILL at some moment and run again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from checkpoints import tiny_checkpoint
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.service import Writer
from idiolect.workspace import Workspace

ROWS = [Demonstration(id=str(n), input=f"Ask Ann for {n}", output=f"hello Ann, is {n} there? see you soon") for n in range(6)]
TRAIN = ("sft", "--data", "demonstrations", "--steps", "40", "--batch-size", "4", "--save-every", "2", "--max-length", "96")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    model = tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINKER_", "IDIOLECT_"))}
    return {**kept, "IDIOLECT_POCKET_MODEL": str(model), "OMP_NUM_THREADS": "1"}


def workspace(folder: Path) -> Workspace:
    """A workspace with a prompt written by hand, so that only training is left to do."""
    place = Workspace(folder)
    save_demonstrations(place.demonstrations, ROWS)
    place.prompt.write_text("Write short e-mails.")
    return place


def start(place: Workspace, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "idiolect", *arguments]
    return subprocess.Popen(command, cwd=place.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(place: Workspace, environment: dict[str, str], *arguments: str) -> str:
    process = start(place, environment, *arguments)
    out, error = process.communicate(timeout=400)
    assert process.returncode == 0, error
    assert "Traceback" not in error
    assert "Warning" not in error
    return out


def adapter(place: Workspace) -> dict[str, list[float]]:
    (path,) = place.runs.glob("sft-*/writer.json")
    writer = Writer.load(path)
    assert writer.adapter
    assert writer.system_prompt is None
    run = writer.adapter.removeprefix("tinker://").split("/")[0].replace(":", "=")
    (file,) = place.engine_state.glob(f"{run}/sampler_weights/final/*/*.safetensors")
    return {name: tensor.flatten().tolist() for name, tensor in load_file(file).items()}


def lines(pattern: str, place: Workspace) -> int:
    return sum(len(path.read_text().splitlines()) for path in place.root.glob(pattern))


def engines_of(place: Workspace) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"idiolect.engine" in words and str(place.engine_state).encode() in words:
            found.append(int(entry.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_killed_half_way_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path, environment: dict[str, str]) -> None:
    whole, killed = workspace(tmp_path / "whole"), workspace(tmp_path / "killed")
    finish(whole, environment, *TRAIN)

    process = start(killed, environment, *TRAIN)
    deadline = time.monotonic() + 200
    while lines("runs/sft-*/training/checkpoints.jsonl", killed) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert lines("runs/sft-*/training/checkpoints.jsonl", killed) >= 2
    assert not list(killed.runs.glob("sft-*/writer.json"))
    deadline = time.monotonic() + 60
    while engines_of(killed) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert engines_of(killed) == []

    said = json.loads(finish(killed, environment, *TRAIN, "--json"))
    assert said["writer"]["name"] == "sft"
    assert adapter(killed) == adapter(whole)
    (metrics,) = killed.runs.glob("sft-*/metrics.jsonl")
    (expected,) = whole.runs.glob("sft-*/metrics.jsonl")
    losses = [[json.loads(line)["train_mean_nll"] for line in path.read_text().splitlines()] for path in (metrics, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(losses[0]) == 40

    # A finished run is not done again, and its writer writes: the draft alone on stdout.
    before = metrics.stat().st_mtime_ns
    assert json.loads(finish(killed, environment, *TRAIN, "--json")) == said
    assert metrics.stat().st_mtime_ns == before
    assert finish(killed, environment, "write", "Ask Ann for 3").strip()


def test_a_folder_that_is_no_model_is_said_in_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    place = workspace(tmp_path / "me")
    (tmp_path / "none").mkdir()
    process = start(place, {**environment, "IDIOLECT_POCKET_MODEL": str(tmp_path / "none")}, *TRAIN)
    _, error = process.communicate(timeout=200)
    assert process.returncode == 2, error
    assert error.startswith("idiolect: ")
    assert str(tmp_path / "none") in error
    assert error.count("\n") == 1
    assert engines_of(place) == []


def test_an_engine_that_dies_is_noticed(tmp_path: Path, environment: dict[str, str]) -> None:
    place = workspace(tmp_path / "me")
    process = start(place, environment, "sft", "--data", "demonstrations", "--steps", "100000")
    deadline = time.monotonic() + 200
    while lines("runs/sft-*/training/metrics.jsonl", place) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    for engine in engines_of(place):
        os.kill(engine, signal.SIGKILL)
    _, error = process.communicate(timeout=100)
    assert process.returncode == 2, error
    assert "the local engine has ended" in error.splitlines()[-1]
    shutil.rmtree(place.root)
