"""Who may ask, how much, and how often; and errors as OpenAI's API words them.

Knows HTTP. Knows nothing of what is asked.
"""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ApiError", "Guard", "Limits", "Places", "Rate", "read_body"]


class ApiError(Exception):
    """An error in OpenAI's form: ``{"error": {"message", "type", "param", "code"}}``."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.retry_after = status, message, code, param, retry_after

    @property
    def kind(self) -> str:
        if self.status == 429:
            return "rate_limit_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, object]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        headers = {} if self.retry_after is None else {"retry-after": str(max(1, math.ceil(self.retry_after)))}
        return JSONResponse(self.body(), self.status, headers)


@dataclass(frozen=True)
class Limits:
    """What one server lets through. A field's docstring is its option's help."""

    per_minute: int = 120
    """Requests a minute; further ones are told to come again."""
    at_once: int = 8
    """Drafts under way at one time."""
    waiting: int = 32
    """Requests that may wait for their turn; further ones are told to come again."""
    body_bytes: int = 1 << 20
    """Bytes of one request."""
    max_tokens: int = 4096
    """Tokens of one draft, whatever the request asks for."""


class Rate:
    """A bucket that holds a minute's worth of requests and fills steadily. ``clock`` gives seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._held, self._time = self._most, clock()

    def take(self) -> None:
        """Raise ``ApiError`` 429, with the time to wait, where nothing is left."""
        now = self._clock()
        self._held, self._time = min(self._most, self._held + (now - self._time) * self._most / 60), now
        if self._held < 1:
            wait = (1 - self._held) * 60 / self._most
            raise ApiError(429, f"more than {self._most:.0f} requests a minute", code="rate_limit_exceeded", retry_after=wait)
        self._held -= 1


class Places:
    """So many at work and so many waiting; whoever comes beyond is sent away at once instead of after a long wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        import asyncio

        self._gate = asyncio.Semaphore(at_once)
        self._room, self._inside = at_once + waiting, 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        if self._inside >= self._room:
            raise ApiError(429, "too many drafts are waiting already", code="server_busy", retry_after=1)
        self._inside += 1
        try:
            async with self._gate:
                yield
        finally:
            self._inside -= 1


class Guard:
    """ASGI middleware: no path is answered without the token, and none too often."""

    def __init__(self, app: ASGIApp, token: str, rate: Rate) -> None:
        self._app, self._token, self._rate = app, f"Bearer {token}".encode(), rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            given = Headers(scope=scope).get("authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, self._token):
                raise ApiError(401, "the token is missing or wrong: send it as the API key", code="invalid_api_key")
            self._rate.take()
        except ApiError as error:
            await error.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def read_body(request: Request, most: int) -> bytes:
    """A request's body. Raises ``ApiError`` 413 as soon as it is larger than ``most`` bytes, whatever its header says."""
    said = request.headers.get("content-length", "0")
    found = bytearray()
    if said.isdecimal() and int(said) <= most:
        async for piece in request.stream():
            found += piece
            if len(found) > most:
                break
        else:
            return bytes(found)
    raise ApiError(413, f"the request is larger than {most} bytes", code="request_too_large")
