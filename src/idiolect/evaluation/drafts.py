"""Drafts of a writer, written once and kept: ``drafts/<writer>-<hash>.jsonl``.

Knows the cache and its chunks. A chunk is one line, so a kill loses no more than the chunk under way, and the chunks'
bounds never move, so what is gone on with equals what ran through.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from idiolect.errors import InputError
from idiolect.service import Connection, Draft, Writer, draft
from idiolect.workspace import Workspace, append_json_line, read_json_lines

__all__ = ["CHUNK", "Drafted", "drafts_path", "write_drafts"]

CHUNK = 25
"""Requests that are written and kept together."""


@dataclass(frozen=True)
class Drafted:
    """One writer's drafts, in the requests' order."""

    drafts: list[Draft]
    seconds: float
    """Wall time of all chunks, those of earlier runs included."""

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.drafts)


def drafts_path(workspace: Workspace, writer: Writer, requests: Sequence[str], seed: int) -> Path:
    """Where these drafts are kept: another writer, request or seed is another file."""
    key = json.dumps([writer.model_dump(mode="json"), list(requests), seed], ensure_ascii=False, sort_keys=True)
    return workspace.drafts / f"{writer.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.jsonl"


def write_drafts(
    workspace: Workspace,
    connection: Connection,
    writer: Writer,
    requests: Sequence[str],
    *,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drafted:
    """The writer's draft for every request, from the cache as far as it goes. ``on_progress`` gets how many of how many."""
    path = drafts_path(workspace, writer, requests, seed)
    chunks = [list(requests[start : start + CHUNK]) for start in range(0, len(requests), CHUNK)]
    kept = _read(path, chunks)
    for index, chunk in enumerate(chunks):
        before = index * CHUNK
        if index not in kept:
            start = time.monotonic()

            def report(done: int, _: int, before: int = before) -> None:
                if on_progress:
                    on_progress(before + done, len(requests))

            written = connection.run(draft(connection, writer, chunk, seed=seed, on_progress=report))
            kept[index] = Drafted(written, round(time.monotonic() - start, 3))
            row = {"chunk": index, "seconds": kept[index].seconds, "drafts": [asdict(one) for one in written]}
            _keep(path, row)
        if on_progress:
            on_progress(before + len(chunk), len(requests))
    return Drafted([one for index in range(len(chunks)) for one in kept[index].drafts], sum(part.seconds for part in kept.values()))


def _keep(path: Path, row: dict[str, object]) -> None:
    try:
        append_json_line(path, row)
    except OSError as error:
        raise InputError(
            f"could not be written: {error.strerror}", where=str(path), hint="Free some space or choose another folder"
        ) from error


def _read(path: Path, chunks: Sequence[Sequence[str]]) -> dict[int, Drafted]:
    """The chunks that an earlier run finished. A torn or foreign line counts as not written."""
    found: dict[int, Drafted] = {}
    if not path.is_file():
        return found
    for row in read_json_lines(path, torn_tail=True):
        try:
            drafts = [Draft(**one) for one in row["drafts"]]
            if row["chunk"] not in found and [one.request for one in drafts] == list(chunks[row["chunk"]]):
                found[row["chunk"]] = Drafted(drafts, float(row["seconds"]))
        except (KeyError, TypeError, IndexError):
            continue
    return found
