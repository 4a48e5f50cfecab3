"""Writes an import into a workspace: all of its files or none. Knows files, not where the demonstrations come from."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from idiolect.corpus.redaction import RedactionTable
from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError
from idiolect.workspace import Workspace

__all__ = ["redaction_path", "save"]


def redaction_path(workspace: Workspace) -> Path:
    """Where the table that leads back from placeholders lies: a hidden folder that git ignores and nobody else may read."""
    return workspace.root / ".private" / "redactions.json"


def save(
    workspace: Workspace, train: Sequence[Demonstration], heldout: Sequence[Demonstration], table: RedactionTable | None = None
) -> None:
    """Replace demonstrations.jsonl and heldout.jsonl together, and the redaction table if there is one.

    On an error every file is as before. ``InputError`` on a full disk or a folder that cannot be written.
    """
    files: dict[Path, Iterable[str]] = {workspace.demonstrations: _lines(train), workspace.heldout: _lines(heldout)}
    if table is not None:
        private = redaction_path(workspace)
        with _writable(private):
            private.parent.mkdir(parents=True, exist_ok=True)
            private.parent.chmod(0o700)
        files = {
            private.parent / ".gitignore": ["*\n"],
            private: [json.dumps(table.to_dict(), ensure_ascii=False, indent=1) + "\n"],
            **files,
        }
    _replace_all(files)


def _lines(demonstrations: Sequence[Demonstration]) -> Iterable[str]:
    return (json.dumps(one.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) + "\n" for one in demonstrations)


class _writable:
    """Turns the operating system's refusals into an ``InputError`` about ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            hint = "Free some space or choose another workspace"
            raise InputError(f"could not be written: {error.strerror or error}", where=str(self._path), hint=hint) from error


def _replace_all(files: Mapping[Path, Iterable[str]]) -> None:
    """Everything is written beside its place before the first file is replaced; a failing replacement is taken back."""
    staged: dict[Path, Path] = {}
    before: dict[Path, Path | None] = {}
    try:
        for path, lines in files.items():
            with _writable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                staged[path] = _temporary(path)
                with staged[path].open("w", encoding="utf-8", newline="\n") as file:
                    file.writelines(lines)
                    file.flush()
                    os.fsync(file.fileno())
        for path in files:
            with _writable(path):
                kept = _temporary(path) if path.exists() else None
                if kept is not None:
                    kept.unlink()
                    os.link(path, kept)
                before[path] = kept
                os.replace(staged[path], path)
    except BaseException:
        for path, kept in before.items():
            with suppress(OSError):
                if kept is not None:
                    os.replace(kept, path)
                elif path not in staged or not staged[path].exists():
                    path.unlink(missing_ok=True)
        raise
    finally:
        for left in [*staged.values(), *(kept for kept in before.values() if kept is not None)]:
            with suppress(OSError):
                left.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    return Path(name)
