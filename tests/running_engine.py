"""An engine as a process of its own, for tests of whatever speaks to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN = "tml-test-token"


@dataclass
class RunningEngine:
    url: str
    token: str
    state: Path
    models: list[str]
    process: subprocess.Popen[str]


@contextmanager
def start_engine(
    *models: Path | str, state: Path, token: str = TOKEN, arguments: tuple[str, ...] = (), folder: Path | None = None
) -> Iterator[RunningEngine]:
    """Start an engine on a free port (in ``folder``), wait until it is ready, and end it afterwards."""
    names = [str(model) for model in models]
    command = [sys.executable, "-m", "idiolect.engine", "--state", str(state), "--parent", str(os.getpid()), *arguments]
    for name in names:
        command += ["--model", name]
    # One thread: the test machine runs several things at once, and tiny models gain nothing from more.
    environment = {**os.environ, "IDIOLECT_ENGINE_TOKEN": token, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "http" in line, f"the engine did not start: {line!r}"
        yield RunningEngine(line.split()[-1], token, state, names, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.stdout.close()
