"""What the person liked better: ``preferences.jsonl``, one pair of texts a line.

Knows the record and JSON Lines. Knows nothing of who shows drafts or who learns from the pairs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.errors import InputError
from idiolect.workspace import append_json_line, read_json_lines

__all__ = ["Preference", "append_preference", "load_preferences"]


class Preference(BaseModel):
    """One request and two texts for it, of which the person wants the first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    request: str
    """What was asked of the writers, word for word."""
    preferred: str
    rejected: str
    source: Literal["vote", "edit"]
    """A vote between two drafts, or the person's own correction of one."""
    writers: tuple[str, ...]
    """Who wrote: of a vote the preferred draft's writer, then the other's; of an edit the draft's writer alone."""
    time: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


def append_preference(path: Path, preference: Preference) -> None:
    append_json_line(path, preference.model_dump(mode="json"))


def load_preferences(path: Path) -> list[Preference]:
    """The pairs in the order in which they came; an absent file holds none, and a last line torn by a kill is passed over.

    Raises ``InputError`` naming the file, the record and the field.
    """
    if not path.exists():
        return []
    rows = []
    for number, row in enumerate(read_json_lines(path, torn_tail=True), 1):
        try:
            rows.append(Preference.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "record"
            raise InputError(
                f"is not a preference: {first['msg']}", where=f"{path}, record {number}, field {field}", hint="Correct or delete it"
            ) from error
    return rows
