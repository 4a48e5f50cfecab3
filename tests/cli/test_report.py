"""``idiolect report``: prices from the command line or the settings, and the copy to be shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.evaluation.results import DraftRow, DraftRows, Measure, RequestRow, Results, WriterResult
from idiolect.workspace import Workspace

ONE = Measure(mean=0.5, low=0.4, high=0.6)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """One writer, one draft with an address in it."""
    place = Workspace(tmp_path)
    place.settings.write_text('[prices]\nsampled = 3.0\ncurrency = "CHF"\n', encoding="utf-8")
    draft = DraftRow(
        text="Write to dana@example.org", style=0.5, missed=[], facts=1.0, lost=[], invented=[], placeholders=[], win=0.5, length_ratio=1.0,
        verbatim_overlap=0.0, copied="", truncated=False, tokens=6, seconds=0.1,
    )  # fmt: skip
    names = ("style", "facts", "invented", "placeholders", "win_rate_vs_baseline", "length_ratio", "verbatim_overlap")
    writer = WriterResult(**dict.fromkeys(names, ONE), seconds=1.0, tokens=2_000_000)
    results = Results(author="me", task="email", base_model="small", heldout=1, seed=0, writers={"baseline": writer}, judge="verifier")
    results.save(place.results / "compare.json")
    DraftRows(requests=[RequestRow(id="1", request="Greet", facts=[], own="", drafts={"baseline": draft})]).save(
        place.results / "drafts.json"
    )
    return place


def report(place: Workspace, *options: str) -> tuple[str, bytes]:
    done = CliRunner().invoke(app, ["report", "--workspace", str(place.root), "--json", *options])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    return Path(told["report"]).read_text(encoding="utf-8"), Path(told["pdf"]).read_bytes()


def test_prices_of_the_settings_and_of_the_command_line(place: Workspace) -> None:
    page, pdf = report(place)
    assert "3 CHF for a million tokens sampled" in page
    assert ">6.00<" in page
    assert pdf.startswith(b"%PDF")
    page, _ = report(place, "--price-per-million", "0.25", "--currency", "EUR")
    assert "0.25 EUR for a million tokens sampled" in page
    assert ">0.50<" in page


def test_a_redacted_report_lies_beside_the_full_one(place: Workspace) -> None:
    full, _ = report(place)
    shared, _ = report(place, "--redact")
    assert "dana@example.org" in full
    assert "dana@example.org" not in shared
    assert {path.name for path in place.results.iterdir()} >= {"report.html", "report.pdf", "report-redacted.html", "report-redacted.pdf"}


def test_a_negative_price_is_refused(place: Workspace) -> None:
    done = CliRunner().invoke(app, ["report", "--workspace", str(place.root), "--price-per-million", "-1"])
    assert done.exit_code == 2


def test_wandb_offline_gets_the_measures_and_every_draft(place: Workspace) -> None:
    # A process of its own: wandb's service ends with the process.
    command = [sys.executable, "-m", "idiolect", "report", "--workspace", str(place.root), "--wandb", "--wandb-project", "mine"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "WANDB_MODE": "offline"})
    assert done.returncode == 0, done.stderr
    assert "nothing here makes it public for you" in done.stderr
    (drafts,) = [json.loads(path.read_text()) for path in place.runs.rglob("drafts*.table.json")]
    assert drafts["columns"] == ["request", "writer", "draft", "style", "facts", "invented", "tokens"]
    assert drafts["data"] == [["Greet", "baseline", "Write to dana@example.org", 0.5, 1.0, "", 6]]
    (measures,) = [json.loads(path.read_text()) for path in place.runs.rglob("measures*.table.json")]
    assert ["baseline", "style", 0.5, 0.4, 0.6] in measures["data"]
    done = CliRunner().invoke(app, ["report", "--writeup", "--workspace", str(place.root)])
    assert done.exit_code == 0, done.output
    assert "logged offline, project mine" in (place.results / "writeup.md").read_text()
