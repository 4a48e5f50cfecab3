"""Drafts under way: the connection to the models, and the rounds whose drafts are being written.

Knows writers and rounds. Knows neither where the models run nor how drafts are shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from idiolect.errors import IdiolectError, ServiceError
from idiolect.service import BestOf, Connection, Writer
from idiolect.service import draft as sampled
from idiolect.service.streaming import stream
from idiolect.studio.rounds import Round, RoundDraft, Rounds

__all__ = ["Chooser", "Connect", "Drafting"]

Connect = Callable[[Sequence[str]], AbstractContextManager[Connection]]
"""Makes a connection to a service that has these base models."""

Chooser = Callable[[Connection, Round, Writer], Awaitable[BestOf]]
"""Says how the drafts of a round are chosen among tries of a writer."""


class Drafting:
    """Writes drafts in the background. The connection is made with the first draft, for only then are models needed."""

    def __init__(self, connect: Connect, rounds: Rounds, *, seed: int, chooser: Chooser) -> None:
        self._connect, self._rounds, self._seed, self._chooser = connect, rounds, seed, chooser
        self._held: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None
        self._models: set[str] = set()
        self._opening = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    def start(self, found: Round) -> None:
        """Write the drafts of the round that are neither done nor being written. Those of an earlier start of the studio go on."""
        for index, draft in enumerate(found.drafts):
            key = (found.name, index)
            if not draft.done and key not in self._tasks:
                task = asyncio.create_task(self._write(found, index))
                self._tasks[key] = task
                task.add_done_callback(lambda _, key=key: self._tasks.pop(key, None))

    async def changes(self, found: Round) -> AsyncIterator[int]:
        """The index of each draft whenever it has changed, until all are done. A draft that is whole already counts as a change."""
        seen: dict[int, tuple[str, bool, int]] = {}
        while True:
            states = {index: (draft.text, draft.done, draft.attempt) for index, draft in enumerate(found.drafts)}
            changed = [index for index, state in states.items() if seen.get(index) != state]
            seen = states
            for index in changed:
                yield index
            if found.done:
                return
            async with self._changed:
                # A time-out sees changes that were made between the look and the wait.
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.25)
                except TimeoutError:
                    continue

    async def close(self) -> None:
        """Stop what is under way and leave the service."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leave()

    async def _write(self, found: Round, index: int) -> None:
        draft = found.drafts[index]
        writer, attempt = draft.writer, draft.attempt
        try:
            connection = await self.connected(writer.base_model)
            # An engine that had to be started first says nothing of how long a draft takes.
            start = time.monotonic()
            pieces = stream(
                connection,
                writer,
                writer.messages(found.given or found.asked),
                max_tokens=writer.max_tokens,
                temperature=writer.temperature,
                seed=self._seed + attempt,
            )
            async for piece in pieces:
                draft.text, draft.tokens, draft.seconds = draft.text + piece.text, piece.tokens, time.monotonic() - start
                draft.finished = piece.finish == "stop"
                await self._tell()
            if found.kind != "sample":
                await self._better(connection, found, draft)
                draft.seconds = time.monotonic() - start
        except IdiolectError as error:
            draft.error = " ".join(str(error).split())
        except Exception as error:  # the SDK's and the renderers' errors are no closed set
            draft.error = f"{type(error).__name__} while the draft was written. Try again"
        draft.done = True
        self._rounds.save(found)
        await self._tell()

    async def _better(self, connection: Connection, found: Round, made: RoundDraft) -> None:
        """Put further tries in the place of a draft with faults, if one has fewer; where faults are left, those of who stands in."""
        best_of = await self._chooser(connection, found, made.writer)
        if best_of.tries < 2:
            return
        faults = best_of.faults(found.asked, made.text, made.finished)
        further = replace(best_of, tries=best_of.tries - 1)
        for writer, tries in ((made.writer, further), *((other, best_of) for other in found.others)):
            if not faults:
                return
            (other,) = await sampled(connection, writer, [found.given or found.asked], seed=self._seed + made.attempt, best_of=tries)
            made.tokens, made.tries = made.tokens + other.tokens, made.tries + other.tries
            if (fewer := best_of.faults(found.asked, other.text, other.finished)) < faults:
                made.text, made.finished, faults = other.text, other.finished, fewer
                made.stand_in = writer.name if writer != made.writer else ""

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def connected(self, *models: str) -> Connection:
        """The connection, made anew where it lacks one of the models or its service has died."""
        async with self._opening:
            if self._connection is not None and self._connection.health is not None:
                try:
                    self._connection.health()
                except IdiolectError:
                    await self._leave()
            if self._connection is None or not self._models.issuperset(models):
                await self._leave()
                wanted = self._models.union(models)
                held = self._connect(sorted(wanted))
                self._connection = await asyncio.to_thread(held.__enter__)
                self._held, self._models = held, wanted
                # The SDK's session begins with its first use, which waits for the service.
                await asyncio.to_thread(lambda: self._connection and self._connection.client)
            if self._connection is None:
                raise ServiceError("the models could not be reached", hint="Try again")
            return self._connection

    async def _leave(self) -> None:
        held, self._held, self._connection = self._held, None, None
        if held is not None:
            await asyncio.to_thread(held.__exit__, None, None, None)
