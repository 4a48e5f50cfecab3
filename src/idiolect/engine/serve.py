"""Start the server: load models, open the port, say so, watch the parent, stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import re
import secrets
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from idiolect.errors import InputError

SPINS = "3000"
"""Turns that an idle thread waits awake, some ten microseconds."""

KEEP_ALIVE = 75
"""Seconds that a silent connection stays open: a client that thinks between two batches need not connect anew for each request."""

__all__ = ["HELP", "Options", "serve"]


@dataclass(frozen=True)
class Options:
    """What the command line says. ``token`` None draws one; ``parent`` is a process whose end ends the server."""

    models: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    state: Path = Path(".engine")
    device: str = "cpu"
    dtype: str | None = None
    threads: int | None = None
    parent: int | None = None
    session_timeout: float = 1800.0
    """Seconds after which a session that sends no heartbeat ends; the SDK sends one every 10."""
    memory: float = 4.0
    """GiB that models under training may fill; those used longest ago wait on disk."""
    requests: int = 10_000
    """Requests that may wait; further ones are told to come again."""
    adapters: tuple[str, ...] = ()
    """Folders of peft adapters to import, each FOLDER or NAME=FOLDER."""


HELP = {
    "model": "A checkpoint folder or hub name; may be repeated.",
    "port": "Port to listen on; 0 takes a free one.",
    "host": "Address to listen on; loopback unless you say otherwise.",
    "token": "The API key clients must send (tml-…); drawn if not given.",
    "state": "Folder that keeps checkpoints, runs and sessions.",
    "device": "cpu, or cuda.",
    "dtype": "float32 or bfloat16; if not given what IDIOLECT_ENGINE_DTYPE says, else float32 on the CPU and bfloat16 elsewhere.",
    "threads": "Threads to compute with; if not given as many as OMP_NUM_THREADS says, else all cores.",
    "session-timeout": "Seconds after which a silent client's session ends.",
    "memory": "GiB for models under training; those used longest ago wait on disk.",
    "requests": "Requests that may wait; further ones are told to come again.",
    "adapter": "Import a peft adapter: FOLDER or NAME=FOLDER; may be repeated.",
}
"""What each option of the command lines means."""


def serve(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or the parent's end. Raises ``InputError`` or ``EngineError`` for what cannot be started."""
    if not options.models:
        raise InputError("no model is named", hint="Give --model FOLDER, or a hub name")
    # Read when OpenMP is loaded, with torch; helpers that wait awake for long are in the way of the client on the same cores.
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    _keep_memory()
    token, drawn = options.token, options.token is None
    if token is None:
        token = f"tml-{secrets.token_hex(16)}"
    if not token.startswith("tml-") or not token.isascii():
        raise InputError("the token must be plain ASCII that begins with tml-, as the SDK demands", where="--token")
    # Before the models are loaded: a port in use should not cost a load.
    listener = _listen(options.host, options.port)
    if not options.session_timeout > 0 or not options.memory >= 0 or options.requests < 1:
        said = "the session timeout must be positive, the memory not negative, and at least one request must be able to wait"
        raise InputError(said, where="--session-timeout, --memory, --requests")
    import torch

    from idiolect.engine.checkpoints import Checkpoints
    from idiolect.engine.state import Base

    device, dtype = _device(options.device), _dtype(options.dtype, options.device)
    # All computing is the worker's; helpers of this thread's own would only be in its way.
    torch.set_num_threads(1)
    checkpoints = Checkpoints(options.state.expanduser())
    bases = [Base.load(name, device, dtype) for name in dict.fromkeys(options.models)]
    for adapter in options.adapters:
        print(f"adapter {_imported(adapter, bases, checkpoints)}", file=sys.stderr, flush=True)
    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(_run(options, token, drawn, listener, bases, checkpoints))


