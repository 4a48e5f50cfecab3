"""HTML mail to plain text. Knows tags; quoting is left as ``> `` lines for ``quotes``."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

__all__ = ["html_to_text"]

_LARGEST = 1_000_000
_LINE, _PARAGRAPH, _OPEN, _CLOSE, _EDGE = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_MARKERS = frozenset((_LINE, _PARAGRAPH, _OPEN, _CLOSE, _EDGE))
_BLOCKS = ("div", "tr", "table", "ul", "ol", "li", "section", "article", "header", "footer", "center", "address", "dl", "dt", "dd", "pre")
_PARAGRAPHS = ("p", "h1", "h2", "h3", "h4", "h5", "h6")
_DROPPED = ("head", "style", "script", "title", "noscript", "template", "object")
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_SIGNATURE = "gmail_signature"
_ORIGINAL = ("divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container")
"""Ids with which Outlook marks where the message answered begins."""


def html_to_text(html: str) -> str:
    """Lines of text: paragraphs parted by empty lines, ``- `` items, quotations as ``> `` lines, an ``-- `` before a marked signature."""
    try:
        # the leading tag keeps BeautifulSoup from taking short texts for file names
        soup = BeautifulSoup("<html>" + html[:_LARGEST], "html.parser")
    except (ParserRejectedMarkup, AssertionError, RecursionError):
        return re.sub(r"<[^<>]*>", " ", html[:_LARGEST])
    for tag in soup(_DROPPED):
        tag.extract()
    for tag in soup(style=_HIDDEN):
        tag.extract()
    for tag in soup("div", class_="gmail_attr"):
        tag.extract()
    for tag in soup(class_=_SIGNATURE):
        tag.insert_before(_LINE + "-- " + _LINE)
    for tag in soup(id=_ORIGINAL):
        tag.insert_before(f"{_LINE}-----Original Message-----{_LINE}")
    for tag in soup("pre"):
        for text in tag.find_all(string=True):
            text.replace_with(re.sub(r"\r\n?|\n", _LINE, text))
    for tag in soup("br"):
        tag.replace_with(_LINE)
    for tag in soup("hr"):
        tag.replace_with(f"{_LINE}{'_' * 32}{_LINE}")
    for tag in soup(_BLOCKS):
        tag.insert_before(_EDGE)
        tag.insert(0, "- " if tag.name == "li" else "")
        tag.append(_EDGE)
    for tag in soup("td"):
        tag.append(" ")
    for tag in soup(_PARAGRAPHS):
        tag.insert_before(_EDGE)
        tag.append(_PARAGRAPH)
    for tag in soup("blockquote"):
        tag.insert(0, _OPEN)
        tag.append(_CLOSE)
    return _layout(soup.get_text())


def _layout(marked: str) -> str:
    """Turn the markers into lines; white space between them means one space, as in a browser."""
    lines: list[str] = []
    depth, current = 0, ""
    for token in re.split(f"([{_LINE}{_PARAGRAPH}{_OPEN}{_CLOSE}{_EDGE}])", re.sub(r"\s+", " ", marked)):
        if not token or token not in _MARKERS:
            current += token
            continue
        text, current = current.strip(), ""
        if text:
            lines.append("> " * depth + ("-- " if text == "--" else text))
        if (token == _PARAGRAPH or (token == _LINE and not text)) and lines and lines[-1]:
            lines.append("")
        depth = max(0, depth + (token == _OPEN) - (token == _CLOSE))
    if current.strip():
        lines.append("> " * depth + current.strip())
    return "\n".join(lines).strip("\n")
