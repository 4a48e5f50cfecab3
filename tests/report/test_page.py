"""The report page: what it says, and that it fetches nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from idiolect.errors import InputError
from idiolect.evaluation.results import DraftRows, Measure, Results, load_drafts, load_results
from idiolect.report import build_report, contents, render_page
from idiolect.report.document import Cards, Figures, Table
from idiolect.settings import Prices
from idiolect.workspace import Workspace


@pytest.fixture(scope="session")
def path(workspace: Workspace) -> Path:
    return build_report(workspace).html


@pytest.fixture(scope="session")
def page(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="session")
def results(workspace: Workspace) -> Results:
    return load_results(workspace.results / "compare.json")


def cells(page: BeautifulSoup, name: str) -> dict[str, list[str]]:
    """A table's fields by the heading of their row; of rows with one heading the last."""
    table = page.select_one(f"#{name} table")
    assert isinstance(table, Tag)
    return {
        row.th.get_text(" ", strip=True): [cell.get_text(" ", strip=True) for cell in row.find_all("td")]
        for row in table.select("tbody tr")
        if row.th
    }


def shown(measure: Measure) -> str:
    return f"{measure.mean:.2f} {measure.low:.2f}–{measure.high:.2f}"


def test_page_is_complete_and_fetches_nothing(path: Path, page: BeautifulSoup) -> None:
    text = path.read_text(encoding="utf-8")
    assert not page.find_all(["script", "link", "iframe", "img", "object", "embed", "base", "form"])
    for tag in page.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), f"<{tag.name} {name}>"
            if name in ("src", "href", "srcset", "data", "poster", "action"):
                assert str(value).startswith("#"), f"<{tag.name} {name}={value}>"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert path.stat().st_size < 2_000_000


