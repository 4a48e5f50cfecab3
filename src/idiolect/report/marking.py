"""A draft as pieces: facts kept, things invented, slots left open, remarks; and where it differs from the person's own text.

Knows texts and what the measures found. Knows nothing of how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from idiolect.report.document import Piece

__all__ = ["LABELS", "changes", "marked"]

LABELS = {
    "kept": "fact kept",
    "invented": "invented",
    "slot": "open slot",
    "remark": "remark about the draft",
    "other": "not in the person's own text",
    "gone": "only in the person's own text",
    "new": "only in the draft",
}
"""What each mark means, in words."""
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")

Span = tuple[int, int, str]


def marked(
    text: str,
    *,
    facts: Sequence[str] = (),
    invented: Sequence[str] = (),
    slots: Sequence[str] = (),
    remarks: Sequence[str] = (),
    own: str = "",
) -> tuple[Piece, ...]:
    """The text in pieces with their marks. Of the first four kinds the earlier found wins where two overlap; "other" lies over all."""
    spans: list[Span] = []
    for kind, values in (("slot", slots), ("remark", remarks), ("invented", invented), ("kept", facts)):
        for start, end in _places(text, values):
            if all(end <= taken_start or start >= taken_end for taken_start, taken_end, _ in spans):
                spans.append((start, end, kind))
    return _cut(text, [*spans, *_unlike(text, own)] if own else spans)


def changes(text: str, own: str) -> tuple[Piece, ...]:
    """Own text and draft in one, word by word: what only the one has is "gone", what only the other has "new"."""
    ours, theirs = _Words(own), _Words(text)
    pieces: list[Piece] = []
    for what, a, b, c, d in ours.against(theirs):
        if what == "equal":
            pieces.append(Piece(theirs.stretch(c, d)))
        else:
            pieces += [Piece(part, (mark,)) for part, mark in ((ours.stretch(a, b), "gone"), (theirs.stretch(c, d), "new")) if part]
    return tuple(pieces)


class _Words:
    """Words and marks of a text with the places where they stand; the space between them does not count as a difference."""

    def __init__(self, text: str) -> None:
        self._text = text
        found = list(_WORD.finditer(text))
        self.words = [match[0] for match in found]
        self.spans = [match.span() for match in found]

    def against(self, other: _Words) -> Sequence[tuple[str, int, int, int, int]]:
        return SequenceMatcher(None, self.words, other.words, autojunk=False).get_opcodes()

    def stretch(self, first: int, last: int) -> str:
        """The words with the space after them; the first of all with the space before it."""
        if first == last:
            return ""
        start = self.spans[first][0] if first else 0
        return self._text[start : self.spans[last][0] if last < len(self.spans) else len(self._text)]


def _unlike(text: str, own: str) -> Iterator[Span]:
    theirs = _Words(text)
    for what, _, _, first, last in _Words(own).against(theirs):
        if what != "equal" and first < last:
            yield theirs.spans[first][0], theirs.spans[last - 1][1], "other"


def _cut(text: str, spans: Sequence[Span]) -> tuple[Piece, ...]:
    edges = sorted({0, len(text), *(edge for start, end, _ in spans for edge in (start, end))})
    return tuple(
        Piece(text[start:end], tuple(kind for first, last, kind in spans if first <= start and end <= last))
        for start, end in pairwise(edges)
    )


def _places(text: str, values: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where the values stand, longest value first; of a name of several words each word counts where the whole is not there."""
    for value in sorted(set(values), key=len, reverse=True):
        found = list(_whole(text, value))
        if not found and " " in value:
            found = [place for word in value.split() if word[:1].isupper() for place in _whole(text, word)]
        yield from found


def _whole(text: str, value: str) -> Iterator[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(part) for part in value.split())
    if not pattern:
        return
    for match in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", text, re.IGNORECASE):
        yield match.span()
