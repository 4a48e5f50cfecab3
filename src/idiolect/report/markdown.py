"""A report as Markdown.

Knows the report as data, like ``page`` and ``pdf``. Plots stay out: their tables stand in for them.
"""

from __future__ import annotations

import re

from idiolect.report.document import Block, Card, Cards, Cell, Figures, Listing, Piece, Points, Report, Section, Table

__all__ = ["render_markdown"]

_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def render_markdown(report: Report) -> str:
    """The whole text. The same report gives the same bytes."""
    head = [f"# {_plain(report.title)}", _plain(report.line), _plain(report.finding)]
    return "\n\n".join(part for part in (*head, *(_section(one) for one in report.sections)) if part) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {_plain(section.title)}", *map(_plain, section.paragraphs), *map(_block, section.blocks), *map(_plain, section.notes)]
    return "\n\n".join(part for part in parts if part)


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block)
        case Figures():
            return "\n\n".join(f"**{_plain(one.title)}** {_plain(one.caption)}\n\n{_table(one.table)}" for one in block.figures)
        case Cards():
            return "\n\n".join([*([f"### {_pieces(block.request)}"] if block.request else []), *map(_card, block.cards)])
        case Points():
            return "\n".join(f"- **{_plain(name)}** {_plain(told)}" for name, told in block.points)
        case Listing():
            return f"### {_plain(block.title)}\n\n{_fenced(block.text)}"


def _table(table: Table) -> str:
    lines = [_row([_plain(cell) for cell in table.head]), _row(["---"] * len(table.head))]
    lines += [_row([_cell(cell) for cell in row]) for row in table.rows]
    return "\n".join(lines) + (f"\n\n{_plain(table.caption)}" if table.caption else "")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _plain(cell.text)
    text = f"**{text}**" if cell.sure else text
    return f"{text} ({_plain(cell.below)})" if cell.below else text


def _card(card: Card) -> str:
    reasons = f"\n\n{_plain('; '.join(card.reasons))}" if card.reasons else ""
    return f"**{_plain(card.title)}** {_plain(card.score)}{reasons}\n\n{_fenced(''.join(piece.text for piece in card.text))}"


def _pieces(pieces: tuple[Piece, ...]) -> str:
    return _plain("".join(piece.text for piece in pieces))


def _plain(text: str) -> str:
    """The text with what Markdown would read as markup taken literally; links stay links."""
    words = re.split(r"(https?://\S+)", " ".join(text.split()))
    return "".join(word if number % 2 else _MARKUP.sub(r"\\\1", word) for number, word in enumerate(words))


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.strip()}\n{fence}"
