"""``idiolect engine``: the Tinker-compatible server alone, for one's own Tinker code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["engine"]


def engine(
    model: Annotated[list[str], typer.Option(help="A checkpoint folder or hub name; may be repeated.")],
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(envvar="IDIOLECT_ENGINE_TOKEN", help="The API key clients must send (tml-…); drawn if not given.")
    ] = None,
    state: Annotated[Path, typer.Option(help="Folder that keeps checkpoints.")] = Path(".engine"),
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; float32 on the CPU.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the matrix products; all cores if not given.")] = None,
    session_timeout: Annotated[float, typer.Option(help="Seconds after which a silent client's session ends.")] = 1800.0,
    memory: Annotated[float, typer.Option(help="GiB for models under training; those used longest ago wait on disk.")] = 4.0,
    adapter: Annotated[list[str] | None, typer.Option(help="Import a peft adapter: FOLDER or NAME=FOLDER; may be repeated.")] = None,
) -> None:
    """Serve models over the Tinker protocol; prints its URL when it is ready."""
    from idiolect.engine.serve import Options, serve

    limits = {"session_timeout": session_timeout, "memory": memory, "adapters": tuple(adapter or ())}
    serve(Options(tuple(model), host, port, token, state, device, dtype, threads, **limits))
