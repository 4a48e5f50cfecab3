"""Clients' sessions: who is there, what they made, when they were last heard of. Knows no tensors and no HTTP.

STATE/.sessions/<id>.json outlives the engine, so that listings are whole after a restart and samplers of saved checkpoints go on.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idiolect.engine.durable import write_json
from idiolect.engine.futures import Busy
from idiolect.errors import InputError

__all__ = ["Gone", "Missing", "Session", "Sessions", "texts"]

TEXT_LIMIT = 64 * 1024
"""Characters of the metadata that a client may attach to one thing."""

log = logging.getLogger(__name__)


class Missing(InputError):
    """The client names what the engine does not know: HTTP 404."""


class Gone(InputError):
    """The client names what has ended: HTTP 410."""


def texts(metadata: dict[str, Any] | None) -> dict[str, str]:
    """What a client says of its thing, as texts. Raises ``InputError`` if it is too long to keep."""
    found = {str(key): str(value) for key, value in (metadata or {}).items()}
    if sum(len(key) + len(value) for key, value in found.items()) > TEXT_LIMIT:
        raise InputError(f"the metadata has more than {TEXT_LIMIT} characters", hint="Keep long texts elsewhere")
    return found


@dataclass
class Session:
    id: str
    metadata: dict[str, str]
    display_name: str | None
    project: str | None
    created: str
    runs: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    lasting: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Samplers that can be made again after a restart: id -> base model, checkpoint path and its version."""
    status: dict[str, Any] | None = field(default_factory=lambda: {"type": "active"})
    """As the SDK's SessionStatus; None if it was not heard of for too long."""
    seen: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> bool:
        return self.status is None or self.status["type"] != "active"


class Sessions:
    """Sessions by id, oldest first; at most ``limit``, of which the oldest ended ones are forgotten."""

    def __init__(self, state: Path, timeout: float, limit: int = 10_000) -> None:
        self.timeout, self.limit = timeout, limit
        self.folder = state / ".sessions"
        self.all: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._read()

    def _read(self) -> None:
        known = {f.name for f in fields(Session)} - {"seen"}
        found = []
        for path in self.folder.glob("[!.]*.json"):
            try:
                held = json.loads(path.read_text())
                found.append(Session(**{name: held[name] for name in known}))
            except (OSError, ValueError, KeyError, TypeError):
                log.warning("%s does not describe a session and is passed over", path)
        self.all = {session.id: session for session in sorted(found, key=lambda session: session.created)}

    def new(self, metadata: dict[str, Any] | None, display_name: str | None, project: str | None) -> Session:
        said = texts({**(metadata or {}), "": f"{display_name or ''}{project or ''}"})
        said.pop("")
        if len(self.all) >= self.limit:
            oldest = next((session for session in self.all.values() if session.ended), None)
            if oldest is None:
                raise Busy(f"{self.limit} sessions are open, which is all the engine can hold; finish some")
            del self.all[oldest.id]
            self._path(oldest).unlink(missing_ok=True)
        session = Session(uuid.uuid4().hex, said, display_name, project, datetime.now(UTC).isoformat())
        self.all[session.id] = session
        self.keep(session)
        return session

    def get(self, identity: str) -> Session:
        """An open session, which is thereby heard of. Raises ``Missing`` or ``Gone``."""
        session = self.known(identity)
        if session.ended:
            why = "has been finished" if session.status else f"has ended: it was not heard of for {self.timeout:g} seconds"
            raise Gone(f"this session {why}", hint="Make a new ServiceClient; saved checkpoints are still there")
        session.seen = time.monotonic()
        return session

    def known(self, identity: str) -> Session:
        if identity not in self.all:
            raise Missing("there is no such session", hint="Make a new ServiceClient")
        return self.all[identity]

    def silent(self) -> list[Session]:
        """Open sessions that were not heard of for ``timeout`` seconds."""
        now = time.monotonic()
        return [session for session in self.all.values() if not session.ended and now - session.seen > self.timeout]

    def keep(self, session: Session) -> None:
        """Write the session down. That it cannot be only costs its listing after a restart."""
        with self._lock:
            held = asdict(session)
            held.pop("seen")
            try:
                self.folder.mkdir(exist_ok=True)
                write_json(self._path(session), held, lasting=False)
            except OSError:
                log.exception("a session cannot be written down")

    def _path(self, session: Session) -> Path:
        return self.folder / f"{session.id}.json"