def test_every_id_is_the_only_one_and_every_reference_leads_somewhere(page: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    markup = str(page)
    for reference in re.findall(r'(?:href="|url\()#([\w-]+)', markup) + re.findall(r'aria-labelledby="([\w-]+)"', markup):
        assert reference in ids


def test_headings_go_down_one_level_at_a_time_and_tables_say_what_they_are(page: BeautifulSoup) -> None:
    levels = [int(tag.name[1]) for tag in page.find_all(re.compile(r"^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for table in page.find_all("table"):
        assert table.caption.get_text(strip=True)
        assert all(heading["scope"] == "col" for heading in table.select("thead th"))
        assert all(heading["scope"] == "row" for heading in table.select("tbody th"))
    # What scrolls sideways can be reached by keyboard.
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in page.select(".scroll"))


def test_sections_are_those_of_the_contents_list(page: BeautifulSoup) -> None:
    linked = [str(link["href"])[1:] for link in page.select("nav a")]
    assert linked == [section["id"] for section in page.find_all("section")]
    assert linked == ["asked", "ranking", "plots", "differences", "training", "failures", "drafts", "leakage", "cost", "settings"]


def test_ranking_and_measures_are_the_files_numbers_best_first(page: BeautifulSoup, results: Results) -> None:
    ranking = cells(page, "ranking-table")
    assert list(ranking) == [one.writer.replace("_", "-") for one in results.ranking]
    assert next(iter(ranking)) == "sft"
    for one in results.ranking:
        row = ranking[one.writer.replace("_", "-")]
        assert row[0] == str(one.rank)
        assert row[2] == shown(one.chance)
    assert ranking["sft"][4] == shown(results.win_rates["sft"][0].length_controlled)
    measures = cells(page, "measures-table")
    assert list(measures)[-1] == "own texts"
    one = results.writers["few_shot"]
    assert measures["few-shot"] == [
        shown(one.style), shown(one.facts), shown(one.invented), shown(one.placeholders), shown(results.meta_comments["few_shot"]),
        shown(one.win_rate_vs_baseline), shown(one.length_ratio), shown(one.verbatim_overlap),
    ]  # fmt: skip


def test_differences_show_p_and_what_the_sample_could_show(page: BeautifulSoup, results: Results) -> None:
    found = results.differences["few_shot"]["facts"]
    facts = page.select_one("#differences-table").find("th", string=re.compile("facts"))  # type: ignore[union-attr]
    assert facts
    row = cells(page, "differences-table")["few-shot"]
    assert row[1].startswith(f"{found.mean:+.2f}".replace("-", "−"))
    tests = page.select("#tests-table tbody tr")
    told = [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in tests]
    assert len(told) == 2 * 6
    row = next(row for row in told if row[:2] == ["few-shot", "facts kept"])
    assert row[3] == ("< 0.001" if found.p < 0.001 else f"{found.p:.3f}")  # type: ignore[operator]
    assert row[4] == ("< 0.001" if found.p_holm < 0.001 else f"{found.p_holm:.3f}")  # type: ignore[operator]
    assert row[5] == ("–" if found.smallest_detectable is None else f"{found.smallest_detectable:.2f}")
    sure = [key for key, one in results.differences["few_shot"].items() if one.p_holm is not None and one.p_holm < 0.05]
    line = page.select_one("#differences-table").find("span", string="few-shot").find_parent("tr")  # type: ignore[union-attr]
    assert len(line.select("td.sure")) == len(sure) > 0  # type: ignore[union-attr]


def test_every_plot_says_the_numbers_of_its_table_and_of_the_file(page: BeautifulSoup, results: Results) -> None:
    figures = page.find_all("figure")
    assert [figure["id"] for figure in figures] == ["chance", "style", "stylefacts", "length", "overlap", "curve-train_mean_nll"]
    for figure in figures:
        assert figure.svg["role"] == "img"
        assert "sft" in figure.svg.title.get_text()
        assert "#0300" not in str(figure.svg)
        assert "currentColor" in str(figure.svg)
        assert figure.select("details table tbody tr")
    measured = {
        "chance": {one.writer: one.chance for one in results.ranking},
        "style": {name: one.style for name, one in results.writers.items()},
        "length": {name: one.length_ratio for name, one in results.writers.items()},
        "overlap": {name: one.verbatim_overlap for name, one in results.writers.items()},
    }
    for name, measures in measured.items():
        figure = page.find(id=name)
        drawn = [text.get_text() for text in figure.svg.find_all("text")]  # type: ignore[union-attr]
        table = cells(page, f"{name}-table")
        for writer, measure in measures.items():
            assert f"{measure.mean:.2f}" in drawn
            assert table[writer.replace("_", "-")][0] == shown(measure)
            assert f"{measure.low:.2f}–{measure.high:.2f}" in figure.svg.title.get_text()  # type: ignore[union-attr]


def test_the_marks_of_a_plot_stand_where_the_numbers_are(page: BeautifulSoup, results: Results) -> None:
    """The means of the style plot, read off its own axis."""
    figure = page.find(id="style")
    ticks = {}
    for group in figure.svg.find_all("g", id=re.compile(r"style-xtick_\d+$")):  # type: ignore[union-attr]
        ticks[float(group.find("text").get_text().replace("−", "-"))] = float(group.find("use")["x"])
    (a, at_a), (b, at_b) = sorted(ticks.items())[0], sorted(ticks.items())[-1]
    dots = [use for use in figure.svg.find_all("use") if "fill: var(--s" in str(use.get("style", ""))]  # type: ignore[union-attr]
    read = sorted(a + (float(use["x"]) - at_a) * (b - a) / (at_b - at_a) for use in dots)
    assert read == pytest.approx(sorted(one.style.mean for one in results.writers.values()), abs=2e-3)  # type: ignore[type-var]


def test_training_curve_is_of_the_run_that_was_compared(page: BeautifulSoup) -> None:
    table = cells(page, "curve-train_mean_nll-table")
    assert table["0"] == ["3"]
    assert table["29"] == ["0.1"]
    assert cells(page, "training-table")["sft"] == ["30", "15.0", "3,000"]
    settings = page.find(id="settings").get_text()  # type: ignore[union-attr]
    assert '"base_model": "small"' in settings
    assert "/home/someone" not in str(page)


def test_defects_are_named_counted_and_marked(page: BeautifulSoup) -> None:
    cautions = " ".join(page.select_one(".cautions").get_text(" ", strip=True).split())  # type: ignore[union-attr]
    for words in (
        "few-shot keeps fewer facts",
        "few-shot invents more often",
        "few-shot is cut off in 100%",
        "few-shot left slots open in 100%",
        "few-shot remarks on itself in 100%",
        "few-shot says a line or a word twice in 100%",
        "few-shot misspells a word in 100%",
        "sft remembers secrets",
    ):
        assert words in cautions
    counted = cells(page, "failures-table")
    assert counted["few-shot"][0:8] == ["20"] * 8
    assert counted["sft"][1:10] == ["0"] * 9
    reasons = page.find(id="failures").get_text(" ", strip=True)  # type: ignore[union-attr]
    for words in (
        "loses",
        "invents blurbo",
        "leaves [Your Name]",
        "remarks on itself: Here is the e-mail",
        "is cut off",
        "lacks",
        "says more than once: PS: As",
        "misspells wrytten",
    ):
        assert words in reasons
    marks = {kind for mark in page.select("#drafts .draft mark") for kind in mark["class"]}
    assert marks >= {"kept", "invented", "slot", "other"}
    assert "<script>alert(1)</script>" in page.get_text()


def test_side_by_side_has_the_persons_own_text_and_every_writer(page: BeautifulSoup, workspace: Workspace) -> None:
    rows = load_drafts(workspace.results / "drafts.json").requests
    blocks = page.select("#drafts .request")
    assert len(blocks) == 4
    for block, row in zip(blocks, (rows[0], rows[6], rows[13], rows[19]), strict=True):
        assert block.h3.get_text() == row.request  # type: ignore[union-attr]
        own, *drafts = block.select("article.draft")
        assert "wrote" in own.h4.get_text()  # type: ignore[union-attr]
        assert own.select_one(".text").get_text() == row.own  # type: ignore[union-attr]
        assert [draft.h4.span.get_text() for draft in drafts] == ["sft", "baseline", "few-shot"]  # type: ignore[union-attr]
        assert drafts[1].select_one(".text").get_text() == row.drafts["baseline"].text  # type: ignore[union-attr]
        for draft in drafts:
            assert draft.select(".changes ins")


def test_every_judge_speaks_and_their_agreement_stands_beside(page: BeautifulSoup, results: Results) -> None:
    rows = [row.get_text(" ", strip=True).split()[:2] for row in page.select("#judges-table tbody tr")]
    assert sorted(map(tuple, rows)) == sorted(
        (name.replace("_", "-"), one.judge) for name in results.writers for one in results.win_rates.get(name, [])
    )
    (agreed,) = results.agreements
    assert agreed.judges == ("truth", "facts")
    assert cells(page, "agreements-table")["truth and facts"] == [
        f"{one.mean:.2f} {one.low:.2f}–{one.high:.2f}" for one in (agreed.agree, agreed.kappa)
    ]  # fmt: skip


def test_leakage_is_told_where_it_was_measured(page: BeautifulSoup, workspace: Workspace, results: Results) -> None:
    told = page.find(id="leakage").get_text(" ", strip=True)  # type: ignore[union-attr]
    assert "It remembers planted secrets." in told
    assert cells(page, "leakage-table")["sft"] == [
        "6.87 6.50–7.00", "< 0.001", "0.25 0.10–0.40", "0.50 0.40–0.60", "0.51 0.41–0.61", "17 words “the code is 4711”",
    ]  # fmt: skip
    without = render_page(contents(results.model_copy(update={"leakage": {}}), DraftRows(requests=[])))
    assert "Not measured in this comparison" in without


def test_money_at_the_stated_price(workspace: Workspace, results: Results, tmp_path: Path) -> None:
    rows = load_drafts(workspace.results / "drafts.json")
    priced = BeautifulSoup(render_page(contents(results, rows, prices=Prices(currency="EUR", sampled=2000))), "html.parser")
    tokens = results.writers["sft"].tokens
    assert cells(priced, "cost-table")["sft"][2:] == [
        f"{tokens:,}", f"{tokens / 20:.0f}", f"{tokens * 2000 / 1e6:.2f}", f"{tokens * 2000 / 1e6 / 20 * 1000:,.2f}",
    ]  # fmt: skip
    assert "2000 EUR for a million tokens sampled" in priced.get_text()


def test_measures_that_cannot_be_told_are_dashes(results: Results) -> None:
    unknown = {
        name: one.model_copy(update={"style": Measure(), "win_rate_vs_baseline": Measure()}) for name, one in results.writers.items()
    }
    # As an older file has it: without all that came to the schema later.
    old = (
        "differences",
        "reference",
        "truncated",
        "meta_comments",
        "repeated",
        "misspelt",
        "win_rates",
        "agreements",
        "ranking",
        "leakage",
        "about",
    )
    blind = Results.model_validate(
        {**results.model_dump(exclude=set(old)), "writers": {name: one.model_dump() for name, one in unknown.items()}, "judge": "verifier"}
    )
    page = BeautifulSoup(render_page(contents(blind, DraftRows(requests=[]))), "html.parser")
    assert "too few texts" in page.select_one(".lead").get_text()  # type: ignore[union-attr]
    assert cells(page, "measures-table")["sft"][0] == "–"
    assert page.find(id="ranking-table") is None


def test_same_files_give_the_same_page(workspace: Workspace, results: Results, path: Path) -> None:
    assert build_report(workspace).html.read_bytes() == path.read_bytes()


def test_no_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="idiolect compare"):
        build_report(Workspace(tmp_path))


def test_a_draft_without_end_is_shortened_where_it_fails(workspace: Workspace, results: Results) -> None:
    rows = load_drafts(workspace.results / "drafts.json")
    row = rows.requests[0]
    endless = row.drafts["few_shot"].model_copy(update={"text": "the " * 5000, "facts": 0.0})
    changed = DraftRows(requests=[row.model_copy(update={"drafts": {**row.drafts, "few_shot": endless}})])
    section = next(one for one in contents(results, changed).sections if one.name == "failures")
    assert isinstance(section.blocks[0], Table)
    cards = section.blocks[1]
    assert isinstance(cards, Cards)
    shortened = next(card for card in cards.cards if card.title == "few-shot")
    assert "".join(piece.text for piece in shortened.text).endswith("(19300 characters more)")
    assert not any(isinstance(block, Figures) for block in section.blocks)
