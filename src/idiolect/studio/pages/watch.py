"""Watch: the curves of a training while it runs, drafts by its newest checkpoint as they come or on demand, and a button that stops it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.studio.desk import Desk
from idiolect.studio.pages.compare import some_request
from idiolect.studio.rounds import folder_of
from idiolect.studio.trainings import Watched, checkpoint_writer, line_of, stop, watched, watched_run
from idiolect.studio.verdicts import newest_texts
from idiolect.workspace import read_json_lines, write_json_lines

__all__ = ["routes"]

_SAMPLES = 6
"""Drafts that are shown, and automatic ones that are kept."""
_REST = 9
"""Times as long as a draft took before the next automatic one: the processor may be the training's own."""


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    kept = folder_of(desk.workspace) / "quiet.jsonl"
    quiet: set[str] = set(read_json_lines(kept)) if kept.is_file() else set()
    """Runs whose checkpoints draft nothing by themselves."""

    @router.get("/watch")
    def runs(request: Request) -> Response:
        return desk.page(request, "watch.html", page="watch", runs=watched(desk.workspace))

    @router.get("/watch/{name}")
    async def run(request: Request, name: str) -> Response:
        return desk.page(request, "run.html", page="watch", **_samples(name), **_live(name))

    @router.get("/watch/{name}/samples")
    async def samples(request: Request, name: str) -> Response:
        return desk.page(request, "samples.html", run=watched_run(desk.workspace, name), **_samples(name))

    @router.post("/watch/{name}/automatic")
    async def automatic(request: Request, name: str) -> Response:
        found, form = watched_run(desk.workspace, name), await request.form()
        (quiet.discard if form.get("on") else quiet.add)(found.name)
        write_json_lines(kept, sorted(quiet))
        return RedirectResponse(f"/watch/{name}#samples", 303)

    @router.get("/watch/{name}/live")
    def live(request: Request, name: str) -> Response:
        return desk.page(request, "live.html", **_live(name))

    @router.post("/watch/{name}/stop")
    def ask_to_stop(name: str) -> Response:
        stop(desk.workspace, name)
        return RedirectResponse(f"/watch/{name}", 303)

    @router.post("/watch/{name}/sample")
    async def sample(request: Request, name: str) -> Response:
        form = await request.form()
        writer = checkpoint_writer(desk.workspace, desk.settings, name)
        asked = str(form.get("request") or "").strip() or some_request(desk)
        desk.drafting.start(desk.rounds.new("sample", asked, [writer], run=name))
        return RedirectResponse(f"/watch/{name}#samples", 303)

    def _samples(name: str) -> dict[str, Any]:
        """The newest drafts, those that are not written yet being written."""
        found = watched_run(desk.workspace, name)
        if name not in quiet:
            _draft_by_itself(desk, found)
        shown = desk.rounds.newest("sample", _SAMPLES, run=name)
        for one in shown:
            desk.drafting.start(one)
        live = found.state == "running" or not all(one.done for one in shown)
        return {"samples": shown, "automatic": name not in quiet, "live": live}

    def _live(name: str) -> dict[str, Any]:
        found = watched_run(desk.workspace, name)
        # A page that asks for the curves every two seconds needs no more points than it has pixels.
        curves = [(curve.label, curve.name, line_of(_thinned(points))) for curve in found.curves for points in curve.lines.values()]
        return {"run": found, "curves": curves}

    return router


def _draft_by_itself(desk: Desk, found: Watched) -> None:
    """A new round for the newest checkpoint of a running training, unless it has drafted already or the last draft is too recent.

    The request is always the newest of the demonstrations, so that the drafts can be held against each other, and none is held out.
    """
    if found.state != "running" or found.method == "judge":
        return
    try:
        writer = checkpoint_writer(desk.workspace, desk.settings, found.name)
        (row,) = newest_texts(load_demonstrations(desk.workspace.demonstrations), 1)
    except InputError:
        # There is no checkpoint yet, or no request.
        return
    before = desk.rounds.newest("sample", run=found.name)
    if before:
        last, made = before[0], before[0].drafts[0]
        rested = (datetime.now(UTC) - last.time).total_seconds() >= (1 + _REST) * made.seconds
        if not last.done or not rested or made.writer.adapter == writer.adapter:
            return
    for old in [one for one in before if one.automatic][_SAMPLES - 1 :]:
        desk.rounds.drop(old)
    desk.rounds.new("sample", row.input, [writer], run=found.name, automatic=True)


def _thinned(points: tuple[tuple[int, float], ...], most: int = 640) -> list[tuple[int, float]]:
    every = -(-len(points) // most)
    return [*points[:-1:every], points[-1]]
