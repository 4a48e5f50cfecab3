"""What all endpoints do with a request: read its body within bounds, check it, answer a repeated one alike. Knows no endpoint."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pydantic
from fastapi import FastAPI, Request, Response

from idiolect.engine import wire
from idiolect.engine.futures import Busy
from idiolect.engine.state import REMEMBERED
from idiolect.errors import InputError

__all__ = ["ROOT", "Answer", "Intake", "Once", "add_plain", "body_of", "parsed"]

ROOT = "/api/v1"

INTAKE_LIMIT = 512 << 20
"""Bytes of bodies that are being read at one time, over all connections."""

Model = TypeVar("Model", bound=pydantic.BaseModel)
Answer = dict[str, Any]


class Intake:
    """How much is being read at this moment; one for an application, at its ``state.intake``."""

    def __init__(self) -> None:
        self.held = 0

    async def read(self, request: Request) -> bytes:
        """A request's body. Raises ``InputError`` if it is too large, ``Busy`` if all bodies together are."""
        pieces, size = [], 0
        try:
            async for piece in request.stream():
                size += len(piece)
                self.held += len(piece)
                if size > wire.BODY_LIMIT:
                    raise InputError(f"the body is larger than {wire.BODY_LIMIT} bytes")
                if self.held > INTAKE_LIMIT:
                    raise Busy("the engine reads as much as it can hold; try again")
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            self.held -= size


async def body_of(request: Request) -> bytes:
    body = await request.app.state.intake.read(request)
    return wire.decompressed(body, request.headers.get("content-encoding", ""))


async def parsed(request: Request, kind: type[Model]) -> Model:
    return kind.model_validate_json(await body_of(request))


def add_plain(app: FastAPI, path: str, answer: Callable[[Request], Awaitable[Response]]) -> None:
    """A POST route as Starlette has it, for what is asked most: FastAPI's own costs each request more than its work does."""
    app.add_route(f"{ROOT}/{path}", answer, methods=["POST"])


class Once:
    """Answers by X-Idempotency-Key: a request that comes again gets what the first one got."""

    def __init__(self) -> None:
        self.answers: OrderedDict[str, Any] = OrderedDict()

    def __call__(self, request: Request, make: Callable[[], Answer]) -> Answer:
        return self._remembered(request, make)

    async def later(self, request: Request, make: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """As a call, for what takes time: one that comes again meanwhile waits for the same answer."""
        task: asyncio.Task[Answer] = self._remembered(request, lambda: asyncio.ensure_future(make()))
        # Who gives up waiting must not stop it for the others; what failed may be tried again.
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and not task.cancelled() and task.exception() is not None:
                self._forget(task)

    def _forget(self, answer: Any) -> None:
        for key in [key for key, held in self.answers.items() if held is answer]:
            del self.answers[key]

    def _remembered(self, request: Request, make: Callable[[], Any]) -> Any:
        key = request.headers.get("x-idempotency-key")
        if key is None:
            return make()
        key = f"{request.url.path} {key[:200]}"
        if key not in self.answers:
            self.answers[key] = make()
            while len(self.answers) > REMEMBERED:
                self.answers.popitem(last=False)
        return self.answers[key]
