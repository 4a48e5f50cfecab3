"""Two drafts for one request, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pair"]


@dataclass(frozen=True)
class Pair:
    """Two drafts for one request, in the order in which they are shown."""

    request: str
    first: str
    second: str

    @property
    def swapped(self) -> Pair:
        return Pair(self.request, self.second, self.first)
