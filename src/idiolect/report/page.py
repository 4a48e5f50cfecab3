"""The report as one self-contained HTML page that fetches nothing and runs no script.

Knows the report as data and the template. Whatever is text there is text on the page: the template escapes all of it.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idiolect.report import svg
from idiolect.report.document import Report
from idiolect.report.marking import LABELS

__all__ = ["render_page"]

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(report: Report) -> str:
    """The page's HTML."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals.update(inline=svg.inline, labels=LABELS)
    return templates.get_template("page.html").render(report=report, light=svg.LIGHT, dark=svg.DARK)
