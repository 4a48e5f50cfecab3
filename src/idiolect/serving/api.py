"""OpenAI's chat-completions API over a workspace's writers: a model's name is a writer's name.

Knows that protocol: ``GET /v1/models``, ``POST /v1/chat/completions`` whole or as server-sent events. Knows nothing of Tinker.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from idiolect.errors import IdiolectError, InputError
from idiolect.service import Writer
from idiolect.service.streaming import Piece
from idiolect.serving.desk import Desk, Wish, conversation
from idiolect.serving.limits import ApiError, Guard, Rate, read_body
from idiolect.serving.mcp_server import mcp_server

__all__ = ["make_app"]

log = logging.getLogger(__name__)
_MOST_CHOICES = 8
_ROLES = {"developer": "system"}


class Part(BaseModel):
    """A part of a message; the writers read text only."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] = ""

    def message(self) -> dict[str, str]:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": _ROLES.get(self.role, self.role), "content": text}


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """What of a chat request is understood; fields that ask for nothing else are passed over."""

    model_config = ConfigDict(extra="allow")
    model: str
    messages: list[Turn] = Field(min_length=1, max_length=200)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    n: int | None = Field(default=None, ge=1, le=_MOST_CHOICES)

    def wish(self) -> Wish:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Wish(
            max_tokens=self.max_completion_tokens or self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p or 1.0,
            seed=self.seed,
            stop=tuple(stop for stop in stops if stop),
        )


_REFUSED = ("tools", "functions", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "audio")


def make_app(desk: Desk, token: str) -> FastAPI:
    """The API, and the MCP server at ``/mcp``, behind one token and one rate."""
    mcp = mcp_server(desk).streamable_http_app(json_response=True, stateless_http=True, max_request_body_size=desk.limits.body_bytes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.router.lifespan_context(mcp):
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(Guard, token=token, rate=Rate(desk.limits.per_minute))
    app.router.routes.extend(mcp.routes)
    _add_errors(app)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model(writer) for writer in desk.writers().values()]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        return _model(_writer(desk, name))

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        asked = _parsed(await read_body(request, desk.limits.body_bytes))
        writer = _writer(desk, asked.model)
        if asked.stream:
            # The first piece is waited for, so that what is refused is an error and no broken stream.
            events = _events(desk, writer, asked)
            return StreamingResponse(_after(await anext(events), events), media_type="text/event-stream")
        return JSONResponse(await _whole(desk, writer, asked))

    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(IdiolectError)
    async def failed(_: Request, error: IdiolectError) -> Response:
        return _told(error).response()

    @app.exception_handler(HTTPException)
    async def not_there(_: Request, error: HTTPException) -> Response:
        return ApiError(error.status_code, f"{error.detail}: the API has /v1/models and /v1/chat/completions").response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return ApiError(400, str(error.errors()[0]["msg"])).response()

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> Response:
        return ApiError(500, f"the server failed: {type(error).__name__}").response()


def _told(error: IdiolectError) -> ApiError:
    """What went wrong with a draft: the client's doing (400) or the service's (502)."""
    if isinstance(error, InputError):
        code = "context_length_exceeded" if error.where == "messages" else None
        return ApiError(400, str(error), param=error.where if code else None, code=code)
    return ApiError(502, str(error), code="service_error")


def _parsed(body: bytes) -> ChatRequest:
    """Raises ``ApiError`` 400, naming the field and never the text in it."""
    try:
        asked = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = [str(part) for part in first["loc"]]
        if "content" in place:
            place = place[: place.index("content") + 1]
            first["msg"] = "Content should be a text or a list of text parts"
        field = ".".join(place)
        raise ApiError(400, f"{first['msg']} ({field or 'body'})", param=field or None, code="invalid_value") from None
    given = asked.model_extra or {}
    form = given.get("response_format")
    wrong = [name for name in _REFUSED if given.get(name)]
    if wrong or (isinstance(form, dict) and form.get("type") != "text"):
        name = wrong[0] if wrong else "response_format"
        raise ApiError(400, f"{name} is not supported: the writers write plain text", param=name, code="unsupported_parameter")
    return asked


def _writer(desk: Desk, name: str) -> Writer:
    writers = desk.writers()
    if name not in writers:
        raise ApiError(
            404, f"there is no writer {name!r}; there are: {', '.join(writers) or 'none'}", param="model", code="model_not_found"
        )
    return writers[name]


def _model(writer: Writer) -> dict[str, Any]:
    return {"id": writer.name, "object": "model", "created": 0, "owned_by": "idiolect"}


def _usage(pieces: list[Piece]) -> dict[str, int]:
    prompt, sampled = pieces[0].prompt_tokens, sum(piece.tokens for piece in pieces)
    return {"prompt_tokens": prompt, "completion_tokens": sampled, "total_tokens": prompt + sampled}


async def _whole(desk: Desk, writer: Writer, asked: ChatRequest) -> dict[str, Any]:
    messages = conversation(writer, [turn.message() for turn in asked.messages])
    async with desk.places.place():
        found = [await desk.text(writer, messages, asked.wish(), number) for number in range(asked.n or 1)]
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": last.finish, "logprobs": None}
        for index, (text, last) in enumerate(found)
    ]
    return {**_head(writer, "chat.completion"), "choices": choices, "usage": _usage([last for _, last in found])}


async def _events(desk: Desk, writer: Writer, asked: ChatRequest) -> AsyncIterator[str]:
    """The server-sent events of a streamed answer, ``[DONE]`` the last. An error on the way is an event of its own."""
    head = _head(writer, "chat.completion.chunk")
    messages = conversation(writer, [turn.message() for turn in asked.messages])
    counted: list[Piece] = []

    def event(index: int, delta: dict[str, str], finish: str | None = None) -> str:
        return _event({**head, "choices": [{"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}]})

    async with desk.places.place():
        for index in range(asked.n or 1):
            begun = False
            async for piece in desk.pieces(writer, messages, asked.wish(), number=index):
                if not begun:
                    begun = True
                    yield event(index, {"role": "assistant", "content": piece.text})
                elif piece.text:
                    yield event(index, {"content": piece.text})
                if piece.finish:
                    counted.append(piece)
                    yield event(index, {}, piece.finish)
    if asked.stream_options and asked.stream_options.include_usage:
        yield _event({**head, "choices": [], "usage": _usage(counted)})
    yield "data: [DONE]\n\n"


async def _after(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    try:
        async for event in rest:
            yield event
    except (ApiError, IdiolectError) as error:
        told = error if isinstance(error, ApiError) else _told(error)
        yield _event(told.body())


def _head(writer: Writer, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": writer.name}


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
