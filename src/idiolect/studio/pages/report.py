"""Report: the comparison's page and PDF from ``results/``, shown without any right to do something."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from idiolect.errors import InputError
from idiolect.report import build_report
from idiolect.studio.desk import Desk

__all__ = ["routes"]

_FILES = {
    "report.html": "text/html; charset=utf-8",
    "report.pdf": "application/pdf",
    "report-redacted.html": "text/html; charset=utf-8",
    "report-redacted.pdf": "application/pdf",
}
# The report holds drafts and requests: in a sandbox, without scripts and forms, it could do nothing even if it held markup.
_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/report")
    def report(request: Request) -> Response:
        results = desk.workspace.results
        files = [name for name in _FILES if (results / name).is_file()]
        return desk.page(request, "report.html", page="report", files=files, compared=(results / "compare.json").is_file())

    @router.get("/report/{name}")
    def file(name: str) -> Response:
        path = desk.workspace.results / name
        if name not in _FILES or not path.is_file():
            raise InputError("there is no such report", hint="Write it anew under Report")
        policy = {} if name.endswith(".pdf") else {"content-security-policy": _POLICY}
        return FileResponse(path, media_type=_FILES[name], headers=policy)

    @router.post("/report")
    async def anew(request: Request) -> Response:
        form = await request.form()
        redact = form.get("redact") == "on"
        await asyncio.to_thread(build_report, desk.workspace, prices=desk.settings.prices, redact=redact)
        return RedirectResponse("/report", 303)

    return router
