"""What a report is made of: sections of paragraphs, tables, figures and drafts, as plain data.

Knows nothing of results, HTML or PDF. ``contents`` makes a report, ``page`` and ``pdf`` draw it; so both say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

__all__ = ["Block", "Card", "Cards", "Cell", "Figure", "Figures", "Listing", "Piece", "Points", "Report", "Section", "Table"]


@dataclass(frozen=True)
class Cell:
    """One field of a table."""

    text: str
    below: str = ""
    """A second, smaller line: the interval of a mean."""
    writer: bool = False
    """The text names a writer, and is shown in its colour."""
    words: bool = False
    """Running text, which may break anywhere."""
    share: float | None = None
    """How much of a bad thing it is, 0 to 1: the more, the darker."""
    sure: bool = False
    """A difference that is more than chance."""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first of each row is its heading."""

    kind: ClassVar[str] = "table"
    name: str
    label: str
    """What it is, for those who do not see it."""
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    folded: str = ""
    """The line that opens it, where it is not open from the start."""
    last_apart: bool = False
    """The last row is the mark that the others are held to."""


@dataclass(frozen=True)
class Figure:
    """A plot with what it shows in words and in numbers."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    """Drawn with stand-in colours, which ``svg.inline`` and ``svg.printed`` replace."""
    table: Table


@dataclass(frozen=True)
class Figures:
    """Plots side by side."""

    kind: ClassVar[str] = "figures"
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Piece:
    """A stretch of text and its marks: kept, invented, slot, remark; other; gone, new."""

    text: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A text with what is to be said about it."""

    title: str
    text: tuple[Piece, ...]
    writer: bool = False
    asked: str = ""
    score: str = ""
    reasons: tuple[str, ...] = ()
    changes: tuple[Piece, ...] = ()
    """The same text against the person's own, word by word."""


@dataclass(frozen=True)
class Cards:
    """Texts side by side."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]
    request: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Points:
    """Lines about writers."""

    kind: ClassVar[str] = "points"
    points: tuple[tuple[str, str], ...]
    """Writer and what is said of it."""
    warning: bool = False


@dataclass(frozen=True)
class Listing:
    """A longer text as it is: a prompt, a config."""

    kind: ClassVar[str] = "listing"
    title: str
    text: str


Block = Table | Figures | Cards | Points | Listing


@dataclass(frozen=True)
class Section:
    """A headed part of the report."""

    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    wide: bool = False
    legend: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of it."""

    title: str
    author: str
    line: str
    """Date, size and model in one line."""
    finding: str
    sections: tuple[Section, ...]
    colours: dict[str, int] = field(default_factory=dict)
    """Which of the series' colours each writer has, by its shown name."""
    date: str = ""
    kind: str = "comparison"
