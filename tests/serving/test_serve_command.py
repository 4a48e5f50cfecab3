"""``idiolect serve`` as a person starts and stops it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI

from idiolect.errors import InputError
from idiolect.serving import serve, token_or_new
from idiolect.serving.server import _listen
from idiolect.workspace import Workspace
from running_engine import RunningEngine


@pytest.mark.parametrize("given", [None, "given-by-the-environment"])
def test_it_tells_address_and_token_and_stops_in_order(engine: RunningEngine, place: Workspace, given: str | None) -> None:
    environment = {**os.environ, "TINKER_BASE_URL": engine.url, "TINKER_API_KEY": engine.token}
    environment |= {"IDIOLECT_SERVE_TOKEN": given} if given else {}
    command = [sys.executable, "-m", "idiolect", "serve", "--port", "0", "--workspace", str(place.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(3))
    url = re.findall(r"(http://127\.0\.0\.1:\d+)/v1", said)[0]
    token = given or said.split()[-1]
    assert (given or "nothing") not in said
    answer = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {token}"})
    assert len(answer.json()["data"]) == 3
    assert httpx.get(f"{url}/v1/models").status_code == 401
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_told(served: str) -> None:
    port = int(served.rsplit(":", 1)[1])
    with pytest.raises(InputError, match="cannot listen there"):
        asyncio.run(serve(FastAPI(), "127.0.0.1", port, print))


@pytest.mark.parametrize("weak", ["short", "has a space in its middle", "ümlaute-sind-kein-ascii"])
def test_a_weak_token_is_refused(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setenv("IDIOLECT_SERVE_TOKEN", weak)
    with pytest.raises(InputError, match="at least 16 ASCII"):
        token_or_new()


def test_a_drawn_token_is_long_and_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDIOLECT_SERVE_TOKEN", raising=False)
    (one, drawn), (other, _) = token_or_new(), token_or_new()
    assert drawn
    assert one != other
    assert len(one) > 30


def test_small_pieces_of_a_stream_go_out_at_once() -> None:
    """What asyncio accepts on a listener inherits this; else a piece waits for the one before to be acknowledged."""
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
