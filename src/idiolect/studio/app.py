"""The studio's application: its pages behind its guard.

Knows FastAPI and how errors are shown. Each page is a file of ``pages/``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from idiolect.errors import IdiolectError, InputError
from idiolect.report import svg
from idiolect.settings import Settings
from idiolect.studio.access import Access, Guard, check_form
from idiolect.studio.context import Context
from idiolect.studio.desk import Desk, said
from idiolect.studio.drafting import Connect, Drafting
from idiolect.studio.pages import compare, report, setup, watch, write
from idiolect.studio.rounds import Rounds
from idiolect.studio.verdicts import Verdicts
from idiolect.workspace import Workspace

__all__ = ["studio_app"]


def studio_app(workspace: Workspace, settings: Settings, connect: Connect, access: Access) -> ASGIApp:
    """The ASGI application. ``connect`` is called when the first draft is asked for."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await desk.verdicts.close()
        await desk.drafting.close()

    rounds = Rounds(workspace)
    context = Context(workspace, settings)
    drafting = Drafting(connect, rounds, seed=settings.seed, chooser=context.chooser)
    desk = Desk(workspace, settings, rounds, drafting, Verdicts(workspace, settings, drafting), context)
    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, dependencies=[Depends(check_form)])
    for page in (write, compare, watch, setup, report):
        app.include_router(page.routes(desk))

    @app.get("/")
    def home() -> Response:
        return RedirectResponse("/write", 303)

    @app.get("/static/palette.css")
    def palette() -> Response:
        return Response(_palette(), media_type="text/css")

    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))

    @app.exception_handler(IdiolectError)
    def explained(request: Request, error: IdiolectError) -> HTMLResponse:
        status = 400 if isinstance(error, InputError) else 502
        return desk.page(request, "problem.html", status=status, page="", problem=said(error))

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> HTMLResponse:
        problem = "There is no such page. Choose one from the menu above." if error.status_code == 404 else said(Exception(error.detail))
        return desk.page(request, "problem.html", status=error.status_code, page="", problem=problem)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> HTMLResponse:
        problem = "Something went wrong here; the terminal that runs the studio names the place. Try again."
        return desk.page(request, "problem.html", status=500, page="", problem=problem)

    return Guard(app, access)


def _palette() -> str:
    """The report's colours, as variables of the style sheet."""
    light, dark = ("".join(f"--{name}: {colour}; " for name, colour in one.items()) for one in (svg.LIGHT, svg.DARK))
    return f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"
