"""What an import kept and dropped. Knows counts and names of places, no mail formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["DROP_REASONS", "ImportReport"]

DROP_REASONS = {
    "not_me": "sent by somebody else",
    "draft": "a draft, in the bin or marked as spam",
    "auto_reply": "an automatic reply or a delivery notice",
    "calendar": "a calendar invitation or answer",
    "encrypted": "encrypted",
    "empty": "nothing of the person's own left after cleaning",
    "short": "shorter than the minimum number of words",
    "duplicate": "the same text as another one",
    "older": "older than the newest that fit into memory",
}
"""Each reason's key, as in ``--json``, and its wording for people."""

EXAMPLES = 3
NAMED = 1000


@dataclass
class ImportReport:
    """Counts, with a few examples of each reason; filled while importing."""

    source: str
    format: str
    """mbox, maildir, eml, folder, zip, json, jsonl or csv."""
    seen: int = 0
    """Messages or rows met, whether kept, dropped or malformed."""
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Up to three sources for each reason."""
    malformed: int = 0
    malformed_examples: list[str] = field(default_factory=list)
    """``source: problem`` of the first thousand malformed messages."""
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, source: str) -> None:
        """Count one message dropped for a reason of ``DROP_REASONS``."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        named = self.examples.setdefault(reason, [])
        if len(named) < EXAMPLES:
            named.append(source)

    def broken(self, source: str, problem: str) -> None:
        """Count and name one message that could not be read."""
        self.malformed += 1
        if len(self.malformed_examples) < NAMED:
            self.malformed_examples.append(f"{source}: {problem}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``--json``: the counts add up to ``seen``."""
        return {
            "source": self.source,
            "format": self.format,
            "seen": self.seen,
            "kept": self.kept,
            "dropped": {
                reason: {"count": self.dropped[reason], "why": why, "examples": self.examples[reason]}
                for reason, why in DROP_REASONS.items()
                if reason in self.dropped
            },
            "malformed": {"count": self.malformed, "named": self.malformed_examples},
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """The same for people, one finding a line."""
        lines = [f"{self.seen} read from {self.source} ({self.format}), {self.kept} kept"]
        lines += [
            f"{self.dropped[reason]} dropped: {why} (such as {self.examples[reason][0]})"
            for reason, why in DROP_REASONS.items()
            if reason in self.dropped
        ]
        if self.malformed:
            lines.append(f"{self.malformed} malformed: {'; '.join(self.malformed_examples[:EXAMPLES])}")
        return lines + self.notes
