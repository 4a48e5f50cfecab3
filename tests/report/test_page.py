"""The report page: what it says, that it fetches nothing, and that a browser can draw it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from rich.console import Console

from idiolect.errors import InputError
from idiolect.evaluation.results import DraftRows, Measure, Results, load_drafts, load_results
from idiolect.report import build_report, render_report, results_table
from idiolect.report.highlight import highlight
from idiolect.workspace import Workspace


@pytest.fixture(scope="session")
def path(workspace: Workspace) -> Path:
    return build_report(workspace)


@pytest.fixture(scope="session")
def page(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_page_is_complete_and_fetches_nothing(path: Path, page: BeautifulSoup) -> None:
    text = path.read_text(encoding="utf-8")
    assert not page.find_all(["script", "link", "iframe", "img", "object", "embed"])
    for tag in page.find_all(True):
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = str(tag.get(name, "#"))
            assert value.startswith("#"), f"<{tag.name} {name}={value}>"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert path.stat().st_size < 2_000_000


def test_every_id_is_the_only_one_and_every_reference_leads_somewhere(page: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    markup = str(page)
    for reference in re.findall(r'(?:href="|url\()#([\w-]+)', markup) + re.findall(r'aria-labelledby="([\w-]+)"', markup):
        assert reference in ids


def test_ranking_shows_the_files_numbers_best_first(page: BeautifulSoup, workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    table = page.select_one("table.ranking")
    assert isinstance(table, Tag)
    rows = {
        row.th.get_text(strip=True): [cell.get_text(" ", strip=True) for cell in row.find_all("td")]
        for row in table.select("tbody tr")
        if row.th
    }
    assert next(iter(rows)) == "sft"
    assert list(rows)[-1] == "own texts"
    facts = results.writers["few_shot"].facts
    assert rows["few-shot"][1] == f"{facts.mean:.2f} {facts.low:.2f}–{facts.high:.2f}"


def test_every_plot_has_an_alt_text_and_a_table(page: BeautifulSoup) -> None:
    figures = page.find_all("figure")
    assert len(figures) == 4
    for figure in figures:
        assert figure.svg["role"] == "img"
        assert "sft" in figure.svg.title.get_text()
        assert len(figure.select("details table tbody tr")) == 3
        assert "#0300" not in str(figure.svg)
        assert "currentColor" in str(figure.svg)


def test_defects_are_named_and_marked(page: BeautifulSoup) -> None:
    cautions = " ".join(page.select_one(".cautions").get_text(" ", strip=True).split())  # type: ignore[union-attr]
    for words in (
        "few-shot keeps fewer facts",
        "few-shot invents more often",
        "few-shot ran into the token limit in 100%",
        "few-shot left slots open",
    ):
        assert words in cautions
    worst = page.select_one("section[aria-labelledby=worst]")
    assert isinstance(worst, Tag)
    reasons = worst.get_text(" ", strip=True)
    for words in ("loses", "invents blurbo", "leaves [Your Name]", "is cut off", "lacks"):
        assert words in reasons
    assert {mark["class"][0] for mark in page.select("section[aria-labelledby=drafts] .draft mark")} == {"kept", "invented", "slot"}
    assert "<script>alert(1)</script>" in page.get_text()


def test_side_by_side_has_the_persons_own_text_and_every_writer(page: BeautifulSoup) -> None:
    articles = page.select("article.request")
    assert len(articles) == 4
    for article in articles:
        assert len(article.select(".draft")) == 4
        assert "wrote" in article.select_one(".draft.own h4").get_text()  # type: ignore[union-attr]


def test_measures_that_cannot_be_told_are_dashes(workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    unknown = {
        name: one.model_copy(update={"style": Measure(), "win_rate_vs_baseline": Measure()}) for name, one in results.writers.items()
    }
    blind = results.model_copy(
        update={"writers": unknown, "judge": "verifier", "differences": {}, "reference": {}, "truncated": {}, "about": {}}
    )
    page = BeautifulSoup(render_report(blind, DraftRows(requests=[])), "html.parser")
    assert "too few texts" in page.select_one(".lead").get_text()  # type: ignore[union-attr]
    assert page.select_one("table.ranking td").get_text(strip=True) == "–"  # type: ignore[union-attr]
    console = Console(width=80, record=True)
    console.print(results_table(blind))
    assert "–" in console.export_text()


def test_terminal_table_fits_eighty_columns_with_its_intervals(workspace: Workspace) -> None:
    results: Results = load_results(workspace.results / "compare.json")
    console = Console(width=80, record=True)
    console.print(results_table(results))
    text = console.export_text()
    style = results.writers["few_shot"].style
    assert f"{style.low:.2f}–{style.high:.2f}" in text
    assert "…" not in text
    assert all(name in text for name in ("baseline", "few_shot", "sft", "facts kept", "beats baseline"))


def test_same_files_give_the_same_page(workspace: Workspace) -> None:
    results, rows = load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json")
    assert render_report(results, rows) == render_report(results, rows)


def test_no_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="idiolect compare"):
        build_report(Workspace(tmp_path))


def test_highlight_marks_whole_words_whatever_the_case_and_escapes() -> None:
    made = highlight("hi ann & Joanna, dana <b>", facts=["Ann", "Dana Whitlock"], invented=["Joanna"])
    assert made == (
        'hi <mark class="kept" title="fact kept">ann</mark> &amp; <mark class="invented" title="invented">Joanna</mark>, '
        '<mark class="kept" title="fact kept">dana</mark> &lt;b&gt;'
    )
    assert highlight("", facts=["x"]) == ""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_draws_it(path: Path, tmp_path: Path, width: int) -> None:
    picture = tmp_path / "page.png"
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path}/profile",
    ]
    subprocess.run(
        [*command, f"--window-size={width},2000", f"--screenshot={picture}", path.as_uri()], check=True, capture_output=True, timeout=200
    )
    from PIL import Image

    with Image.open(picture) as drawn:
        assert drawn.size[0] == width
        colours = drawn.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    # A page that failed to draw has one colour or two.
    assert len(colours) > 200
