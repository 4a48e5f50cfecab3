"""A small server of the chat-completions protocol on loopback, for tests of whoever asks one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

__all__ = ["ChatServer", "completion", "start_chat_server"]

Answer = Callable[[dict[str, Any], int], Response]
"""From a request's body and how many came before it to what the server says."""


@dataclass
class ChatServer:
    """Answers by ``answer`` and remembers what it was asked."""

    answer: Answer
    delay: float = 0.0
    """Seconds that it takes over each answer."""
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def chat(self, request: Request) -> Response:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            body = await request.json()
            self.bodies.append(body)
            self.keys.append(request.headers.get("authorization"))
            number = len(self.bodies) - 1
            await asyncio.sleep(self.delay)
            return self.answer(body, number)
        finally:
            self._now -= 1


def completion(text: str, *, finish_reason: str = "stop") -> Response:
    """An answer as OpenAI's API gives it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 1, "completion_tokens": len(text.split()), "total_tokens": 1 + len(text.split())}
    return JSONResponse({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})


@contextmanager
def start_chat_server(answer: Answer, *, delay: float = 0.0) -> Iterator[ChatServer]:
    """Serve on a free port until the end of the context; its ``url`` is the base address."""
    state = ChatServer(answer, delay)
    app = FastAPI()
    app.add_api_route("/v1/chat/completions", state.chat, methods=["POST"])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    state.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield state
    finally:
        server.should_exit = True
        thread.join(10)
