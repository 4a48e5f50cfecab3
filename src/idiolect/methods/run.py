"""Run folders: where a method keeps its config, metrics and writer, and how a killed run is found again.

Knows files. Knows nothing of what a method does.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idiolect.errors import InputError
from idiolect.service.writer import Writer
from idiolect.workspace import Workspace, append_json_line, read_json, read_json_lines, write_json

__all__ = ["Run", "all_runs", "all_writers", "newest", "open_run", "training_state", "writer_named", "writers_in_turn"]

_LOCK = "process.lock"
_LOCKS: dict[Path, int] = {}
"""The locks of this process's unfinished runs: folder → file descriptor."""
_FOLDER = re.compile(r"(?P<method>\w+)-(?P<time>\d{8}-\d{6})(?:-(?P<number>\d+))?")


@dataclass(frozen=True)
class Run:
    """One run of a method: ``runs/<method>-<time>/``."""

    folder: Path
    result: str = "writer.json"
    """The file that a finished run has."""

    @property
    def finished(self) -> bool:
        return (self.folder / self.result).is_file()

    @property
    def process(self) -> int | None:
        """The process that works on the run now. The kernel frees its lock when it ends, however it ends."""
        with suppress(ImportError, OSError, ValueError):
            import fcntl

            with (self.folder / _LOCK).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read())
        return None

    def writer(self) -> Writer:
        return Writer.load(self.folder / "writer.json")

    def finish(self, writer: Writer) -> Writer:
        """Save the writer, which marks the run as finished. Nothing may be written to the run after it."""
        writer.save(self.folder / "writer.json")
        if self.folder in _LOCKS:
            (self.folder / _LOCK).unlink(missing_ok=True)
            os.close(_LOCKS.pop(self.folder))
        return writer

    def log(self, **values: Any) -> None:
        """Append one row to ``metrics.jsonl``."""
        append_json_line(self.folder / "metrics.jsonl", values)


def open_run(workspace: Workspace, method: str, config: dict[str, Any], *, again: bool = False, result: str = "writer.json") -> Run:
    """The newest run of the method with this very config, finished or killed half-way; otherwise a new one.

    ``again`` passes over finished runs.
    """
    wanted = json.loads(json.dumps({"method": method, **config}))
    for folder in reversed(list(_folders(workspace, method))):
        run = Run(folder, result)
        if (folder / "config.json").is_file() and read_json(folder / "config.json") == wanted and not (again and run.finished):
            return run if run.finished else _held(run)
    run = Run(_new_folder(workspace, method), result)
    write_json(run.folder / "config.json", wanted)
    return _held(run)


def newest(workspace: Workspace, method: str, result: str) -> Path | None:
    """The result file of the method's newest finished run."""
    found = [folder / result for folder in _folders(workspace, method) if (folder / result).is_file()]
    return found[-1] if found else None


def all_writers(workspace: Workspace) -> dict[str, Writer]:
    """The newest finished writer of each name, oldest first."""
    found: dict[str, tuple[tuple[str, int, int], Writer]] = {}
    for folder in _folders(workspace):
        path = folder / "writer.json"
        if path.is_file():
            writer = Writer.load(path)
            # Runs of different methods may begin in one second; then the time of the file decides.
            found[writer.name] = ((*_age(folder), path.stat().st_mtime_ns), writer)
    return {name: writer for name, (_, writer) in sorted(found.items(), key=lambda item: item[1][0])}


def all_runs(workspace: Workspace) -> list[Run]:
    """Finished and unfinished runs, oldest first."""
    return [Run(folder) for folder in _folders(workspace)]


def writer_named(workspace: Workspace, name: str | None = None) -> Writer:
    """The workspace's newest writer of that name; without a name the one that most was learnt for.

    Raises ``InputError`` where there is none.
    """
    writers = all_writers(workspace)
    if not writers:
        raise InputError("there is no writer yet", where=str(workspace.runs), hint="Run `idiolect sft` or `idiolect prompt` first")
    if name is None:
        return (_most_learnt_first(writers) or list(writers.values())[::-1])[0]
    if name not in writers:
        raise InputError(f"there is no writer {name!r}", where=str(workspace.runs), hint=f"There are: {', '.join(writers)}")
    return writers[name]


def writers_in_turn(workspace: Workspace, name: str | None = None, *, fallback: bool = True) -> list[Writer]:
    """The writer that ``writer_named`` gives; where none is named and ``fallback`` is wanted, behind it those of its base model that
    less was learnt for, who are asked where its drafts have faults.
    """
    first = writer_named(workspace, name)
    others = _most_learnt_first(all_writers(workspace)) if name is None and fallback else []
    return [first, *(other for other in others if other != first and other.base_model == first.base_model)]


def _most_learnt_first(writers: dict[str, Writer]) -> list[Writer]:
    """Adapters, then prompts, the newest of each first; who was told nothing of the person is left out."""
    newest_first = list(writers.values())[::-1]
    adapted = [writer for writer in newest_first if writer.adapter]
    return adapted + [writer for writer in newest_first if not writer.adapter and (writer.system_prompt or writer.examples)]


def _held(run: Run) -> Run:
    """Mark the run as worked on until it is finished or this process ends. Where the system has no such locks it stays unmarked."""
    with suppress(ImportError, OSError):
        import fcntl

        handle = os.open(run.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        _LOCKS[run.folder] = handle
    return run


def training_state(workspace: Workspace, writer: Writer) -> str | None:
    """The path of the weights that a writer's adapter was saved from, with which training can go on; None for the base model.

    A ``sampler_weights`` path cannot be trained on; the run that made the adapter notes the other one beside it.
    """
    if writer.adapter is None:
        return None
    records = {path.parent: list(read_json_lines(path, torn_tail=True)) for path in sorted(workspace.runs.glob("*/checkpoints.jsonl"))}
    for rows in records.values():
        for row in rows:
            if row.get("sampler_path") == writer.adapter and row.get("state_path"):
                return row["state_path"]
    # Runs of our own loops end with the state that their writer was saved from.
    for folder, rows in records.items():
        done = folder / "writer.json"
        if rows and rows[-1].get("state") and done.exists() and read_json(done).get("adapter") == writer.adapter:
            return rows[-1]["state"]
    raise InputError(
        f"the weights behind the writer {writer.name!r} are not known here", where=str(workspace.runs),
        hint="Start from a writer that was trained in this workspace, or from the baseline",
    )  # fmt: skip


def _folders(workspace: Workspace, method: str | None = None) -> Iterator[Path]:
    """Run folders, oldest first."""
    if not workspace.runs.is_dir():
        return
    for folder in sorted((path for path in workspace.runs.iterdir() if _FOLDER.fullmatch(path.name)), key=_age):
        match = _FOLDER.fullmatch(folder.name)
        if match and (method is None or match["method"] == method):
            yield folder


def _age(folder: Path) -> tuple[str, int]:
    match = _FOLDER.fullmatch(folder.name)
    return (match["time"], int(match["number"] or 0)) if match else ("", 0)


def _new_folder(workspace: Workspace, method: str) -> Path:
    """A fresh folder; a number keeps runs of one second, and of two processes, apart."""
    stem = f"{method}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 0
    while True:
        folder = workspace.runs / (f"{stem}-{number}" if number else stem)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise InputError(
                f"could not be made: {error.strerror}", where=str(folder), hint="Free some space or choose another folder"
            ) from error
        else:
            return folder
