"""A file of drafts written elsewhere, by a person or by another tool, as a writer among the others.

Knows rows of requests and drafts. Knows nothing of models or measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idiolect.corpus.records import read_rows
from idiolect.errors import InputError
from idiolect.service import Draft

__all__ = ["GivenDrafts", "read_drafts"]

_FIELDS = {"request": ("request", "input"), "draft": ("draft", "output")}
_SHAPE = 'Each row needs the fields "request" and "draft"'
_KINDS = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}


@dataclass(frozen=True)
class GivenDrafts:
    """Drafts by request, as a file gives them."""

    name: str
    file: str
    texts: dict[str, str]
    """Request, its white space made single, → draft."""

    def drafts(self, requests: Sequence[str]) -> list[Draft | None]:
        """The draft of every request, in the requests' order; None where the file has none."""
        found = [self.texts.get(_plain(request)) for request in requests]
        return [
            None if text is None else Draft(request, text, tokens=0, seconds=0.0, finished=True)
            for request, text in zip(requests, found, strict=True)
        ]

    def counts(self, requests: Sequence[str]) -> tuple[int, int]:
        """How many requests have no draft, and how many drafts belong to no request."""
        wanted = Counter(map(_plain, requests))
        return sum(count for request, count in wanted.items() if request not in self.texts), len(self.texts.keys() - wanted.keys())


def read_drafts(path: Path, name: str) -> GivenDrafts:
    """Read JSON Lines, a JSON list or CSV with ``request`` and ``draft`` (or ``input`` and ``output``) in each row.

    An empty draft counts as not written. Raises ``InputError`` with the file, the line and the field.
    """
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError("is no file of drafts", where=str(path), hint=f"Name a {', '.join(_KINDS)} file. {_SHAPE}")
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, row in read_rows(path, kind):
        request, draft = (_field(row, field, f"{path}, line {line}") for field in _FIELDS)
        request = _plain(request)
        if not draft.strip():
            continue
        if texts.get(request, draft.strip()) != draft.strip():
            raise InputError(
                f"gives another draft for the request of line {lines[request]}", where=f"{path}, line {line}", hint="Delete one of the two"
            )
        texts[request] = draft.strip()
        lines.setdefault(request, line)
    if not texts:
        raise InputError("holds no drafts", where=str(path), hint=_SHAPE)
    return GivenDrafts(name, path.name, texts)


def _field(row: object, field: str, where: str) -> str:
    if not isinstance(row, dict):
        raise InputError("is not a row with fields", where=where, hint=_SHAPE)
    name = next((one for one in _FIELDS[field] if one in row), None)
    if name is None:
        raise InputError("is missing", where=f'{where}, field "{field}"', hint=_SHAPE)
    if not isinstance(row[name], str):
        raise InputError(f"is {type(row[name]).__name__}, not text", where=f'{where}, field "{name}"', hint=_SHAPE)
    return row[name]


def _plain(request: str) -> str:
    return " ".join(request.split())
