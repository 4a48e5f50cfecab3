"""Where each writer fails: how many drafts have which fault, and the worst of them with the reasons.

Knows the drafts' rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from idiolect.evaluation.results import DraftRow, RequestRow
from idiolect.report.document import Card, Cell, Piece, Table
from idiolect.report.marking import marked
from idiolect.report.tables import shown

__all__ = ["failures_table", "marked_draft", "worst"]

_WORST_A_WRITER = 2
_COPIED_MUCH = 0.75
_MISSED_SHOWN = 3
_MOST_SHOWN = 700
_UNLIKE = 0.5
_FAULTS: dict[str, Callable[[DraftRow], bool]] = {
    "loses facts": lambda row: bool(row.lost),
    "invents": lambda row: bool(row.invented),
    "open slots": lambda row: bool(row.placeholders),
    "remarks": lambda row: bool(row.meta_comments),
    "says twice": lambda row: bool(row.repeated),
    "misspells": lambda row: bool(row.misspelt),
    "cut off": lambda row: row.truncated,
    "empty": lambda row: not row.text.strip(),
    "recites": lambda row: row.verbatim_overlap > _COPIED_MUCH,
    "misses traits": lambda row: bool(row.missed) if row.missed or row.style is None else row.style < _UNLIKE,
}


def failures_table(rows: Sequence[RequestRow], order: Sequence[str]) -> Table:
    """Drafts with each fault, and which traits are missed most."""
    found = []
    for name in order:
        drafts = [row.drafts[name] for row in rows if name in row.drafts]
        counts = [sum(has(draft) for draft in drafts) for has in _FAULTS.values()]
        missed = Counter(trait for draft in drafts for trait in draft.missed).most_common(_MISSED_SHOWN)
        cells = [Cell(str(count), share=count / len(drafts) if count else None) for count in counts]
        told = ", ".join(f"{shown(trait)} {count}" for trait, count in missed)
        found.append((Cell(shown(name), writer=True), Cell(str(len(drafts))), *cells, Cell(told or "–", words=True)))
    simulated = any(draft.missed for row in rows for draft in row.drafts.values())
    return Table(
        "failures-table",
        "Drafts with each fault",
        ("writer", "drafts", *_FAULTS, "missed most"),
        tuple(found),
        caption="Number of drafts with the fault; the more, the darker. Recites: one run copied from the texts to learn from makes up more "
        + f"than {_COPIED_MUCH:.0%} of the draft."
        + ("" if simulated else f" Misses traits: reads less than {_UNLIKE} like the person."),
    )


def worst(rows: Sequence[RequestRow], name: str) -> list[Card]:
    """The drafts of a writer with most against them; none where nothing is."""
    having = sorted((row for row in rows if name in row.drafts), key=lambda row: -_badness(row.drafts[name]))
    return [
        Card(shown(name), _shortened(marked_draft(row, row.drafts[name])), writer=True, asked=row.request, reasons=tuple(reasons))
        for row in having[:_WORST_A_WRITER]
        if (reasons := _reasons(row.drafts[name]))
    ]


def _shortened(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The beginning of a draft that does not end; its end says no more."""
    kept, room = [], _MOST_SHOWN
    for piece in pieces:
        if len(piece.text) > room:
            left = sum(len(one.text) for one in pieces) - _MOST_SHOWN
            return (*kept, Piece(piece.text[:room], piece.marks), Piece(f"… ({left} characters more)"))
        kept.append(piece)
        room -= len(piece.text)
    return pieces


def marked_draft(row: RequestRow, draft: DraftRow, *, own: str = "") -> tuple[Piece, ...]:
    return marked(draft.text, facts=row.facts, invented=draft.invented, slots=draft.placeholders, remarks=draft.meta_comments, own=own)


def _badness(draft: DraftRow) -> float:
    lost = 1 - draft.facts if draft.facts is not None else 0.0
    broken = sum(
        map(
            bool,
            (
                draft.invented,
                draft.placeholders,
                draft.meta_comments,
                draft.repeated,
                draft.misspelt,
                draft.truncated,
                not draft.text.strip(),
            ),
        )
    )
    return 2 * lost + 2 * broken + (1 - draft.style if draft.style is not None else 0.0) + (draft.verbatim_overlap > _COPIED_MUCH)


def _reasons(draft: DraftRow) -> list[str]:
    reasons = []
    if not draft.text.strip():
        reasons.append("is empty")
    for values, what in (
        (draft.lost, "loses {}"),
        (draft.invented, "invents {}"),
        (draft.placeholders, "leaves {} open"),
        (draft.meta_comments, "remarks on itself: {}"),
        (draft.repeated, "says more than once: {}"),
        (draft.misspelt, "misspells {}"),
    ):
        if values:
            reasons.append(what.format(", ".join(values)))
    if draft.truncated:
        reasons.append("is cut off")
    if draft.verbatim_overlap > _COPIED_MUCH:
        reasons.append(f"copies {draft.verbatim_overlap:.0%} of itself in one run")
    if draft.missed:
        traits = "the trait" if len(draft.missed) == 1 else f"{len(draft.missed)} traits:"
        reasons.append(f"lacks {traits} {', '.join(map(shown, draft.missed))}")
    elif draft.style is not None and draft.style < _UNLIKE:
        reasons.append(f"does not read like the person ({draft.style:.2f})")
    return reasons
