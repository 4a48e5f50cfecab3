"""The service that the verbs talk to: the one that is named, or else the local engine as a child process.

Knows how the engine's process is started, watched and stopped. Talks to it over its URL only.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from idiolect.engine.borrowing import borrow
from idiolect.errors import EngineError, InputError
from idiolect.service.connect import Connection
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["LocalEngine", "connected"]

_START_SECONDS = 900.0
_STOP_SECONDS = 20.0
_URL = re.compile(r"https?://[\w.:\[\]-]+")


@contextmanager
def connected(
    settings: Settings, workspace: Workspace, models: Sequence[str] | None = None, borrowed: Mapping[str, Path] | None = None
) -> Iterator[Connection]:
    """A connection to the named service, or to a local engine that serves ``models`` (by default the policy) meanwhile.

    ``borrowed`` names adapters that the local engine is to have from other state folders.
    """
    os.environ.setdefault("TINKER_TELEMETRY", "0")
    if settings.base_url or settings.api_key:
        with Connection(settings.base_url, settings.api_key, settings.service.concurrency) as connection:
            yield connection
        return
    if settings.preset == "handout" and not settings.model.policy:
        raise InputError(
            "the handout's models are too large to run here", where="idiolect.toml, field preset",
            hint="Set TINKER_API_KEY (and TINKER_BASE_URL), or choose the preset pocket or local",
        )  # fmt: skip
    for adapter, state in (borrowed or {}).items():
        borrow(adapter, state, workspace.engine_state)
    engine = LocalEngine(list(dict.fromkeys(models or [settings.policy])), workspace.engine_state)
    try:
        url = engine.start()
        with Connection(url, engine.token, settings.service.concurrency, health=engine.check) as connection:
            yield connection
    finally:
        engine.stop()


class LocalEngine:
    """``python -m idiolect.engine`` on loopback with a token of its own. It ends with this process, however that ends."""

    def __init__(self, models: Sequence[str], state: Path) -> None:
        self.models, self.state = models, state
        self.token = f"tml-{secrets.token_urlsafe(24)}"
        self.log = state / "engine.log"
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None
        self._said = threading.Event()

    def start(self) -> str:
        """Start it and wait until it is ready; its URL."""
        self.state.mkdir(parents=True, exist_ok=True)
        named = [part for model in self.models for part in ("--model", model)]
        command = [sys.executable, "-m", "idiolect.engine", *named, "--port", "0", "--host", "127.0.0.1", "--state", str(self.state)]
        with self.log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [*command, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "IDIOLECT_ENGINE_TOKEN": self.token},
                # Ctrl-C is for us: the engine is to finish what stops in order.
                start_new_session=True,
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self._said.wait(_START_SECONDS)
        if self._url is None:
            self.check()
            raise EngineError(f"the local engine was not ready after {_START_SECONDS:.0f} s", where=str(self.log))
        return self._url

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Read what the engine says until it ends, so that it never waits for a reader."""
        assert process.stdout is not None
        for line in process.stdout:
            found = _URL.search(line)
            if found and self._url is None:
                self._url = found[0]
                self._said.set()
        process.wait()
        self._said.set()

    def check(self) -> None:
        """Raise ``EngineError`` with the engine's last words if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            lines = [line for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            raise EngineError(f"the local engine has ended: {lines[-1] if lines else 'it said nothing'}", hint=f"Its log is {self.log}")

    def stop(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
