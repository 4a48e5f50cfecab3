"""Handing in: the ZIP when all is right, and a line for each thing that is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.report import build_writeup
from idiolect.report.submission import NOTEBOOK, gather, pack
from idiolect.settings import Settings
from idiolect.workspace import Workspace

PLOT = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}
MAIL = "Hi Ann, could you please bring the blue folder to the office on Friday before nine, it is urgent"


def cell(source: str, count: int | None, *outputs: dict) -> dict:
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": list(outputs), "metadata": {}}


def write_notebook(project: Path, *cells: dict) -> None:
    (project / NOTEBOOK).write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for name in ("sft", "train_rubric_rm", "rl_with_rubric_rm", "ditto_dpo", "__init__"):
        (project / "scripts").mkdir(parents=True, exist_ok=True)
        (project / "scripts" / f"{name}.py").write_text("print('hi')\n")
    for name in ("rubric_preference_env.py", "rubric_preference_types.py", "data.example.json", ".env.example"):
        (project / name).write_text("[]\n")
    write_notebook(project, cell("1 + 1", 1), cell("plot()", 2, PLOT))
    return project


@pytest.fixture
def place(whole: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(whole.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


@pytest.fixture(scope="module")
def whole(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A real person's workspace with its writeup."""
    place = Workspace(tmp_path_factory.mktemp("whole") / "place")
    shutil.copytree(workspace.root, place.root)
    Settings(author="x").save(place.settings)
    place.prompt.write_text("Write briefly.\n")
    save_demonstrations(place.demonstrations, [Demonstration(id="mail-7", input="Ask Ann", output=MAIL)])
    build_writeup(place, Settings.load(place.settings))
    return place


def test_a_whole_submission_is_packed_the_same_each_time(project: Path, place: Workspace, tmp_path: Path) -> None:
    found = gather(project, place)
    assert found.faults == ()
    first = pack(found, tmp_path / "one.zip").read_bytes()
    assert pack(gather(project, place), tmp_path / "two.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == set(found.files)
        assert {NOTEBOOK, "writeup.md", "writeup.pdf", "scripts/ditto_dpo.py", "results/compare.json", "prompt.md"} <= set(found.files)
        assert archive.read("prompt.md") == b"Write briefly.\n"
    assert not any("demonstrations" in name or name == ".env" for name in found.files)


def faults_with(project: Path, place: Workspace) -> str:
    return "\n".join(gather(project, place).faults)


def test_what_is_missing_is_listed_with_what_to_do(project: Path, place: Workspace) -> None:
    (project / NOTEBOOK).unlink()
    (place.results / "writeup.pdf").unlink()
    (project / "scripts" / "sft.py").unlink()
    assert gather(project, place).faults == (
        f"{NOTEBOOK}: is missing; `make notebook` makes it",
        "scripts/sft.py: is missing from the project's folder",
        "writeup.pdf: is missing; `idiolect report --writeup` writes it",
    )


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([cell("a", 1, PLOT), cell("b", None)], "code cells 2 were not executed"),
        ([cell("a", 2, PLOT), cell("b", 1)], "not executed from top to bottom"),
        ([cell("a", 1, PLOT), cell("b", 2, {"output_type": "error", "ename": "X"})], "code cell 2 ended with an error"),
        ([cell("a", 1)], "no plot shows"),
        ([cell("a", 1, PLOT), cell("x = 0  # TO" + "DO", 2)], "holds a to-do"),
        ([cell("a", 1, PLOT, {"output_type": "stream", "text": ["key tml-abcdefghij", "klmnopqrst"]})], "holds a Tinker key"),
        ([cell("a", 1, PLOT, {"output_type": "stream", "text": ["to ann@example.org\n"]})], "private details (1 email)"),
        ([cell("a", 1, PLOT, {"output_type": "stream", "text": MAIL[:40] + "\n" + MAIL[40:]})], "quotes 1 of your own mails (mail-7)"),
        # From the middle, quoted, in other letters.
        ([cell("a", 1, PLOT, {"output_type": "stream", "text": "> " + MAIL[22:].upper()})], "quotes 1 of your own mails (mail-7)"),
    ],
)
def test_a_notebook_s_faults_are_found(project: Path, place: Workspace, cells: list[dict], said: str) -> None:
    write_notebook(project, *cells)
    assert said in faults_with(project, place)


def test_own_mail_may_be_agreed_to_and_a_simulated_person_has_none(project: Path, place: Workspace) -> None:
    write_notebook(project, cell("a", 1, PLOT, {"output_type": "stream", "text": MAIL}))
    assert gather(project, place).faults
    assert gather(project, place, own_mail=True).faults == ()
    place.truth.write_text("{}")
    assert gather(project, place).faults == ()


def test_keys_of_the_environment_are_looked_for(project: Path, place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    (project / "scripts" / "sft.py").write_text("KEY = '0123456789abcdef'\n")
    assert faults_with(project, place) == "scripts/sft.py: holds the value of WANDB_API_KEY"


def test_keys_of_a_file_beside_the_notebook_are_looked_for(project: Path, place: Workspace, tmp_path: Path) -> None:
    (project / ".env").write_text("TINKER_API_KEY=a-key-of-no-known-form\n")
    (project / "scripts" / "sft.py").write_text("KEY = 'a-key-of-no-known-form'\n")
    command = [sys.executable, "-m", "idiolect", "submit", "--workspace", str(place.root), "--project", str(project)]
    environment = {name: value for name, value in os.environ.items() if name != "TINKER_API_KEY"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "- scripts/sft.py: holds the value of TINKER_API_KEY" in done.stderr


def test_a_word_of_another_language_is_no_to_do(project: Path, place: Workspace) -> None:
    write_notebook(project, cell("a", 1, PLOT, {"output_type": "stream", "text": "Hola Ana, todo bien"}))
    assert gather(project, place).faults == ()


def test_results_are_looked_through_as_texts(project: Path, place: Workspace) -> None:
    # In the file a line's end is a backslash and an n.
    results = json.loads((place.results / "compare.json").read_text())
    results["about"]["note"] = MAIL[:40] + "\n" + MAIL[40:]
    (place.results / "compare.json").write_text(json.dumps(results))
    build_writeup(place, Settings.load(place.settings))
    assert gather(project, place).faults == ("results/compare.json: quotes 1 of your own mails (mail-7); --own-mail says that you agree",)


def test_a_writeup_without_a_section_is_said(project: Path, place: Workspace) -> None:
    path = place.results / "writeup.md"
    path.write_text(path.read_text().replace("## Limits", "## Ends"))
    assert faults_with(project, place) == "writeup.md: has no section 'Limits'"


def test_a_writeup_older_than_the_results_is_said(project: Path, place: Workspace) -> None:
    (place.results / "compare.json").touch()
    assert "writeup.md: is older than the results" in faults_with(project, place)
    assert "writeup.pdf: is older than the results" in faults_with(project, place)


def test_command_line_lists_faults_and_packs_nothing(project: Path, place: Workspace, tmp_path: Path) -> None:
    arguments = ["submit", "--workspace", str(place.root), "--project", str(project), "--out", str(tmp_path / "out.zip")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    (project / "scripts" / "sft.py").unlink()
    (tmp_path / "out.zip").unlink()
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "- scripts/sft.py: is missing" in done.output
    assert not (tmp_path / "out.zip").exists()
