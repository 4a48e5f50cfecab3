"""The report as a PDF, set by Typst.

Knows the report as data and the template. The template gets the report as JSON, so no text of it is ever read as markup.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idiolect.errors import InputError
from idiolect.report import svg
from idiolect.report.document import Block, Figure, Figures, Report
from idiolect.report.marking import LABELS

__all__ = ["render_pdf", "render_png"]

_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
_PICTURE = '#set page(width: auto, height: auto, margin: 4pt)\n#image(bytes(sys.inputs.plot), format: "svg")'
_PIXELS_AN_INCH = 130
_FIRST_EMOJI = 0x1F000
_JOINERS = "\ufe0f\u200d"


def render_pdf(report: Report) -> bytes:
    """The PDF (tagged, PDF/UA-1). The same report gives the same bytes where the same fonts are.

    Raises ``InputError`` where Typst cannot set it.
    """
    # Imported here because a run that makes no report has no use for them.
    import typst
    from matplotlib.ft2font import FT2Font

    fonts = typst.Fonts(font_paths=[shipped := _shipped_fonts()])
    value = {"report": _plain(report), "light": svg.LIGHT, "labels": LABELS}
    if not any("emoji" in family.lower() for family in fonts.families()):
        value = _named(value, _is_emoji)

    def compiled(value: Any) -> bytes:
        inputs = {"report": json.dumps(value)}
        found = typst.Compiler(_TEMPLATE, font_paths=fonts, sys_inputs=inputs).compile(
            format="pdf", pdf_standards="ua-1", timestamp=_day(report.date)
        )
        assert isinstance(found, bytes)
        return found

    try:
        try:
            return compiled(value)
        except typst.TypstError as error:
            if "could not be displayed" not in error.message:
                raise
            # The standard wants a glyph for every character; the font that comes with matplotlib is there on every machine.
            known = FT2Font(str(shipped / "DejaVuSans.ttf")).get_charmap()
            return compiled(_named(value, lambda character: character.isprintable() and ord(character) not in known))
    except typst.TypstError as error:
        raise InputError(
            f"could not be set: {error.message}", where="results/report.pdf", hint="The page report.html is complete"
        ) from error


def render_png(plot: str) -> bytes:
    """A plot on light paper as PNG, for viewers that show no SVG, as notebooks do that nobody has trusted yet."""
    import typst

    fonts = typst.Fonts(font_paths=[_shipped_fonts()])
    compiler = typst.Compiler(_PICTURE.encode(), font_paths=fonts, sys_inputs={"plot": svg.printed(plot)})
    found = compiler.compile(format="png", ppi=_PIXELS_AN_INCH)
    assert isinstance(found, bytes)
    return found


def _shipped_fonts() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _plain(report: Report) -> dict[str, Any]:
    sections = [{**asdict(section), "blocks": [_block(block) for block in section.blocks]} for section in report.sections]
    return {**asdict(report), "sections": sections}


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Figures):
        return {"kind": block.kind, "figures": [_figure(figure) for figure in block.figures]}
    return {"kind": block.kind, **asdict(block)}


def _figure(figure: Figure) -> dict[str, Any]:
    return {**asdict(figure), "svg": svg.printed(figure.svg)}


def _named(value: Any, missing: Callable[[str], bool]) -> Any:
    """Characters that no font has by their names: a box says less than "‹sunflower›"."""
    if isinstance(value, str):
        return "".join(_name(character) if missing(character) else character for character in value if character not in _JOINERS)
    if isinstance(value, dict):
        return {key: _named(item, missing) for key, item in value.items()}
    return [_named(item, missing) for item in value] if isinstance(value, list | tuple) else value


def _is_emoji(character: str) -> bool:
    return ord(character) >= _FIRST_EMOJI and unicodedata.category(character) in ("So", "Sk", "Cn")


def _name(character: str) -> str:
    return f"‹{unicodedata.name(character, f'U+{ord(character):X}').lower()}›"


def _day(date: str) -> datetime | None:
    """When the comparison was made, so that the file does not differ from run to run."""
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, tz=UTC)
