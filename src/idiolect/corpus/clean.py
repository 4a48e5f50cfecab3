"""One mail's text to what its sender wrote in it: the order of the cuts, and hard line breaks taken back."""

from __future__ import annotations

import re
from itertools import pairwise

from idiolect.corpus.quotes import strip_quotes
from idiolect.corpus.signatures import strip_tail

__all__ = ["clean_body"]

_LONGEST = 200_000
_LISTED = re.compile(r"^\s*(?:[-*•·+>|#]|\d{1,3}[.)]|[a-z]\))\s|^\s{2,}|^\s*\S.*\s{3,}\S", re.IGNORECASE)


def clean_body(text: str, sender: str = "") -> str:
    """The person's own words in a mail's text: no quotations, forwards, signature, contact block, disclaimer or footer.

    The sign-off, the name below it and PS lines stay, since they are style.
    """
    text = text[:_LONGEST]
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    text = re.sub(r"\[(?:cid|image):[^\]\n]*\]|\ufffc", "", text)
    return _unwrapped(strip_tail(strip_quotes(text), sender))


def _unwrapped(text: str) -> str:
    """Join lines that a mail program broke at a fixed width (at most 80 characters), and only those.

    A break is the program's if the next word would not have fitted.
    """
    lines = text.split("\n")
    width = max(map(len, lines))
    if not 60 <= width <= 80:
        return text
    joined = [lines[0]]
    for before, line in pairwise(lines):
        word = line.split(" ", 1)[0]
        full = len(before) + 1 + len(word) > width and len(before) >= 50
        if full and line.strip() and not _LISTED.match(line) and before.strip():
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return "\n".join(joined)
