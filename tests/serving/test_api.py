"""The API by OpenAI's own client, and by hand where that client would not misbehave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import httpx
import openai
import pytest

from idiolect.methods.run import writer_named
from idiolect.service import Connection, Draft, draft
from idiolect.serving import Limits
from idiolect.workspace import Workspace
from writers import HELDOUT

TOKEN = "a-token-for-tests-only"
ASKED: list[Any] = [{"role": "user", "content": HELDOUT[0]}]


@pytest.fixture
def client(served: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served}/v1", api_key=TOKEN, max_retries=0) as opened:
        yield opened


def post(url: str, *, token: str = TOKEN, **sent: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", headers={"Authorization": f"Bearer {token}"}, timeout=60, **sent)


def expected(connection: Connection, place: Workspace, name: str, request: str) -> Draft:
    (one,) = connection.run(draft(connection, writer_named(place, name), [request], seed=0))
    return one


def test_models_are_the_writers(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"baseline", "few_shot", "sft"}
    assert client.models.retrieve("sft").owned_by == "idiolect"
    with pytest.raises(openai.NotFoundError, match="no writer 'gpt'"):
        client.models.retrieve("gpt")


@pytest.mark.parametrize("name", ["baseline", "few_shot", "sft"])
def test_a_draft_is_the_writers_own_whole_and_streamed(client: openai.OpenAI, place: Workspace, connection: Connection, name: str) -> None:
    for request in HELDOUT[:2]:
        wanted = expected(connection, place, name, request)
        messages: list[Any] = [{"role": "user", "content": request}]
        whole = client.chat.completions.create(model=name, messages=messages)
        assert whole.choices[0].message.content == wanted.text
        assert whole.choices[0].finish_reason == ("stop" if wanted.finished else "length")
        events = list(client.chat.completions.create(model=name, messages=messages, stream=True, stream_options={"include_usage": True}))
        pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
        assert "".join(pieces) == wanted.text
        # Shown while it is written, not at once at the end.
        assert sum(bool(piece) for piece in pieces) >= 4
        assert events[0].choices[0].delta.role == "assistant"
        assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
        assert events[-1].usage == whole.usage
        assert whole.usage is not None
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_options_mean_what_they_mean_elsewhere(client: openai.OpenAI, place: Workspace, connection: Connection) -> None:
    create = client.chat.completions.create
    short = create(model="baseline", messages=ASKED, max_tokens=5)
    assert (short.choices[0].finish_reason, short.usage and short.usage.completion_tokens) == ("length", 5)
    text = expected(connection, place, "baseline", HELDOUT[0]).text
    stop = text[len(text) // 2 :][:6]
    for stream in (False, True):
        made = create(model="baseline", messages=ASKED, stop=[stop, "never this"], stream=stream)
        got = "".join(e.choices[0].delta.content or "" for e in made) if stream else made.choices[0].message.content  # type: ignore[union-attr]
        assert got == text[: text.index(stop)].strip()
    warm = [create(model="baseline", messages=ASKED, temperature=1.5, seed=seed).choices[0].message.content for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
    several = create(model="baseline", messages=ASKED, temperature=1.5, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in several.choices}) == 3
    parts = create(model="baseline", messages=[{"role": "user", "content": [{"type": "text", "text": HELDOUT[0]}]}])
    assert parts.choices[0].message.content == text


@pytest.mark.parametrize(
    ("changed", "param", "said"),
    [
        ({"model": "gpt"}, "model", "there is no writer 'gpt'; there are: baseline, few_shot, sft"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, None, "text"),
        ({"messages": [{"role": "robot", "content": "secret words"}]}, "messages.0.role", "system"),
        ({"temperature": -1}, "temperature", "greater than or equal to 0"),
        ({"n": 99}, "n", "less than or equal to 8"),
        ({"tools": [{"type": "function"}]}, "tools", "not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "not supported"),
        ({"messages": [{"role": "user", "content": "word " * 4000}]}, "messages", "the model takes 2048"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_openais_form(served: str, changed: dict[str, Any], param: str | None, said: str, stream: bool) -> None:
    answer = post(served, json={"model": "baseline", "messages": ASKED, "stream": stream, **changed})
    assert answer.status_code == (404 if changed.get("model") else 400)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]
    assert "secret words" not in answer.text
    if param:
        assert error["param"] == param


def test_nothing_is_answered_without_the_token(served: str) -> None:
    for token in ("wrong", TOKEN + "x", "é"):
        for path in ("v1/models", "v1/chat/completions", "mcp", "docs", "openapi.json"):
            answer = httpx.get(f"{served}/{path}", headers={"Authorization": f"Bearer {token}".encode()})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{served}/v1", api_key="wrong", max_retries=0).models.list()
    unknown = httpx.get(f"{served}/v1/nothing", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (unknown.status_code, set(unknown.json())) == (404, {"error"})
    # No other origin's page is let in.
    assert not [name for name in unknown.headers if name.startswith("access-control")]


def test_garbage_is_refused(served: str) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"model": "baseline", "messages": "x"}', b"null"):
        answer = post(served, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")


def test_limits_of_size_and_rate(serving: Callable[[Limits], AbstractContextManager[str]]) -> None:
    with serving(Limits(per_minute=4, body_bytes=2000)) as url:
        large = json.dumps({"model": "baseline", "messages": [{"role": "user", "content": "x" * 3000}]}).encode()
        assert post(url, content=large).status_code == 413
        # Without a length beforehand, too.
        assert post(url, content=iter([large[:1500], large[1500:]])).json()["error"]["code"] == "request_too_large"
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            client.models.list()
            client.models.list()
            with pytest.raises(openai.RateLimitError) as refused:
                client.models.list()
        assert refused.value.code == "rate_limit_exceeded"
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 15


def test_who_waits_too_long_in_line_is_sent_away(serving: Callable[[Limits], AbstractContextManager[str]]) -> None:
    body = {"model": "baseline", "messages": ASKED, "temperature": 1.0, "n": 3}
    with serving(Limits(per_minute=1000, at_once=1, waiting=1)) as url, ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: post(url, json=body), range(5)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert codes[-1] == 429
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 429} == {"server_busy"}


def test_a_client_that_goes_away_frees_its_place(serving: Callable[[Limits], AbstractContextManager[str]]) -> None:
    with serving(Limits(per_minute=1000, at_once=1, waiting=0)) as url:
        body = {"model": "few_shot", "messages": ASKED, "temperature": 2.0, "max_tokens": 1500, "stream": True}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.stream("POST", f"{url}/v1/chat/completions", headers=headers, json=body, timeout=60) as answer:
            next(answer.iter_lines())
        start = time.monotonic()
        while post(url, json={"model": "baseline", "messages": ASKED, "max_tokens": 2}).status_code != 200:
            assert time.monotonic() - start < 10
            time.sleep(0.05)


def test_a_dead_service_is_a_502(place: Workspace) -> None:
    from fastapi.testclient import TestClient

    from idiolect.errors import ServiceError
    from idiolect.serving import Desk, make_app
    from idiolect.settings import Settings

    class Gone(Connection):
        async def sampler(self, model: object) -> Any:
            raise ServiceError("cannot be reached", where="http://gone")

    app = make_app(Desk(place, Settings.load(place.settings), Gone("http://gone", "tml-x")), TOKEN)
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = client.post("/v1/chat/completions", json={"model": "baseline", "messages": ASKED})
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "server_error")


def test_characters_of_several_tokens_come_whole(connection: Connection, place: Workspace) -> None:
    """The pocket model writes an emoji, whose bytes are several tokens, as the example shows it."""
    from idiolect.service.streaming import stream

    writer = writer_named(place, "baseline")
    shown = ("Ask Ann for the plan.", "hi ann,\n\ncould you send the plan? 🙂🎉 naïve – “yes”\n\nbest")
    messages = writer.model_copy(update={"examples": (shown,) * 4}).messages("Ask Tom for the plan.")

    async def read(whole: bool) -> list[str]:
        options: dict[str, Any] = {"max_tokens": 120, "temperature": 0.9, "seed": 3}
        return [piece.text async for piece in stream(connection, writer, messages, **options, whole=whole)]

    pieces = asyncio.run(read(False))
    assert not any("�" in piece for piece in pieces)
