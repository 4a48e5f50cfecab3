"""Matplotlib's SVG made fit for a page or for print, and the colours of both.

Knows SVG as text. Knows nothing of what is drawn.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from markupsafe import Markup, escape

__all__ = ["DARK", "FAINT", "INK", "LIGHT", "SERIES", "draw", "inline", "printed"]

INK, FAINT = "#010101", "#020202"
SERIES = tuple(f"#0300{number:02x}" for number in range(8))
"""Stand-ins that matplotlib takes for colours; no plot has them otherwise."""
LIGHT = {
    "paper": "#fdfcf9", "ink": "#1d1c1a", "soft": "#55524c", "faint": "#6f6b62", "line": "#d9d5cb", "card": "#f6f3ec", "bad": "#a1301b",
    "kept": "#d9ecdf", "invented": "#f9d9d2", "slot": "#f7e5b5", "remark": "#e4dcf7",
    "s0": "#5f6672", "s1": "#14679c", "s2": "#a85508", "s3": "#0b7457", "s4": "#97356f", "s5": "#6247ad", "s6": "#a03526", "s7": "#4c661d",
}  # fmt: skip
DARK = {
    "paper": "#171716", "ink": "#e9e5dc", "soft": "#b8b3a8", "faint": "#9a958a", "line": "#3a3833", "card": "#201f1d", "bad": "#f09a86",
    "kept": "#1f4433", "invented": "#5c2a20", "slot": "#57450f", "remark": "#3d3163",
    "s0": "#a5acb8", "s1": "#72b7ea", "s2": "#e3a05a", "s3": "#58c7a1", "s4": "#e290c0", "s5": "#b3a0f0", "s6": "#ef8d7f", "s7": "#a8c96d",
}  # fmt: skip
_PAPER = "#ffffff"
_WIDTH = 4.6  # inches: 331 points, about a phone's width


def draw(on: Callable[[Any], None], *, height: float, name: str) -> str:
    """A figure of its own, without pyplot and its global state. ``height`` in inches. The same drawing gives the same text."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        # A writer may be named "$x$".
        "text.parse_math": False,
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
    }
    with rc_context(settings), warnings.catch_warnings():
        # The text stays text, so whoever reads the plot needs the font, not matplotlib.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        on(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue().decode()
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace('<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>', "")


def inline(svg: str, *, alt: str, name: str) -> Markup:
    """A part of the page: it takes colours and type from the style sheet, and its ids meet no other plot's."""
    box = re.search(r'viewBox="([^"]*)"', svg)
    head = f'<svg class="plot" role="img" viewBox="{box[1] if box else ""}" aria-labelledby="{name}-alt">'
    title = f'{head}<title id="{name}-alt">{escape(alt)}</title>'
    return Markup(title) + Markup(re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], name), svg[svg.index(">") + 1 :]))


def _tag(tag: str, name: str) -> str:
    """One tag of the plot; the text between tags is nobody's to change."""
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', tag)
    tag = re.sub(r'(href="|url\()#', rf"\1#{name}-", tag).replace("xlink:href", "href")
    tag = re.sub(r'font-family: [^;"]*', "font-family: var(--sans)", tag)
    for stand_in, variable in _variables().items():
        tag = tag.replace(stand_in, "currentColor" if variable == "ink" else f"var(--{variable})")
    return tag


def printed(svg: str) -> str:
    """A picture of its own in the colours of light paper."""

    def tag(found: re.Match[str]) -> str:
        text = re.sub(r'font-family: [^;"]*', "font-family: 'DejaVu Sans'", found[0])
        # Paper around the letters, so that a line behind them does not strike them out; the page's style sheet does the same.
        text = text.replace(
            '<text style="',
            f'<text style="paint-order: stroke; stroke: {_PAPER}; stroke-width: 2.5px; stroke-linejoin: round; fill: {LIGHT["ink"]}; ',
        )
        for stand_in, variable in _variables().items():
            text = text.replace(stand_in, LIGHT[variable])
        return text

    return re.sub(r"<[^>]*>", tag, svg)


def _variables() -> dict[str, str]:
    return {INK: "ink", FAINT: "faint", **{colour: f"s{number}" for number, colour in enumerate(SERIES)}}
