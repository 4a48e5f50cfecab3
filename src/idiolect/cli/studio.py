"""``idiolect studio``: the web page on this machine."""

from __future__ import annotations

import socket
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import Folder, open_workspace
from idiolect.errors import InputError

__all__ = ["studio"]


def studio(
    host: Annotated[str, typer.Option(help="Where it listens. Others can reach any address but the default, and nothing is encrypted.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port.", show_default="a free one")] = 0,
    browser: Annotated[bool, typer.Option("--browser", help="Open it in the browser.")] = False,
    workspace: Folder = Path(),
) -> None:
    """Open the studio: write, compare, watch trainings and set up in the browser."""
    import uvicorn

    from idiolect.studio import Access, studio_app

    place, settings = open_workspace(workspace)
    with _bound(host, port) as listener:
        access = Access(host, listener.getsockname()[1], on_opened=lambda link: _say(f"For another browser: {link}"))
        app = studio_app(place, settings, lambda models: connected(settings, place, models), access)
        _say(f"Studio: {access.link}\nThe link opens one browser, once. Ctrl-C ends the studio")
        if browser:
            webbrowser.open(access.link)
        # No log of requests: the first of them holds the link's token.
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2)
        # Ctrl-C is how it is ended, so it is no error; uvicorn has closed everything by then.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Handed on to every connection, so that no small piece of a stream waits for the one before to be acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint="Choose another --port or --host") from error
    return listener


def _say(text: str) -> None:
    print(text, flush=True)
