"""Reading and writing files of demonstrations.

Knows the record and JSON Lines. Knows nothing of where the texts came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError
from idiolect.workspace import read_json_lines, write_json_lines

__all__ = ["load_demonstrations", "save_demonstrations"]


def load_demonstrations(path: Path) -> list[Demonstration]:
    """The demonstrations of a JSON Lines file; an absent file holds none.

    Raises ``InputError`` naming the file, the record and the field.
    """
    if not path.exists():
        return []
    rows = []
    for number, row in enumerate(read_json_lines(path), 1):
        try:
            rows.append(Demonstration.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "record"
            raise InputError(
                f"is not a demonstration: {first['msg']}", where=f"{path}, record {number}, field {field}", hint="Correct or delete it"
            ) from error
    return rows


def save_demonstrations(path: Path, rows: Iterable[Demonstration]) -> None:
    write_json_lines(path, (row.model_dump(mode="json", exclude_defaults=True) for row in rows))
