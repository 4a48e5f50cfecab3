"""The PDF: that it opens, says what the page says, and is the same each time."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from idiolect.evaluation.results import load_drafts, load_results
from idiolect.report import build_report, contents, render_pdf, render_png
from idiolect.report.document import Figures, Table
from idiolect.report.findings import ordered
from idiolect.report.pdf import _is_emoji, _named
from idiolect.report.plots import figures_of
from idiolect.workspace import Workspace


@pytest.fixture(scope="session")
def path(workspace: Workspace) -> Path:
    return build_report(workspace).pdf


@pytest.fixture(scope="session")
def text(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path).pages).replace("\u200b", "")


def test_it_opens_and_is_tagged_and_titled(path: Path, workspace: Workspace) -> None:
    reader = PdfReader(path)
    author = load_results(workspace.results / "compare.json").author
    assert len(reader.pages) > 3
    assert reader.metadata is not None
    assert reader.metadata.title == f"Writing as {author}"
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.trailer["/Root"]["/Lang"] == "en"
    assert path.stat().st_size < 3_000_000


def test_every_section_table_and_draft_is_in_it(text: str, workspace: Workspace) -> None:
    results, rows = load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json")
    flat = re.sub(r"\s+", "", text)
    report = contents(results, rows)
    assert re.sub(r"\s+", "", report.finding) in flat
    for section in report.sections:
        assert section.title in text
        tables = [block for block in section.blocks if isinstance(block, Table)]
        figures = [figure for block in section.blocks if isinstance(block, Figures) for figure in block.figures]
        for table in [*tables, *(figure.table for figure in figures)]:
            for row in table.rows:
                line = "".join(cell.text + cell.below for cell in row)
                assert re.sub(r"\s+", "", line) in flat, table.name
    own = rows.requests[0].own
    assert all(word in flat for word in own.split() if word.isascii())


def test_plots_are_drawn_with_their_numbers(text: str, workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    assert "chance to beat an average writer here" in text
    assert "training loss (nats a token)" in text
    # In the table of the ranking, in the plot, and in the plot's table.
    assert all(text.count(f"{one.chance.mean:.2f}") >= 3 for one in results.ranking)


def test_a_plot_is_a_picture_for_viewers_without_svg(workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    one, other = figures_of(results, ordered(results))[:2]
    picture = Image.open(io.BytesIO(render_png(one.svg)))
    assert (picture.format, picture.width > 400, picture.height > 200) == ("PNG", True, True)
    # Dark ink on light paper, and not an empty sheet.
    low, high = picture.convert("L").getextrema()
    assert (low < 80, high > 240) == (True, True)
    assert render_png(one.svg) == render_png(one.svg) != render_png(other.svg)


def test_same_report_gives_the_same_bytes(workspace: Workspace) -> None:
    report = contents(load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json"))
    first = render_pdf(report)
    assert render_pdf(report) == first
    metadata = PdfReader(io.BytesIO(first)).metadata
    assert metadata is not None
    assert metadata.creation_date is not None
    assert metadata.creation_date.date().isoformat() == "2026-03-14"


def test_emoji_without_a_font_are_named() -> None:
    assert _named({"a": ["hi \N{SUNFLOWER}", "☀\ufe0f", "日本 é", 3]}, _is_emoji) == {"a": ["hi ‹sunflower›", "☀", "日本 é", 3]}


def test_characters_without_a_glyph_do_not_spoil_it(workspace: Workspace) -> None:
    """The standard forbids them; which there are depends on the machine's fonts."""
    report = contents(load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json"))
    made = render_pdf(replace(report, finding="Signs \N{SPARKLES} and \N{CJK UNIFIED IDEOGRAPH-6F22} and \N{WHITE SMILING FACE}."))
    said = PdfReader(io.BytesIO(made)).pages[0].extract_text().replace("\u200b", "")
    assert "\N{SPARKLES}" in said or "sparkles" in said
    assert "\N{WHITE SMILING FACE}" in said
