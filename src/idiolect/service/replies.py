"""Requests for replies: the request, and the e-mail that is answered as quoted text.

What others wrote is data. It stands behind the request with a mark before every line, so that nothing in it can look like the
request or the quote's end, and without the marks that models read as turns of a conversation. Knows texts only.
"""

from __future__ import annotations

import re
import unicodedata

from idiolect.prompts import render

__all__ = ["reply_request", "request_and_quote", "without_marks"]

_MARKS = re.compile(r"<\|[^|<>\n]{0,80}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|</?think>", re.IGNORECASE)
"""Turn marks of the common chat formats; the tokenizer would read them as such wherever they stand."""
MOST_CHARACTERS = 4000
"""Of the quoted e-mail; what is older stands further down and is cut off."""


def reply_request(request: str, quoted: str) -> str:
    """What a writer is asked to answer ``quoted``; an empty quote leaves the request as it is."""
    lines = [line.rstrip() for line in without_marks(quoted)[:MOST_CHARACTERS].strip().splitlines()]
    return render("reply", request=request.strip(), lines=lines) if lines else request.strip()


def request_and_quote(asked: str) -> tuple[str, str]:
    """What ``reply_request`` was made of, to be shown; any other text is a request without a quote."""
    between = reply_request("?", "x")[1 : -len("> x")]
    request, met, lines = asked.partition(between)
    return request, "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines.split("\n")) if met else ""


def without_marks(text: str) -> str:
    """The text without marks of turns and without characters that nobody sees.

    A mark leaves a dot in its place: joined, what stood around it could make a new one.
    """
    # Format characters hide words from people (zero width, tags) or their order (bidi); joiners within emoji are harmless to lose.
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _MARKS.sub("·", seen)
