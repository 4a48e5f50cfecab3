"""Answers that are not ready yet. Knows nothing of what they answer; bounded, so that a client cannot fill the memory."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from idiolect.errors import InputError

__all__ = ["Busy", "Future", "Futures"]


class Busy(InputError):
    """The engine holds all the work it can; the client is to come again: HTTP 429."""


@dataclass
class Future:
    """One answer: ``protobuf`` or ``json`` once ``ready`` is set. An error is a ``json`` with ``error`` and ``category``."""

    id: str
    receipt: dict[str, Any]
    """What the submission was answered; repeated word for word when it comes again."""
    size: int = 0
    """Bytes that the request holds while it waits."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    protobuf: bytes | None = None
    json: dict[str, Any] | None = None

    async def wait(self, seconds: float) -> bool:
        """Whether it is ready, for which at most ``seconds`` are waited."""
        if not self.ready.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.ready.wait()
        return self.ready.is_set()


class Futures:
    """All futures by id. Lives on the event loop; ``resolve`` and ``fail`` may be called from the worker's thread.

    At most ``waiting_limit`` requests of together ``waiting_size`` bytes wait. The oldest answers are forgotten, fetched or not,
    once there are more than ``limit`` or they exceed ``size_limit`` bytes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: int = 20_000,
        size_limit: int = 256 << 20,
        waiting_limit: int = 10_000,
        waiting_size: int = 512 << 20,
    ) -> None:
        self.loop, self.limit, self.size_limit = loop, limit, size_limit
        self.waiting_limit, self.waiting_size = waiting_limit, waiting_size
        self.known: dict[str, Future] = {}
        self.pending = self.pending_size = self.size = 0
        self._done: deque[Future] = deque()

    def new(self, *, size: int = 0, always: bool = False, **receipt: Any) -> Future:
        """A future for a request of ``size`` bytes. Raises ``Busy`` if too much waits, unless it is ``always`` taken."""
        if not always and (self.pending >= self.waiting_limit or self.pending_size + size > self.waiting_size):
            raise Busy("the engine has all the requests it can hold; try again")
        identity = uuid.uuid4().hex
        future = Future(identity, {"request_id": identity, **receipt}, size)
        self.known[identity] = future
        self.pending += 1
        self.pending_size += size
        return future

    def withdraw(self, future: Future) -> None:
        """Take back a future that nobody has been told of."""
        del self.known[future.id]
        self.pending -= 1
        self.pending_size -= future.size

    def resolve(self, future: Future, *, protobuf: bytes | None = None, json: dict[str, Any] | None = None) -> None:
        self.loop.call_soon_threadsafe(self._set, future, protobuf, json)

    def fail(self, future: Future, message: str, category: str) -> None:
        self.resolve(future, json={"error": message, "category": category})

    def _set(self, future: Future, protobuf: bytes | None, json: dict[str, Any] | None) -> None:
        if future.ready.is_set():
            return
        future.protobuf, future.json = protobuf, json
        future.ready.set()
        self.pending -= 1
        self.pending_size -= future.size
        self.size += len(protobuf or b"")
        self._done.append(future)
        while len(self._done) > 1 and (len(self._done) > self.limit or self.size > self.size_limit):
            oldest = self._done.popleft()
            self.size -= len(oldest.protobuf or b"")
            self.known.pop(oldest.id, None)
            oldest.protobuf = oldest.json = None
