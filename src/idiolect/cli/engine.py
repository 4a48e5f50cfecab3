"""``idiolect engine``: the Tinker-compatible server alone, for one's own Tinker code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.engine.serve import HELP, Options, serve

__all__ = ["engine"]


def engine(
    model: Annotated[list[str], typer.Option(help=HELP["model"])],
    port: Annotated[int, typer.Option(help=HELP["port"])] = 8000,
    host: Annotated[str, typer.Option(help=HELP["host"])] = Options.host,
    token: Annotated[str | None, typer.Option(envvar="IDIOLECT_ENGINE_TOKEN", help=HELP["token"])] = None,
    state: Annotated[Path, typer.Option(help=HELP["state"])] = Options.state,
    device: Annotated[str, typer.Option(help=HELP["device"])] = Options.device,
    dtype: Annotated[str | None, typer.Option(help=HELP["dtype"])] = None,
    threads: Annotated[int | None, typer.Option(help=HELP["threads"])] = None,
    session_timeout: Annotated[float, typer.Option(help=HELP["session-timeout"])] = Options.session_timeout,
    memory: Annotated[float, typer.Option(help=HELP["memory"])] = Options.memory,
    requests: Annotated[int, typer.Option(help=HELP["requests"])] = Options.requests,
    adapter: Annotated[list[str] | None, typer.Option(help=HELP["adapter"])] = None,
) -> None:
    """Serve models over the Tinker protocol; prints its URL when it is ready."""
    limits = {"session_timeout": session_timeout, "memory": memory, "requests": requests, "adapters": tuple(adapter or ())}
    serve(Options(tuple(model), host, port, token, state, device, dtype, threads, **limits))
