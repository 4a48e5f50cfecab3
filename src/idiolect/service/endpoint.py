"""Drafts by a model behind an OpenAI-compatible address: ``POST <url>/chat/completions``.

Knows that protocol. Knows nothing of Tinker, nor of what the drafts are for. The key is read from the environment when it is
needed and stands in no file.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from idiolect.errors import ServiceError
from idiolect.service.sampling import Draft, derive_seed

__all__ = ["KEY", "Endpoint", "endpoint_drafts"]

KEY = "OPENAI_API_KEY"
"""The environment variable with the key; a server of one's own may need none."""
_CONCURRENCY = 8
_ATTEMPTS = 5
_TIMEOUT = 120.0
_LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class Endpoint(BaseModel):
    """A writer elsewhere: a model at an address, asked as a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    url: str
    """The base address, as ``https://example.com/v1``."""
    model: str
    """The model's name there."""
    system_prompt: str | None = None
    max_tokens: int = 256
    temperature: float = 0.7

    def messages(self, request: str) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": request}]


async def endpoint_drafts(
    endpoint: Endpoint,
    requests: Sequence[str],
    *,
    seed: int,
    on_draft: Callable[[int, Draft], None] | None = None,
    attempts: int = _ATTEMPTS,
    timeout: float = _TIMEOUT,
) -> list[Draft]:
    """One draft a request, in the requests' order. ``on_draft`` is called with an index and its draft as they come.

    An overloaded or unreachable server is asked again, up to ``attempts`` times, after as long as it says or ever longer. ``timeout``
    is in seconds, for each attempt. Raises ``ServiceError``.
    """
    key = os.environ.get(KEY)
    gate = asyncio.Semaphore(_CONCURRENCY)
    seen: Counter[str] = Counter()
    seeds = []
    for request in requests:
        seeds.append(derive_seed(seed, request, seen[request]))
        seen[request] += 1

    async def one(client: httpx.AsyncClient, index: int) -> Draft:
        body = {
            "model": endpoint.model,
            "messages": endpoint.messages(requests[index]),
            "max_tokens": endpoint.max_tokens,
            "temperature": endpoint.temperature,
            "seed": seeds[index],
        }
        async with gate:
            start = time.monotonic()
            answer = await _asked(client, body, attempts, timeout)
            draft = _draft(endpoint, requests[index], answer, time.monotonic() - start)
        if on_draft:
            on_draft(index, draft)
        return draft

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=endpoint.url, headers=headers, timeout=timeout) as client:
        tasks = [asyncio.create_task(one(client, index)) for index in range(len(requests))]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()


async def _asked(client: httpx.AsyncClient, body: dict[str, Any], attempts: int, timeout: float) -> Any:
    """The server's answer as JSON, however often it must be asked."""
    where = str(client.base_url).rstrip("/")
    hint = "Run the same command again to go on; what came so far is kept"
    for attempt in range(1, attempts + 1):
        wait = min(_LONGEST_WAIT, 2.0 ** (attempt - 2))
        try:
            response = await client.post("chat/completions", json=body)
        except httpx.TimeoutException:
            failure = ServiceError(f"did not answer within {timeout:g} s, asked {attempt} times", where=where, hint=hint)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            said = str(error) or type(error).__name__
            failure = ServiceError(f"cannot be reached: {said}", where=where, hint="Check the address and the network")
        else:
            if response.is_success:
                return _json(response, where)
            said = _complaint(response)
            if (fewer := _without_refused(body, said)) and response.status_code in (400, 422):
                return await _asked(client, fewer, attempts, timeout)
            if response.status_code not in _AGAIN:
                raise _refused(response.status_code, said, where)
            failure = ServiceError(f"HTTP {response.status_code}, asked {attempt} times: {said}", where=where, hint=hint)
            wait = _retry_after(response, wait)
        if attempt == attempts:
            raise failure
        await asyncio.sleep(wait)
    raise ValueError("no attempt was allowed")


def _without_refused(body: dict[str, Any], said: str) -> dict[str, Any] | None:
    """The request without the option that the server complains of; None where it is none that can be spared.

    Models differ here: some call the limit ``max_completion_tokens``, some draw at one temperature only, some take no seed.
    """
    if "max_tokens" in body and "max_completion_tokens" in said:
        return {**{name: value for name, value in body.items() if name != "max_tokens"}, "max_completion_tokens": body["max_tokens"]}
    for spared in ("seed", "temperature"):
        if spared in body and re.search(rf"\b{spared}\b", said):
            return {name: value for name, value in body.items() if name != spared}
    return None


def _refused(status: int, said: str, where: str) -> ServiceError:
    if status in (401, 403):
        return ServiceError(f"the key was refused (HTTP {status}): {said}", where=where, hint=f"Set {KEY} to a valid key")
    hint = "Check the address and the model's name" if status == 404 else None
    return ServiceError(f"refused the request (HTTP {status}): {said}", where=where, hint=hint)


def _complaint(response: httpx.Response) -> str:
    """What the server says of the error, on one line."""
    try:
        error = response.json()["error"]
        said = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        said = response.text
    return " ".join(said.split())[:300].rstrip(".") or "it says no more"


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    """Seconds that the server asks to wait; a date, which few servers send, counts as nothing said."""
    said = response.headers.get("retry-after", "")
    return min(_LONGEST_WAIT, float(said)) if re.fullmatch(r"\d+(\.\d+)?", said) else otherwise


def _json(response: httpx.Response, where: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        hint = "Name the base address of an OpenAI-compatible API, which mostly ends in /v1"
        raise ServiceError(f"answered with what is not JSON: {response.text[:80]!r}", where=where, hint=hint) from error


def _draft(endpoint: Endpoint, request: str, answer: Any, seconds: float) -> Draft:
    try:
        choice = answer["choices"][0]
        text = choice["message"]["content"] or ""
        tokens = int((answer.get("usage") or {}).get("completion_tokens") or 0)
        return Draft(request, text.strip(), tokens, seconds, finished=choice.get("finish_reason") != "length")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ServiceError(
            f"answered with what is no chat completion: {str(answer)[:80]!r}", where=endpoint.url, hint="Check the address and the model"
        ) from error
