"""``results/report.html`` and ``results/report.pdf`` from a workspace's result files.

Knows where the files lie, and what of a text may not go into them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from idiolect.corpus import redaction
from idiolect.corpus.redaction import RedactionTable
from idiolect.evaluation.results import DraftRows, Results, load_drafts, load_results
from idiolect.report.contents import contents
from idiolect.report.curves import trainings_of
from idiolect.report.markdown import render_markdown
from idiolect.report.page import render_page
from idiolect.report.pdf import render_pdf
from idiolect.report.writeup import writeup
from idiolect.settings import Prices, Settings
from idiolect.workspace import Workspace, write_atomic

__all__ = ["ReportFiles", "WriteupFiles", "build_report", "build_writeup", "readable", "redacted"]

# What neither XML nor a reader takes, and what turns the direction of the text around it.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_File = TypeVar("_File", Results, DraftRows)


class ReportFiles(NamedTuple):
    """Where the report lies."""

    html: Path
    pdf: Path


def build_report(workspace: Workspace, *, prices: Prices | None = None, redact: bool = False) -> ReportFiles:
    """Write the report as HTML and PDF. With ``redact`` it is ``report-redacted``, without private details, to be given to others.

    Raises ``InputError`` where there are no results.
    """
    results = readable(load_results(workspace.results / "compare.json"))
    rows = readable(load_drafts(workspace.results / "drafts.json"))
    trainings = trainings_of(workspace, results.about.get("writers", {}))
    if redact:
        table = RedactionTable()
        results, rows = redacted(results, table), redacted(rows, table)
        # A config may hold a prompt or examples of the person's.
        trainings = [replace(one, config=_walked(one.config, lambda text: redaction.redact(text, table))) for one in trainings]
    report = contents(results, rows, trainings, prices)
    stem = "report-redacted" if redact else "report"
    files = ReportFiles(workspace.results / f"{stem}.html", workspace.results / f"{stem}.pdf")
    write_atomic(files.html, render_page(report))
    write_atomic(files.pdf, render_pdf(report))
    return files


class WriteupFiles(NamedTuple):
    """Where the writeup lies."""

    markdown: Path
    pdf: Path


def build_writeup(workspace: Workspace, settings: Settings) -> WriteupFiles:
    """Write ``results/writeup.md`` and ``.pdf`` from the saved runs; the same runs give the same bytes.

    Raises ``InputError`` where there are no results.
    """
    report = writeup(workspace, settings, readable(load_results(workspace.results / "compare.json")))
    files = WriteupFiles(workspace.results / "writeup.md", workspace.results / "writeup.pdf")
    write_atomic(files.markdown, render_markdown(report))
    write_atomic(files.pdf, render_pdf(report))
    return files


def readable(value: _File) -> _File:
    """The same with a mark for every character that cannot be shown."""
    return _mapped(value, lambda text: _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n")))


def redacted(value: _File, table: RedactionTable) -> _File:
    """The same without addresses, numbers and links that carry secrets, in every text of it. Names of people stay."""
    return _mapped(value, lambda text: redaction.redact(text, table))


def _mapped(value: _File, change: Callable[[str], str]) -> _File:
    return type(value).model_validate(_walked(value.model_dump(mode="json"), change))


def _walked(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every text in it changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key) if isinstance(key, str) else key: _walked(item, change) for key, item in value.items()}
    return [_walked(item, change) for item in value] if isinstance(value, list) else value
