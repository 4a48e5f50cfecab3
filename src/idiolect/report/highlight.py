"""A draft as HTML with what was found in it marked: facts kept, things invented, slots left open.

Knows texts and what the measures found. Knows nothing of how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

__all__ = ["highlight"]

_LABELS = {"kept": "fact kept", "invented": "invented", "slot": "open slot"}


def highlight(text: str, *, facts: Sequence[str] = (), invented: Sequence[str] = (), slots: Sequence[str] = ()) -> Markup:
    """The text, escaped, with marks that carry their meaning in a title as well as in colour. Earlier kinds win where two overlap."""
    spans: list[tuple[int, int, str]] = []
    for kind, values in (("slot", slots), ("invented", invented), ("kept", facts)):
        for start, end in _places(text, values):
            if all(end <= taken_start or start >= taken_end for taken_start, taken_end, _ in spans):
                spans.append((start, end, kind))
    parts, at = [Markup("")], 0
    for start, end, kind in sorted(spans):
        parts += [
            escape(text[at:start]),
            Markup('<mark class="{}" title="{}">{}</mark>').format(kind, _LABELS[kind], text[start:end]),
        ]
        at = end
    return Markup("").join([*parts, escape(text[at:])])


def _places(text: str, values: Iterable[str]) -> Iterable[tuple[int, int]]:
    """Where the values stand, longest value first; of a name of several words each word counts where the whole is not there."""
    for value in sorted(set(values), key=len, reverse=True):
        found = list(_whole(text, value))
        if not found and " " in value:
            found = [place for word in value.split() if word[:1].isupper() for place in _whole(text, word)]
        yield from found


def _whole(text: str, value: str) -> Iterable[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(part) for part in value.split())
    if not pattern:
        return
    for match in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", text, re.IGNORECASE):
        yield match.span()
