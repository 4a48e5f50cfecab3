"""The writeup: every section of the template from saved runs, the same each time, argued from the numbers."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.evaluation.results import Measure, load_results
from idiolect.evaluation.statistics import Difference
from idiolect.report import build_writeup, render_markdown
from idiolect.report.document import Card, Cards, Cell, Listing, Piece, Points, Report, Section, Table
from idiolect.report.writeup import argued
from idiolect.settings import Settings
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, write_json, write_json_lines

ADAPTER = "tinker://x/sampler_weights/final"
ROUNDS = "tinker://y/sampler_weights/final"
SECTIONS = ["What came out", "System prompt", "Checkpoints", "Rubric", "Runs", "For and against each method", "Reward hacking",
            "What was tried", "Limits"]  # fmt: skip

WHY = "It went back from step 8 to step 4. The one later look raised an alarm. While the reward rose, these fell: facts kept."


@pytest.fixture
def place(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The workspace with what else runs leave: checkpoints, a link, a watched training on rewards."""
    shutil.copytree(workspace.root, tmp_path / "copy")
    place = Workspace(tmp_path / "copy")
    Settings(author="x").save(place.settings)
    run = place.runs / "sft-20260314-101500"
    write_json_lines(run / "checkpoints.jsonl", [
        {"name": "000010", "state_path": "tinker://x/weights/000010"},
        {"name": "final", "state_path": "tinker://x/weights/final", "sampler_path": ADAPTER},
    ])  # fmt: skip
    write_json(run / "wandb.json", {"project": "mine", "id": "abc", "url": "https://wandb.example/me/mine/runs/abc"})
    rewarded = place.runs / "rlaif-20260316-101500"
    write_json(rewarded / "config.json", {"method": "rlaif", "steps": 8, "group_size": 4, "base_model": "/home/someone/models/small"})
    write_json(rewarded / "watch.json", {"chosen_step": 4, "last_step": 8, "alarms": ["facts_kept"], "why": WHY})
    # A training on rewards that was given back, and one in rounds that went on from sft.
    kept = {"name": "rlaif", "adapter": ADAPTER}
    write_json(
        place.runs / "rlaif-20260317-101500" / "config.json", {"method": "rlaif", "steps": 4, "first": {"name": "sft", "adapter": ADAPTER}}
    )
    write_json(place.runs / "rlaif-20260317-101500" / "writer.json", kept)
    write_json(place.runs / "rlaif-20260317-101500" / "watch.json", {"chosen_step": 0, "last_step": 4, "alarms": []})
    rounds = place.runs / "ditto-20260318-101500"
    write_json(rounds / "config.json", {"method": "ditto", "rounds": 4, "steps": 10, "first": "tinker://x/weights/final"})
    write_json(rounds / "writer.json", {"name": "ditto", "adapter": ROUNDS})
    write_json_lines(rounds / "checkpoints.jsonl", [{"round": n, "state": f"tinker://y/weights/round-{n}"} for n in range(5)])
    write_json_lines(rounds / "metrics.jsonl", [{"phase": "dpo", "step": n, "dpo_loss": 0.7 - n / 100} for n in range(40)])
    results = load_results(place.results / "compare.json")
    about = {**results.about["writers"], "rlaif": {"adapter": ADAPTER}, "ditto": {"adapter": ROUNDS}}
    writers = {**results.writers, "rlaif": results.writers["sft"], "ditto": results.writers["sft"]}
    results.model_copy(update={"writers": writers, "about": {**results.about, "writers": about}}).save(place.results / "compare.json")
    write_json(place.synthetic / "report.json", {
        "requests": {"kept": 20, "dropped": {}}, "texts": {"kept": 16, "dropped": {"fact-losing": 14}},
    })  # fmt: skip
    return place


def test_what_a_training_took_is_its_own(place: Workspace) -> None:
    text = build_writeup(place, Settings.load(place.settings)).markdown.read_text(encoding="utf-8")
    points = {line.split("**")[1]: line for line in text.splitlines() if line.startswith("- **") and "For it:" in line}
    assert "needs a training of 30 steps and its own checkpoint" in points["sft"]
    assert "no step of its training was taken by the watch, so it is sft unchanged" in points["rlaif"]
    assert "needs a training of 40 steps after that of sft and its own checkpoint" in points["ditto"]
    assert "| ditto-20260318-101500 | training state | tinker://y/weights/round-4 |" in text
    assert "round-3" not in text
    assert "| rlaif-20260317-101500 | sampler weights, those of its start |" in text
    assert "It ended with the weights that it began with." in text
    assert "DPO loss (nats) went from 0.70 to 0.31 in 40 steps." in text
    assert "20 synthetic requests were kept; dropped: none. 16 synthetic texts were kept; dropped: 14 fact-losing." in text


