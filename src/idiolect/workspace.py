"""A workspace's files: where they lie, how they are read and written.

Knows paths, JSON and atomic writes. Knows nothing of what the files mean to a method or a measure.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idiolect.errors import InputError

__all__ = ["Workspace", "append_json_line", "read_json", "read_json_lines", "write_atomic", "write_json", "write_json_lines"]


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write ``data`` so that ``path`` holds either its old content or all of the new, even after a kill or a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise InputError(
            f"could not be written: {error.strerror}", where=str(path), hint="Free some space or choose another folder"
        ) from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def append_json_line(path: Path, row: Any) -> None:
    """Append one record; a record torn by a kill is the last line only, which ``read_json_lines(torn_tail=True)`` passes over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if file.tell() and not _ends_with_newline(path):
            file.write(b"\n")
        file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_text(path: Path) -> str:
    """The UTF-8 text of a file; a missing or undecodable one is an ``InputError``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start})", where=str(path), hint="Save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"could not be read: {error.strerror}", where=str(path)) from error


def read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"is not valid JSON: {error.msg}", where=f"{path}, line {error.lineno}", hint="Correct it there") from error


def read_json_lines(path: Path, *, torn_tail: bool = False) -> Iterator[Any]:
    """The records of a JSON Lines file. ``torn_tail`` passes over lines that a killed writer left unfinished."""
    # A kill may tear a line inside a character, too.
    text = path.read_bytes().decode(errors="replace") if torn_tail and path.exists() else read_text(path)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            if torn_tail:
                continue
            raise InputError(
                f"is not valid JSON: {error.msg}", where=f"{path}, line {number}", hint="Correct or delete that line"
            ) from error


@dataclass(frozen=True)
class Workspace:
    """The folder that one person's commands work in."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "idiolect.toml"

    @property
    def demonstrations(self) -> Path:
        """What the person wrote and the methods may learn from."""
        return self.root / "demonstrations.jsonl"

    @property
    def heldout(self) -> Path:
        """Requests, with the person's own texts where there are any, that no method may see."""
        return self.root / "heldout.jsonl"

    @property
    def preferences(self) -> Path:
        """Pairs of texts of which the person preferred one: votes and edits."""
        return self.root / "preferences.jsonl"

    @property
    def truth(self) -> Path:
        """A simulated author's true traits; absent for a real person."""
        return self.root / "author.json"

    @property
    def canaries(self) -> Path:
        """The secrets planted in an audit workspace."""
        return self.root / "canaries.json"

    @property
    def prompt(self) -> Path:
        return self.root / "prompt.md"

    @property
    def rubric(self) -> Path:
        return self.root / "rubric.md"

    @property
    def synthetic(self) -> Path:
        return self.root / "synthetic"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def drafts(self) -> Path:
        return self.root / "drafts"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def engine_state(self) -> Path:
        """Checkpoints of the local engine, so that adapter paths outlive the engine's process."""
        return self.root / ".engine"
