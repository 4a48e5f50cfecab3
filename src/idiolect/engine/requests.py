"""What all endpoints do with a request: read its body within bounds, check it, answer a repeated one alike. Knows no endpoint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import pydantic
from fastapi import Request

from idiolect.engine import wire
from idiolect.engine.state import REMEMBERED
from idiolect.errors import InputError

__all__ = ["ROOT", "Answer", "Once", "body_of", "parsed"]

ROOT = "/api/v1"

Model = TypeVar("Model", bound=pydantic.BaseModel)
Answer = dict[str, Any]


async def body_of(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > wire.BODY_LIMIT:
            raise InputError(f"the body is larger than {wire.BODY_LIMIT} bytes")
        pieces.append(piece)
    return wire.decompressed(b"".join(pieces), request.headers.get("content-encoding", ""))


async def parsed(request: Request, kind: type[Model]) -> Model:
    return kind.model_validate_json(await body_of(request))


class Once:
    """Answers by X-Idempotency-Key: a request that comes again gets what the first one got."""

    def __init__(self) -> None:
        self.answers: OrderedDict[str, Answer] = OrderedDict()

    def __call__(self, request: Request, make: Callable[[], Answer]) -> Answer:
        key = request.headers.get("x-idempotency-key")
        if key is None:
            return make()
        key = f"{request.url.path} {key[:200]}"
        if key not in self.answers:
            self.answers[key] = make()
            while len(self.answers) > REMEMBERED:
                self.answers.popitem(last=False)
        return self.answers[key]
