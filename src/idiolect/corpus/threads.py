"""Which mails belong to one conversation. Knows identifiers and subjects, no texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["Threads", "digest", "subject_key"]

_PREFIX = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:(?:re|aw|antw|antwort|fwd?|wg|tr|sv|vs|vb|rv|res|r|i|odp|ynt|ref|rif|enc|pd|doorst|回复|答复|转发|返信)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:：]\s*)",
    re.IGNORECASE,
)


def digest(text: str) -> str:
    """Sixteen hexadecimal digits that stand for an identifier, so that host names in it are not handed on."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def subject_key(subject: str) -> str:
    """A subject without reply and forward marks, case and spacing; empty where nothing is left."""
    while match := _PREFIX.match(subject):
        subject = subject[match.end() :]
    return " ".join(subject.casefold().split())


class Threads:
    """A union-find over message identifiers, kept as 64-bit numbers so that a million messages fit."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def link(self, names: Iterable[str]) -> None:
        """Everything named here belongs together: one message's own id, its references, its subject."""
        first: int | None = None
        for name in names:
            root = self._root(_number(name))
            if first is None:
                first = root
            elif root != first:
                # the smaller number leads, so that the outcome does not depend on the order of the messages
                first, other = min(first, root), max(first, root)
                self._parent[other] = first

    def find(self, name: str) -> str:
        """The thread that an identifier belongs to."""
        return f"{self._root(_number(name)):016x}"

    def _root(self, at: int) -> int:
        path = []
        while (above := self._parent.get(at, at)) != at:
            path.append(at)
            at = above
        for step in path:
            self._parent[step] = at
        return at


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:8], "big")
