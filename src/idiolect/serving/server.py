"""The server's process: its token, its port, and how it stops.

Knows uvicorn. Knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from idiolect.errors import InputError

__all__ = ["TOKEN", "serve", "token_or_new"]

TOKEN = "IDIOLECT_SERVE_TOKEN"
"""The environment variable with the token that clients must send."""
_SHORTEST = 16


def token_or_new() -> tuple[str, bool]:
    """The environment's token or a drawn one, and whether it was drawn, so that it must be told. It stands in no file and no log."""
    given = os.environ.get(TOKEN, "")
    if not given:
        return f"idl-{secrets.token_urlsafe(24)}", True
    if len(given) < _SHORTEST or not (given.isascii() and given.isprintable()) or " " in given:
        raise InputError(
            f"the token must have at least {_SHORTEST} ASCII characters without spaces", where=TOKEN, hint="Unset it to have one drawn"
        )
    return given, False


async def serve(app: FastAPI, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``on_ready`` is called with the address. Raises ``InputError`` where the port cannot be had."""
    listener = _listen(host, port)
    # The access log would hold paths only, and uvicorn's own log no headers: neither ever sees a token or a text.
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5)
    server = _Server(config)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    if not task.done():
        name = f"[{host}]" if ":" in host else host
        on_ready(f"http://{name}:{listener.getsockname()[1]}")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await task
        raise


class _Server(uvicorn.Server):
    """Stops in order at a signal, and leaves no signal behind for whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        # Only the main thread may handle signals; elsewhere whoever started the thread stops it.
        with suppress(ValueError, RuntimeError, NotImplementedError):
            for number in signals:
                loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            with suppress(ValueError, RuntimeError, NotImplementedError):
                for number in signals:
                    loop.remove_signal_handler(number)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen there: {reason}", where=f"{host}:{port}", hint="Choose another --port (0 takes a free one)"
        ) from error
    # Handed on to every connection. asyncio sets it for sockets only that name their protocol; without it a small piece of a stream
    # waits some 40 ms for the other side to acknowledge the piece before.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
