"""A streaming mbox reader. Knows where one message ends and the next begins, nothing of what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

__all__ = ["LARGEST", "read_mbox"]

LARGEST = 16 * 2**20
"""Bytes kept of one message. What is beyond is attachments, which nobody here reads."""

_PIECE = 64 * 1024
_DATED = re.compile(
    rb"^From \S.{0,300}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:\d\d? +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    rb".{0,30}\d\d:\d\d.{0,30}\s*$"
)
_HEADER = re.compile(rb"^[A-Za-z][!-9;-~]{0,100}:")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


def read_mbox(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each message's byte offset and its bytes without the ``From `` line, one at a time.

    A ``From `` line begins a message if it carries a date, or if it follows an empty line and a header follows it,
    so that an unescaped "From here on ..." in a text does not. ``>From `` is unescaped (mboxrd, mboxo). Of a message
    only the first ``LARGEST`` bytes are kept. Memory is bounded by one message, however long a line is.
    """
    start, body, offset = 0, bytearray(), 0
    whole, blank = True, True
    pending: tuple[int, bytes] | None = None
    begun = False
    while piece := stream.readline(_PIECE):
        fresh, whole = whole, piece.endswith(b"\n")
        if offset == 0:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        begins: tuple[int, bytes] | None = None
        if pending is not None:
            if _HEADER.match(piece) or not begun:
                begins = (pending[0], b"")
            else:
                body += pending[1]
            pending = None
        if begins is None and fresh and piece.startswith(b"From "):
            if _DATED.match(piece):
                begins = (offset, b"")
                piece_kept = b""
            elif blank:
                pending, piece_kept = (offset, piece), b""
            else:
                piece_kept = piece
        else:
            piece_kept = piece
        if begins is not None:
            if begun or body.strip():
                yield start, _unescaped(body)
            start, body, begun = begins[0], bytearray(), True
        if len(body) < LARGEST:
            body += piece_kept
        blank = fresh and not piece.strip()
        offset += len(piece)
    if pending is not None:
        body += pending[1]
    if begun or body.strip():
        yield start, _unescaped(body)


def _unescaped(body: bytearray) -> bytes:
    data = bytes(body)
    return _ESCAPED.sub(rb"\1", data) if b">From " in data else data
