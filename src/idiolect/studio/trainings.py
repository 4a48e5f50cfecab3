"""Trainings as they run: their state, their curves, their newest checkpoint, and how one is stopped.

Knows run folders and processes. Knows nothing of methods: whatever run logs its steps is shown.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from idiolect.errors import InputError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.run import Run, all_runs
from idiolect.report.curves import Curves, Training, curves_of
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings
from idiolect.workspace import Workspace, read_json, read_json_lines

__all__ = ["Line", "Watched", "checkpoint_writer", "line_of", "stop", "watched", "watched_run"]

_WIDTH, _HEIGHT = 640.0, 180.0
_stopped: set[int] = set()
"""Processes that were asked to stop once."""


@dataclass(frozen=True)
class Watched:
    """What a run folder says about its training now."""

    name: str
    method: str
    begun: str
    """When, in this machine's time: ``25 Nov 2026, 12:45``."""
    state: str
    """``running``, ``finished`` or ``stopped``."""
    step: int
    """Steps done."""
    steps: int | None
    """Steps wanted, where the config says so."""
    curves: tuple[Curves, ...]
    process: int | None


@dataclass(frozen=True)
class Line:
    """A curve as the points of an SVG polyline in a box of 640 × 180."""

    points: str
    first: float
    last: float
    low: float
    high: float
    steps: tuple[int, int]


def watched(workspace: Workspace) -> list[Watched]:
    """The workspace's trainings, newest first: runs that log steps, and those that are running and have not logged one yet."""
    found = [_watched(run) for run in reversed(all_runs(workspace))]
    return [one for one in found if one.step or one.process]


def watched_run(workspace: Workspace, name: str) -> Watched:
    return _watched(_run(workspace, name))


def stop(workspace: Workspace, name: str) -> None:
    """Interrupt the run's process, as Ctrl-C does: it leaves in order, and its command goes on from the last checkpoint.

    A process that was started to ignore that (a script's background job) is ended at the second call; its checkpoints are whole, too.
    Raises ``InputError`` where the run has no process.
    """
    process = _run(workspace, name).process
    if process is None or process == os.getpid():
        raise InputError("this training is not running", hint="Reload the page")
    try:
        os.kill(process, signal.SIGTERM if process in _stopped else signal.SIGINT)
    except ProcessLookupError as error:
        raise InputError("this training has just ended", hint="Reload the page") from error
    except PermissionError as error:
        raise InputError("this training belongs to another user", hint="Stop it where it was started") from error
    _stopped.add(process)


def checkpoint_writer(workspace: Workspace, settings: Settings, name: str) -> Writer:
    """The newest checkpoint of a run as a writer. Raises ``InputError`` where there is none to sample from."""
    run = _run(workspace, name)
    if run.finished and run.writer().adapter:
        return run.writer()
    for path in _files(run, "checkpoints.jsonl"):
        for record in reversed([row for row in read_json_lines(path, torn_tail=True) if isinstance(row, dict)]):
            if isinstance(record.get("sampler_path"), str):
                shown = f"{run.folder.name.split('-')[0]} at {record.get('name', 'checkpoint')}"
                plain = plain_writer(workspace, settings, name=shown, temperature=TEMPERATURE)
                config = read_json(run.folder / "config.json")
                base = config.get("base_model", plain.base_model)
                return plain.model_copy(update={"base_model": base, "adapter": record["sampler_path"], "system_prompt": _told(config)})
    raise InputError("this training has no checkpoint yet", hint="Wait for the first; `--save-every` says after how many steps it comes")


def _told(config: dict[str, Any]) -> str | None:
    """The system prompt with which a run's policy writes: RLAIF's own is the start's, unless a prompt is there to be distilled away."""
    first = config.get("first")
    if isinstance(first, dict):
        return None if config.get("prompt") else first.get("system_prompt")
    return config.get("prompt")


def line_of(points: Sequence[tuple[int, float]]) -> Line:
    """The curve in its box: the first step at the left, the largest value at the top."""
    steps, values = [step for step, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    across, up = max(steps[-1] - steps[0], 1), (high - low) or 1.0
    places = (
        f"{(step - steps[0]) / across * _WIDTH:.1f},{_HEIGHT - (value - low) / up * (_HEIGHT - 10) - 5:.1f}" for step, value in points
    )
    return Line(" ".join(places), values[0], values[-1], low, high, (steps[0], steps[-1]))


def _run(workspace: Workspace, name: str) -> Run:
    for run in all_runs(workspace):
        if run.folder.name == name:
            return run
    raise InputError("there is no such run", hint="Choose one under Watch")


def _watched(run: Run) -> Watched:
    rows = _rows(run)
    config: dict[str, Any] = read_json(run.folder / "config.json") if (run.folder / "config.json").is_file() else {}
    # A reward model's run ends with its judge.
    finished = run.finished or (run.folder / "judge.json").is_file()
    process = None if finished else run.process
    state = "finished" if finished else "running" if process else "stopped"
    # DITTO imitates first, and then counts its steps anew, through all rounds.
    phase = rows[-1].get("phase") if rows else None
    wanted = [config.get("imitate_steps")] if phase == "imitation" else [config.get("steps"), config.get("rounds", 1)]
    known = [one for one in wanted if isinstance(one, int)]
    steps = math.prod(known) if len(known) == len(wanted) else None
    counted = [int(row["step"]) + 1 for row in rows if isinstance(row.get("step"), int) and row.get("phase") == phase]
    done = max(counted, default=len(rows))
    method = run.folder.name.split("-")[0]
    curves = tuple(curves_of([Training(method, tuple(rows), config)]))
    begun = datetime.strptime(run.folder.name.split("-", 1)[1][:15], "%Y%m%d-%H%M%S").strftime("%-d %b %Y, %H:%M")
    return Watched(run.folder.name, method, begun, state, done, steps, curves, process)


def _rows(run: Run) -> list[dict[str, Any]]:
    """Each step of each phase once: a run that goes on logs the steps since its checkpoint again."""
    for path in _files(run, "metrics.jsonl"):
        rows = [row for row in read_json_lines(path, torn_tail=True) if isinstance(row, dict)]
        if rows:
            return list({(row.get("phase"), row.get("step", index)): row for index, row in enumerate(rows)}.values())
    return []


def _files(run: Run, name: str) -> list[Path]:
    """The run's own file, which is there once it is finished, then those of the loops inside it, the newest first."""
    inner = sorted(run.folder.glob(f"*/{name}"), key=lambda path: -path.stat().st_mtime_ns)
    return [path for path in (run.folder / name, *inner) if path.is_file()]
