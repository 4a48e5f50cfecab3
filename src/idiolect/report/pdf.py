"""The report as a PDF, set by Typst.

Knows the report as data and the template. The template gets the report as JSON, so no text of it is ever read as markup.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idiolect.errors import InputError
from idiolect.report import svg
from idiolect.report.document import Block, Figure, Figures, Report
from idiolect.report.marking import LABELS

__all__ = ["render_pdf"]

_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
_FIRST_EMOJI = 0x1F000
_JOINERS = "\ufe0f\u200d"


def render_pdf(report: Report) -> bytes:
    """The PDF (tagged, PDF/UA-1). The same report gives the same bytes where the same fonts are.

    Raises ``InputError`` where Typst cannot set it.
    """
    # Imported here because a run that makes no report has no use for them.
    import matplotlib
    import typst

    fonts = typst.Fonts(font_paths=[Path(matplotlib.get_data_path()) / "fonts" / "ttf"])
    value = {"report": _plain(report), "light": svg.LIGHT, "labels": LABELS}
    if not any("emoji" in family.lower() for family in fonts.families()):
        value = _named_emoji(value)
    try:
        found = typst.Compiler(_TEMPLATE, font_paths=fonts, sys_inputs={"report": json.dumps(value)}).compile(
            format="pdf", pdf_standards="ua-1", timestamp=_day(report.date)
        )
    except typst.TypstError as error:
        raise InputError(
            f"could not be set: {error.message}", where="results/report.pdf", hint="The page report.html is complete"
        ) from error
    assert isinstance(found, bytes)
    return found


def _plain(report: Report) -> dict[str, Any]:
    sections = [{**asdict(section), "blocks": [_block(block) for block in section.blocks]} for section in report.sections]
    return {**asdict(report), "sections": sections}


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Figures):
        return {"kind": block.kind, "figures": [_figure(figure) for figure in block.figures]}
    return {"kind": block.kind, **asdict(block)}


def _figure(figure: Figure) -> dict[str, Any]:
    return {**asdict(figure), "svg": svg.printed(figure.svg)}


def _named_emoji(value: Any) -> Any:
    """Where no font has them, emoji by their names: a box says less than "‹sunflower›"."""
    if isinstance(value, str):
        return "".join(map(_name, value))
    if isinstance(value, dict):
        return {key: _named_emoji(item) for key, item in value.items()}
    return [_named_emoji(item) for item in value] if isinstance(value, list | tuple) else value


def _name(character: str) -> str:
    if ord(character) < _FIRST_EMOJI or unicodedata.category(character) not in ("So", "Sk", "Cn"):
        return "" if character in _JOINERS else character
    return f"‹{unicodedata.name(character, f'U+{ord(character):X}').lower()}›"


def _day(date: str) -> datetime | None:
    """When the comparison was made, so that the file does not differ from run to run."""
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, tz=UTC)
