"""An import that is looked at before it is kept.

Knows the corpus. Knows nothing of pages. One import waits at a time; it is held in memory until the person keeps it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from idiolect.corpus import ImportResult, default_heldout, import_messages, redact_demonstrations, redaction_path, save, split
from idiolect.corpus.redaction import RedactionTable
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["Kept", "Preview", "keep", "look"]

_SHOWN = 8
_LOOKED_AT = 400


@dataclass(frozen=True)
class Kept:
    """One text of the person's, with what was cut around it."""

    source: str
    lines: tuple[tuple[bool, str], ...]
    """(kept, a run of lines) from top to bottom."""


@dataclass(frozen=True)
class Preview:
    """What an import would bring."""

    found: ImportResult
    newest: tuple[Kept, ...]
    learn: int
    heldout: int
    """How many would be learnt from, and held out."""
    redact: bool


def look(source: Path, me: Sequence[str], settings: Settings, *, redact: bool = False) -> Preview:
    """Read the source as ``idiolect import`` does, without keeping anything. Raises ``InputError`` as that does."""
    raw: deque[tuple[str, str]] = deque(maxlen=_LOOKED_AT)
    found = import_messages(source, me, on_cleaned=lambda where, text: raw.append((where, text)))
    rows, before = found.demonstrations, dict(raw)
    shown = [Kept(row.source, _cut(before.get(row.source, row.output), row.output)) for row in reversed(rows[-_SHOWN:])]
    learn, held = split(rows, default_heldout(rows, settings.heldout))
    return Preview(found, tuple(shown), len(learn), len(held), redact)


def keep(workspace: Workspace, settings: Settings, preview: Preview) -> None:
    """Replace the workspace's demonstrations and held-out texts by those that were looked at."""
    rows = preview.found.demonstrations
    table = RedactionTable.load(redaction_path(workspace)) if preview.redact else None
    if table is not None:
        rows = redact_demonstrations(rows, table)
    learn, held = split(rows, default_heldout(rows, settings.heldout))
    save(workspace, learn, held, table)


def _cut(raw: str, kept: str) -> tuple[tuple[bool, str], ...]:
    """The raw text in runs of lines that were kept and cut; a line that cleaning changed counts as kept, in its new form."""
    before = [line.rstrip() for line in raw.strip().splitlines()]
    after = [line.rstrip() for line in kept.splitlines()]
    runs: list[tuple[bool, str]] = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what in ("equal", "insert", "replace"):
            runs.append((True, "\n".join(after[c:d])))
        if what in ("delete", "replace") and any(before[a:b]):
            runs.append((False, "\n".join(before[a:b])))
    return tuple(run for run in runs if run[1].strip())
