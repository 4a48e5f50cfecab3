"""The MCP server by the official client: over streamable HTTP with the token, and over stdin and stdout."""

from __future__ import annotations

import asyncio
import os
import sys

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from idiolect.methods.run import writer_named
from idiolect.service import Connection, draft
from idiolect.workspace import Workspace
from running_engine import RunningEngine
from writers import HELDOUT

TOKEN = "a-token-for-tests-only"


async def over_http(url: str, token: str, *calls: dict[str, object]) -> list[object]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["draft_email"]
        assert tools[0].annotations is not None
        assert tools[0].annotations.read_only_hint
        return [await client.call_tool("draft_email", call) for call in calls]


def test_a_draft_over_http(served: str, connection: Connection, place: Workspace) -> None:
    (wanted,) = connection.run(draft(connection, writer_named(place, "sft"), HELDOUT[:1], seed=0))
    made, other, unknown, empty = asyncio.run(
        over_http(
            served,
            TOKEN,
            {"request": HELDOUT[0], "writer": "sft"},
            {"request": HELDOUT[0]},
            {"request": "x", "writer": "nobody"},
            {"request": ""},
        )
    )
    assert not made.is_error
    assert (made.structured_content["text"], made.structured_content["writer"]) == (wanted.text, "sft")
    assert made.structured_content["finished"] is wanted.finished
    # Four steps of training garble the text; where no writer is named, a clean one takes over.
    assert other.structured_content["writer"] == "few_shot"
    assert len(other.structured_content["remarks"]) < len(made.structured_content["remarks"])
    assert unknown.is_error
    assert "there is no writer 'nobody'" in unknown.content[0].text
    assert empty.is_error


def test_http_needs_the_token(served: str) -> None:
    with pytest.raises(BaseExceptionGroup) as refused:
        asyncio.run(over_http(served, "wrong"))
    assert refused.value.exceptions


def test_a_draft_over_stdio(engine: RunningEngine, place: Workspace, connection: Connection) -> None:
    environment = {**os.environ, "TINKER_BASE_URL": engine.url, "TINKER_API_KEY": engine.token, "OMP_NUM_THREADS": "1"}
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "idiolect", "serve", "--mcp", "--workspace", str(place.root)], env=environment
    )

    async def ask() -> object:
        async with Client(command) as client:
            return await client.call_tool("draft_email", {"request": HELDOUT[1], "writer": "baseline"})

    (wanted,) = connection.run(draft(connection, writer_named(place, "baseline"), [HELDOUT[1]], seed=0))
    assert asyncio.run(ask()).structured_content["text"] == wanted.text  # type: ignore[attr-defined]
