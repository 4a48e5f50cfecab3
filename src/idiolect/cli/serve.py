"""``idiolect serve``: the writers for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import Folder, open_workspace
from idiolect.errors import InputError
from idiolect.methods.run import all_writers

__all__ = ["serve"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    workspace: Folder = Path(),
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8377,
    mcp: Annotated[bool, typer.Option("--mcp", help="Speak MCP over stdin and stdout instead, for an assistant that starts it.")] = False,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests a minute; further ones are told to come again.")] = 120,
    at_once: Annotated[int, typer.Option(min=1, help="Drafts under way at one time.")] = 8,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait; further ones are told to come again.")] = 32,
    body_bytes: Annotated[int, typer.Option(min=1024, help="Bytes of one request.")] = 1 << 20,
) -> None:
    """Serve the writers as an OpenAI-compatible API, and to assistants over MCP."""
    from idiolect.serving import TOKEN, Desk, Limits, make_app, token_or_new
    from idiolect.serving import serve as run
    from idiolect.serving.mcp_server import mcp_server

    place, settings = open_workspace(workspace)
    models = [writer.base_model for writer in all_writers(place).values()]
    if not models:
        raise InputError(
            "there is no writer yet", where=str(place.runs), hint="Run `idiolect baseline`, `idiolect prompt` or `idiolect sft` first"
        )
    limits = Limits(per_minute, at_once, waiting, body_bytes)
    token, drawn = token_or_new()

    def ready(url: str) -> None:
        print(f"OpenAI-compatible API: {url}/v1\nMCP server:            {url}/mcp")
        print(f"Token:                 {token if drawn else f'as {TOKEN} says'}", flush=True)
        if host not in _LOOPBACK:
            print(f"{host} is no loopback address: whoever reaches it and has the token can read drafts; there is no TLS", file=sys.stderr)

    with connected(settings, place, models) as connection:
        desk = Desk(place, settings, connection, limits)
        connection.run(mcp_server(desk).run_stdio_async() if mcp else run(make_app(desk, token), host, port, ready))
