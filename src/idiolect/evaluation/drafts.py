"""Drafts of a writer, written once and kept: ``drafts/<writer>-<hash>.jsonl``, a line for each.

Knows the cache. A kill loses the drafts under way and no other, and a draft depends on nothing but its writer, its request and
the seed, so what is gone on with equals what ran through, and fewer requests are a part of more.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from idiolect.errors import InputError
from idiolect.evaluation.given import GivenDrafts
from idiolect.service import BestOf, Connection, Draft, Endpoint, Writer, draft, endpoint_drafts
from idiolect.workspace import Workspace, append_json_line, read_json_lines

__all__ = ["AnyWriter", "Drafted", "drafts_path", "together", "write_drafts"]

AnyWriter = Writer | Endpoint | GivenDrafts
"""Whoever answers requests: sampled through the service, asked at an address, or read from a file."""


@dataclass(frozen=True)
class Drafted:
    """One writer's drafts, in the requests' order; None where a file of drafts has none for a request."""

    drafts: Sequence[Draft | None]
    seconds: float
    """Wall time of writing them, earlier runs included, while other writers wrote theirs."""

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.drafts if one)

    @property
    def present(self) -> list[Draft]:
        return [one for one in self.drafts if one]


def drafts_path(workspace: Workspace, writer: Writer | Endpoint, seed: int, best_of: BestOf | None = None) -> Path:
    """Where a writer's drafts are kept: another setting, seed or way to choose among tries is another file."""
    chosen = [best_of.key] if best_of and isinstance(writer, Writer) else []
    key = json.dumps([writer.model_dump(mode="json"), seed, *chosen], ensure_ascii=False, sort_keys=True)
    return workspace.drafts / f"{writer.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.jsonl"


async def write_drafts(
    workspace: Workspace,
    connection: Connection,
    writer: AnyWriter,
    requests: Sequence[str],
    *,
    seed: int,
    best_of: BestOf | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drafted:
    """The writer's draft for every request, from the cache as far as it goes. ``on_progress`` gets how many of how many.

    Drafts that are asked for at an address have one try, whatever ``best_of`` says.
    """
    if isinstance(writer, GivenDrafts):
        return Drafted(writer.drafts(requests), 0.0)
    path = drafts_path(workspace, writer, seed, best_of)
    kept = _read(path)
    wanted = _numbered(requests)
    # A repeated request is drawn with the seed of its number, so all of its drafts are drawn together or none is.
    lacking = {request for request, number in wanted if (request, number) not in kept}
    pending = [request for request in requests if request in lacking]
    before, last = len(requests) - len(pending), time.monotonic()
    places = _numbered(pending)
    done = 0

    def keep(index: int, made: Draft) -> None:
        nonlocal done, last
        last, wall = time.monotonic(), time.monotonic() - last
        kept[places[index]] = (made, round(wall, 3))
        _append(path, {"number": places[index][1], "wall": round(wall, 3), **asdict(made)})
        done += 1
        if on_progress:
            on_progress(before + done, len(requests))

    if on_progress:
        on_progress(before, len(requests))
    if pending and isinstance(writer, Writer):
        await draft(connection, writer, pending, seed=seed, best_of=best_of, on_draft=keep)
    elif pending and isinstance(writer, Endpoint):
        await endpoint_drafts(writer, pending, seed=seed, on_draft=keep)
    found = [kept[one] for one in wanted]
    return Drafted([made for made, _ in found], round(sum(wall for _, wall in found), 3))


async def together(work: Mapping[str, Coroutine[object, object, Drafted]]) -> dict[str, Drafted]:
    """All at one time. Where one fails the others are stopped, and what they have written is kept."""
    tasks = {name: asyncio.create_task(one) for name, one in work.items()}
    try:
        await asyncio.gather(*tasks.values())
        return {name: task.result() for name, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _numbered(requests: Sequence[str]) -> list[tuple[str, int]]:
    """Each request with how many of the same stand before it."""
    seen: Counter[str] = Counter()
    found = []
    for request in requests:
        found.append((request, seen[request]))
        seen[request] += 1
    return found


def _append(path: Path, row: dict[str, object]) -> None:
    try:
        append_json_line(path, row)
    except OSError as error:
        raise InputError(
            f"could not be written: {error.strerror}", where=str(path), hint="Free some space or choose another folder"
        ) from error


def _read(path: Path) -> dict[tuple[str, int], tuple[Draft, float]]:
    """What earlier runs wrote, and the wall time of each. A torn or foreign line counts as not written."""
    found: dict[tuple[str, int], tuple[Draft, float]] = {}
    if not path.is_file():
        return found
    for row in read_json_lines(path, torn_tail=True):
        try:
            number, wall = int(row.pop("number")), float(row.pop("wall"))
            one = Draft(**row)
            found[one.request, number] = (one, wall)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return found
