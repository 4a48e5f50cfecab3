"""Watch: the curves of a training while it runs, drafts by its newest checkpoint, and a button that stops it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from idiolect.studio.desk import Desk
from idiolect.studio.pages.compare import some_request
from idiolect.studio.trainings import checkpoint_writer, line_of, stop, watched, watched_run

__all__ = ["routes"]

_SAMPLES = 6


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/watch")
    def runs(request: Request) -> Response:
        return desk.page(request, "watch.html", page="watch", runs=watched(desk.workspace))

    @router.get("/watch/{name}")
    async def run(request: Request, name: str) -> Response:
        samples = desk.rounds.newest("sample", _SAMPLES, run=name)
        for one in samples:
            desk.drafting.start(one)
        return desk.page(request, "run.html", page="watch", samples=samples, **_live(name))

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

    def _live(name: str) -> dict[str, Any]:
        found = watched_run(desk.workspace, name)
        # A page that asks for the curves every two seconds needs no more points than it has pixels.
        curves = [(curve.label, curve.name, line_of(_thinned(points))) for curve in found.curves for points in curve.lines.values()]
        return {"run": found, "curves": curves}

    return router


def _thinned(points: tuple[tuple[int, float], ...], most: int = 640) -> list[tuple[int, float]]:
    every = -(-len(points) // most)
    return [*points[:-1:every], points[-1]]
