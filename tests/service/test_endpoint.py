"""Drafts from an OpenAI-compatible address: a real server on loopback, and everything that one may answer."""

from __future__ import annotations

import asyncio
import time

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse

from chat_server import Answer, ChatServer, completion, start_chat_server
from idiolect.errors import ServiceError
from idiolect.service import Draft, Endpoint, endpoint_drafts


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def drafts(server: ChatServer, requests: list[str], **options) -> list[Draft]:
    endpoint = Endpoint(name="there", url=server.url, model="m", system_prompt="Be brief", max_tokens=9, temperature=0.5)
    return asyncio.run(endpoint_drafts(endpoint, requests, **{"seed": 3, **options}))


def refused(answer: Answer, **options) -> tuple[ServiceError, ChatServer]:
    with start_chat_server(answer) as server, pytest.raises(ServiceError) as raised:
        drafts(server, ["x"], **options)
    assert str(raised.value).startswith(server.url)
    assert "\n" not in str(raised.value)
    return raised.value, server


def echo(body: dict, _: int) -> Response:
    request = body["messages"][-1]["content"]
    return completion(f"  Re: {request}\n", finish_reason="length" if "long" in request else "stop")


def complaint(status: int, message: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): said for name, said in headers.items()}
    return JSONResponse({"error": {"message": message, "type": "x"}}, status, named)


def test_every_request_is_asked_with_the_settings_and_comes_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    requests = [f"request {number}" for number in range(20)] + ["a long one"]
    came: dict[int, Draft] = {}
    with start_chat_server(echo, delay=0.05) as server:
        made = drafts(server, requests, on_draft=lambda index, draft: came.update({index: draft}))
    assert [draft.text for draft in made] == [f"Re: {request}" for request in requests]
    assert [came[index] for index in range(len(requests))] == made
    assert [draft.finished for draft in made] == [True] * 20 + [False]
    assert (made[0].tokens, made[0].request) == (3, "request 0")
    assert made[0].seconds >= 0.05
    body = server.bodies[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 9, 0.5)
    assert set(server.keys) == {"Bearer sk-test"}
    assert 1 < server.most_at_once <= 8


def test_seeds_depend_on_the_request_and_repeated_ones_differ() -> None:
    with start_chat_server(echo) as server:
        drafts(server, ["a", "b", "a"])
        first = {(body["messages"][-1]["content"], body["seed"]) for body in server.bodies}
        drafts(server, ["b"])
    assert len(first) == 3
    assert ("b", server.bodies[-1]["seed"]) in first
    assert server.keys == [None] * 4


REFUSALS = [(401, "the key was refused (HTTP 401)"), (403, "the key was refused"), (404, "the model's name"), (400, "HTTP 400")]


@pytest.mark.parametrize(("status", "said"), REFUSALS)
def test_a_refusal_is_said_at_once(status: int, said: str) -> None:
    error, server = refused(lambda *_: complaint(status, "no such\nluck."))
    assert said in str(error)
    assert "no such luck" in error.what
    assert len(server.bodies) == 1
    assert error.exit_code == 3


def test_an_overloaded_server_is_asked_again_after_as_long_as_it_says() -> None:
    def answer(body: dict, number: int) -> Response:
        return complaint(429, "slow down", retry_after="0.3") if number < 2 else completion("done")

    with start_chat_server(answer) as server:
        start = time.monotonic()
        (made,) = drafts(server, ["x"])
        waited = time.monotonic() - start
    assert made.text == "done"
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[2]
    assert 0.6 <= waited < 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stays_overloaded_is_given_up(status: int) -> None:
    error, server = refused(lambda *_: complaint(status, "full", retry_after="0"), attempts=3)
    assert f"HTTP {status}, asked 3 times: full" in str(error)
    assert "go on" in str(error)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: Response('{"choices": [', media_type="application/json"), "is not JSON"),
        (lambda *_: Response("<html>hello", media_type="text/html"), "is not JSON: '<html>hello'"),
        (lambda *_: JSONResponse({"choices": []}), "is no chat completion"),
        (lambda *_: JSONResponse({"choices": [{"message": "x"}]}), "is no chat completion"),
        (lambda *_: JSONResponse(["x"]), "is no chat completion"),
        (lambda *_: Response("gone wrong", 418), "HTTP 418): gone wrong"),
    ],
)
def test_malformed_answers_are_said(answer: Answer, said: str) -> None:
    error, _ = refused(answer)
    assert said in str(error)


def test_a_silent_server_is_given_up() -> None:
    with start_chat_server(echo, delay=1.0) as server, pytest.raises(ServiceError, match=r"did not answer within 0\.2 s, asked 2 times"):
        drafts(server, ["x"], attempts=2, timeout=0.2)
    assert len(server.bodies) == 2


def test_nobody_there() -> None:
    with start_chat_server(echo) as server:
        pass
    with pytest.raises(ServiceError, match="cannot be reached"):
        drafts(server, ["x"], attempts=1)


def test_an_empty_answer_is_an_empty_draft() -> None:
    choice = {"message": {"content": None}, "finish_reason": "content_filter"}
    with start_chat_server(lambda *_: JSONResponse({"choices": [choice]})) as server:
        (made,) = drafts(server, ["x"])
    assert (made.text, made.tokens, made.finished) == ("", 0, True)


def test_options_that_a_model_does_not_take_are_left_out() -> None:
    def answer(body: dict, _: int) -> Response:
        if "max_tokens" in body:
            return complaint(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "temperature" in body:
            return complaint(400, "Unsupported value: 'temperature' does not support 0.5 with this model.")
        if "seed" in body:
            return complaint(422, "extra fields not permitted: seed")
        return completion(str(body["max_completion_tokens"]))

    with start_chat_server(answer) as server:
        (made,) = drafts(server, ["x"])
    assert made.text == "9"
    assert len(server.bodies) == 4