def _keep_memory() -> None:
    """Let glibc keep what a step frees for the next one: by default it gives large pieces back, and the kernel clears them anew."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # malloc.h: one arena, so that the worker's pieces are not held to 64 MB; no own mappings below 1 GiB; the top kept up to as much.
        for option, value in ((-8, 1), (-3, 1 << 30), (-1, 1 << 30)):
            mallopt(option, value)


def _cores() -> int:
    """Threads as OMP_NUM_THREADS says, else the cores that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdecimal() and int(named):
        return int(named)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _loop():
    """uvloop's event loop where there is one; requests are short and many."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


def _imported(adapter: str, bases: list, checkpoints) -> str:
    """The path of an adapter after it was imported for the base model that it names, or for the first that it fits."""
    from idiolect.engine.imports import base_of, import_adapter

    given, _, folder = adapter.rpartition("=")
    path = Path(folder).expanduser()
    name = given or re.sub(r"[^A-Za-z0-9_-]", "-", path.resolve().name)
    wanted = base_of(path)
    failed = None
    for base in sorted(bases, key=lambda base: base.name != wanted):
        try:
            return str(import_adapter(checkpoints, path, name, base.name, base.model))
        except InputError as error:
            failed = failed or error
    raise failed or InputError("there is no base model for it", where=adapter)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio sends small answers at once; else each waits for the client's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen there: {reason}", where=f"{host}:{port}", hint="Choose another --port (0 takes a free one)"
        ) from error
    return listener


def _device(name: str):
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"{name!r} is no usable device", where="--device", hint="Use cpu, or cuda where there is one") from error
    return device


def _dtype(name: str | None, device: str):
    import torch

    names = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    name = name or os.environ.get("IDIOLECT_ENGINE_DTYPE")
    if name is None:
        return torch.float32 if device == "cpu" else torch.bfloat16
    if name not in names:
        raise InputError(f"{name!r} is no number format of the engine", where="--dtype", hint="Use float32 or bfloat16")
    return names[name]


async def _run(options: Options, token: str, drawn: bool, listener: socket.socket, bases: list, checkpoints) -> None:
    import uvicorn

    from idiolect.engine.app import make_app
    from idiolect.engine.futures import Futures
    from idiolect.engine.state import Engine
    from idiolect.engine.worker import Worker

    worker = Worker([base.sampler for base in bases], options.threads or _cores())
    limits = {"session_timeout": options.session_timeout, "memory": int(options.memory * 2**30)}
    futures = Futures(asyncio.get_running_loop(), waiting_limit=options.requests)
    engine = Engine(bases, checkpoints, worker, futures, **limits)
    config = uvicorn.Config(
        make_app(engine, token), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2, ws="none",
        timeout_keep_alive=KEEP_ALIVE,
    )  # fmt: skip
    server = uvicorn.Server(config)
    # uvicorn's own handlers die of the signal again once it has stopped, before the worker is done.
    server.capture_signals = contextlib.nullcontext  # pyright: ignore[reportAttributeAccessIssue]
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, _ask_to_end, server)
    worker.start()
    # What is there now stays: the collector need not walk through it for every few requests.
    gc.collect()
    gc.freeze()
    watching = [asyncio.create_task(_watch(server, options.parent)), asyncio.create_task(_tend(engine, options.session_timeout))]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    address = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"http://{host}:{address[1]}"
    if drawn:
        print(f"token {token}", file=sys.stderr, flush=True)
    print(f"engine ready at {url}", flush=True)
    try:
        await serving
    finally:
        for task in watching:
            task.cancel()
        worker.stop(timeout=30)


async def _tend(engine, session_timeout: float) -> None:
    """End silent sessions and delete expired checkpoints, now and then."""
    while True:
        engine.tend()
        await asyncio.to_thread(engine.checkpoints.delete_expired)
        await asyncio.sleep(min(30.0, session_timeout / 4))


def _ask_to_end(server) -> None:
    server.should_exit = True


async def _watch(server, parent: int | None) -> None:
    """Ask the server to end when the parent has. A parent that is gone leaves its children to another process."""
    while parent is not None:
        await asyncio.sleep(1.0)
        if os.getppid() != parent and not _alive(parent):
            server.should_exit = True
            return


def _alive(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