def test_length_and_copying_are_held_to_the_person(place: Workspace) -> None:
    found = load_results(place.results / "compare.json").writers["sft"]
    sure = {"low": 0.2, "high": 0.4, "p": 0.001, "p_holm": 0.001}
    longer = {"length_ratio": Difference(mean=0.3, **sure), "verbatim_overlap": Difference(mean=0.3, **sure)}
    near = found.model_copy(update={"length_ratio": Measure(mean=0.9), "verbatim_overlap": Measure(mean=0.3)})
    own = {"verbatim_overlap": Measure(mean=0.3, low=0.25, high=0.35)}
    assert argued(longer, near, own) == (["comes closer to the person's length (0.90 of it, 0.60 as it is)"], [], [])
    far = found.model_copy(update={"length_ratio": Measure(mean=1.3), "verbatim_overlap": Measure(mean=0.6)})
    pros, cons, _ = argued(longer, far, own)
    assert pros == []
    assert [one.split(" (")[0] for one in cons] == [
        "copies longer passages from the person's texts",
        "writes longer than the model as it is",
    ]


def test_every_section_is_filled_from_the_runs(place: Workspace) -> None:
    text = build_writeup(place, Settings.load(place.settings)).markdown.read_text(encoding="utf-8")
    # The rubric, in its code block, has headings of its own.
    assert [line[3:] for line in text.splitlines() if line.startswith("## ") and line[3:] in SECTIONS] == SECTIONS
    assert "Write <b>so</b>." in text  # the prompt as it is, in a code block
    assert "| sft-20260314-101500 | sampler weights | tinker://x/sampler\\_weights/final |" in text
    assert "| sft-20260314-101500 | training state | tinker://x/weights/final |" in text
    assert "000010" not in text
    assert load_task("email").rubric.strip() in text
    assert "https://wandb.example/me/mine/runs/abc" in text
    assert "everybody can see" in text
    assert f"**rlaif-20260316-101500** {WHY}\n" in text
    assert "training loss (nats a token) went from 3.00 to 0.10 in 30 steps." in text
    assert "| sft-20260315-101500 |" in text  # tried, not compared
    assert "/home/someone" not in text
    assert "TODO" not in text


def test_argued_from_what_is_more_than_chance(place: Workspace) -> None:
    results = load_results(place.results / "compare.json")
    pros, cons, _ = argued(results.differences["sft"])
    style = results.differences["sft"]["style"].mean
    assert style is not None
    assert pros[0].startswith(f"comes closer to the person (+{style:.2f}")
    assert not any("facts" in one for one in cons)
    # The writer that does everything wrong.
    _, cons, _ = argued(results.differences["few_shot"])
    assert {"keeps fewer of the facts", "invents in more drafts", "leaves slots open in more drafts"} <= {
        one.split(" (")[0] for one in cons
    }


def test_chance_argues_for_nothing() -> None:
    pros, cons, unsettled = argued({"style": Difference(mean=0.1, low=-0.05, high=0.25, p=0.2, p_holm=0.4)})
    assert (pros, cons, unsettled) == ([], [], ["style (+0.10, −0.05 to +0.25)"])


def test_same_runs_give_the_same_bytes_whenever_and_wherever(place: Workspace, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in build_writeup(place, Settings.load(place.settings))]
    shutil.copytree(place.root, tmp_path / "elsewhere" / "other name")
    other = Workspace(tmp_path / "elsewhere" / "other name")
    for path in sorted(other.runs.rglob("*.json*"), reverse=True):
        path.touch()
    assert [path.read_bytes() for path in build_writeup(other, Settings.load(other.settings))] == first


def test_pdf_says_the_same(place: Workspace) -> None:
    pdf = build_writeup(place, Settings.load(place.settings)).pdf
    reader = PdfReader(io.BytesIO(pdf.read_bytes()))
    text = "\n".join(page.extract_text() for page in reader.pages).replace("\u200b", "")
    assert all(title in text for title in SECTIONS)
    assert reader.metadata is not None
    assert str(reader.metadata.title).startswith("Writeup: writing as")


def test_command_line(place: Workspace) -> None:
    done = CliRunner().invoke(app, ["report", "--writeup", "--workspace", str(place.root)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"Writeup: {place.results / 'writeup.md'}")


def test_markup_in_texts_is_taken_literally() -> None:
    section = Section(
        "x",
        "A # title",
        ("*not* bold | nor a `code`, see https://x.example/a_b*c",),
        (
            Table("t", "t", ("a", "b"), ((Cell("1|2"), Cell("x", "0–1", sure=True)),)),
            Points((("me", "<script>"),)),
            Listing("L", "``` inside"),
            Cards((Card("c", (Piece("*draft*"),)),)),
        ),
    )
    text = render_markdown(Report("T", "a", "l", "f", (section,)))
    assert "\\*not\\* bold \\| nor a \\`code\\`, see https://x.example/a_b*c" in text
    assert "| 1\\|2 | **x** (0–1) |" in text
    assert "- **me** \\<script\\>" in text
    assert "````\n``` inside\n````" in text
    assert "```\n*draft*\n```" in text
