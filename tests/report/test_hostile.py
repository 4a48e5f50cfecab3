"""Texts that would be markup, or that no renderer likes: they come out as text, on the page and in the PDF."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from idiolect.corpus.redaction import RedactionTable
from idiolect.evaluation.results import DraftRows, Results, load_drafts, load_results
from idiolect.report import build_report, contents, render_page, render_pdf
from idiolect.report.files import readable, redacted
from idiolect.workspace import Workspace, write_json, write_json_lines

HOSTILE = [
    "<script>alert(1)</script>",
    "</p></article></main><img src=x onerror=alert(1)>",
    "<!-- <style>*{display:none}</style>",
    '" onclick="alert(1)" title="',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% raw %}{{ report }}",
    "&lt;b&gt; &amp; &#x3c;script&#x3e;",
    '#import "x": * #panic(1) $ x^2 $ @label <label> \\ *bold* `raw` // comment /* c */',
    "]]><svg onload=alert(1)>",
    '$\\frac{a}{b}$ #010101 #0300ff id="x" url(#y)',
    "tab\tnul\x00bell\x07escape\x1b[31m\u202eright to left\u2066",
    "W" * 400,
    "https://example.org/" + "a/" * 200,
    "日本語 العربية עברית 🌻👩‍👩‍👧 é\u0301\u0301",
]
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=40), min_size=1, max_size=4).map(" ".join)
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="session")
def files(workspace: Workspace) -> tuple[Results, DraftRows]:
    return load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json")


def with_text(files: tuple[Results, DraftRows], text: str, name: str = "few_shot") -> tuple[Results, DraftRows]:
    """The result files with the text wherever a person or a model has a say."""
    results, rows = files
    about = {**results.about, "writers": {name: {"system_prompt": text, "adapter": text, "base_model": text}}, "versions": {text: text}}
    leak = next(iter(results.leakage.values())).model_copy(update={"sentence": text, "copied": text})

    def named(by_writer: dict) -> dict:
        return {name if key == "few_shot" else key: value for key, value in by_writer.items()}

    changed = results.model_copy(
        update={
            "author": text,
            "base_model": text,
            "about": about,
            "leakage": {name: leak},
            "writers": named(results.writers),
            "differences": named(results.differences),
            "ranking": [one.model_copy(update={"writer": name}) if one.writer == "few_shot" else one for one in results.ranking],
        }
    )
    drafts = [
        row.model_copy(
            update={
                "request": text,
                "own": text,
                "facts": [text],
                "drafts": {
                    key: draft.model_copy(update={"text": text, "lost": [text], "invented": [text[:9]], "missed": [text]})
                    for key, draft in named(row.drafts).items()
                },
            }
        )
        for row in rows.requests[:2]
    ]
    return readable(changed), readable(DraftRows(requests=drafts))


def tags(markup: str) -> list[str]:
    return [tag.name for tag in BeautifulSoup(markup, "html.parser").find_all(True)]


@FEW
@example(text="\t")
@given(text=TEXTS)
def test_no_text_makes_a_tag_or_an_attribute(files: tuple[Results, DraftRows], text: str) -> None:
    results, rows = with_text(files, text)
    markup = render_page(contents(results, rows))
    # Elsewhere the parser makes one space of a text that is nothing but spaces.
    page = BeautifulSoup(markup, "html.parser", preserve_whitespace_tags={"p"})
    assert not page.find_all(["script", "img", "iframe", "b", "object"], onerror=True)
    assert {tag for tag in tags(markup) if tag in ("script", "img", "iframe", "object", "link", "embed")} == set()
    assert len(page.find_all("style")) == 1
    for tag in page.find_all(True):
        assert not any(name.startswith("on") or name == "autofocus" for name in tag.attrs)
    own = page.select_one("#drafts .draft .text")
    assert own is None or own.get_text() == (rows.requests[0].own or "(nothing)") or not rows.requests[0].own


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 4))
def test_a_hostile_text_is_read_on_the_page_as_it_is(files: tuple[Results, DraftRows], start: int) -> None:
    texts = HOSTILE[start : start + 4]
    results, _ = with_text(files, texts[0])
    rows = DraftRows(requests=[with_text(files, text)[1].requests[0] for text in texts])
    page = BeautifulSoup(render_page(contents(results, rows)), "html.parser")
    assert page.h1.get_text() == f"Writing as {rows.requests[0].own}"  # type: ignore[union-attr]
    for block, row in zip(page.select("#drafts .request"), rows.requests, strict=True):
        assert block.h3.get_text() == row.request  # type: ignore[union-attr]
        assert [draft.select_one(".text").get_text() for draft in block.select(".draft")] == [row.own] * 4  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["$x^2$", '<b id="x">&', "W" * 300, "\N{SUNFLOWER}"])
def test_a_writer_may_have_any_name(files: tuple[Results, DraftRows], name: str) -> None:
    results, rows = with_text(files, "text", name)
    report = contents(results, rows)
    page = BeautifulSoup(render_page(report), "html.parser")
    names = [cell.get_text() for cell in page.select("#measures-table tbody th .writer")]
    assert name in names
    short = name if len(name) <= 18 else name[:17] + "…"
    assert short in [text.get_text() for text in page.find(id="style").svg.find_all("text")]  # type: ignore[union-attr]
    assert render_pdf(report).startswith(b"%PDF")


def test_hostile_texts_are_set_in_the_pdf(files: tuple[Results, DraftRows]) -> None:
    for texts in (HOSTILE[:7], HOSTILE[7:]):
        results, rows = with_text(files, "\n".join(texts))
        read = "".join(page.extract_text() for page in PdfReader(io.BytesIO(render_pdf(contents(results, rows)))).pages)
        flat = "".join(read.replace("\u200b", "").split())
        for text in texts:
            plain = "".join(readable(DraftRows(requests=rows.requests[:1])).requests[0].own.split())
            assert plain
            if text.isascii() and text.isprintable():
                assert "".join(text.split()) in flat


def test_redacted_files_hold_no_private_detail(workspace: Workspace, files: tuple[Results, DraftRows], tmp_path: Path) -> None:
    secrets = ("dana@example.org", "+49 170 1234567", "https://example.org/reset?token=a1b2c3d4e5")
    results, rows = with_text(files, f"Write to {secrets[0]}, call {secrets[1]} or see {secrets[2]}")
    place = Workspace(tmp_path)
    results = results.model_copy(update={"about": {**results.about, "writers": {"sft": {"adapter": "tinker://x"}}}})
    results.save(place.results / "compare.json")
    rows.save(place.results / "drafts.json")
    run = place.runs / "sft-20260314-101500"
    write_json(run / "writer.json", {"name": "sft", "adapter": "tinker://x"})
    shown = {"examples": [["Ask her", "Reach me at ada@example.org"]]}
    write_json(run / "config.json", {"prompt": "End with +49 170 7654321", "first": shown})
    write_json_lines(run / "metrics.jsonl", [{"step": 0, "train_mean_nll": 1.0}, {"step": 1, "train_mean_nll": 0.5}])
    secrets = (*secrets, "ada@example.org", "+49 170 7654321")
    plain, shared = build_report(place), build_report(place, redact=True)
    assert [path.name for path in shared] == ["report-redacted.html", "report-redacted.pdf"]
    read = {path: path.read_text(encoding="utf-8") for path in (plain.html, shared.html)}
    printed = "".join(page.extract_text() for page in PdfReader(shared.pdf).pages)
    for secret in secrets:
        assert secret in BeautifulSoup(read[plain.html], "html.parser").get_text()
        assert secret not in BeautifulSoup(read[shared.html], "html.parser").get_text()
        assert secret not in read[shared.html]
        assert secret not in printed
    assert "<email-1>" in BeautifulSoup(read[shared.html], "html.parser").get_text()
    again = redacted(rows, RedactionTable())
    assert again.requests[0].drafts["sft"].missed == again.requests[0].drafts["sft"].lost
