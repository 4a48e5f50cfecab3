"""What the SDK's admin client asks of an account: usage, storage, a log of changes, a session's trace. Nothing costs anything here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request

from idiolect.engine.requests import ROOT
from idiolect.engine.state import Engine
from idiolect.errors import InputError

__all__ = ["add_account"]

LONGEST = timedelta(days=14)
"""The widest window of usage that may be asked for, as at the service."""


def add_account(app: FastAPI, engine: Engine) -> None:
    @app.get(f"{ROOT}/billing/usage/events")
    async def usage(request: Request) -> dict[str, Any]:
        began, ended = (_time(request, name) for name in ("starting_on", "ending_before"))
        if not timedelta(0) < ended - began <= LONGEST:
            raise InputError(f"ending_before must follow starting_on by at most {LONGEST.days} days")
        return {"data": [], "sessions": {}, "cost_data_through": None}

    @app.get(f"{ROOT}/billing/usage/checkpoints/current")
    async def storage(request: Request) -> dict[str, Any]:
        asked = request.query_params.get("project_id")
        held: dict[str | None, list[int]] = {}
        for run in engine.checkpoints.runs():
            if asked is None or run.get("project") == asked:
                sizes = [facts.get("size", 0) for facts in engine.checkpoints.of_run(run["run"])]
                held.setdefault(run.get("project"), []).extend(sizes)
        return {
            "effective_rate_usd_per_gigabyte_month": 0.0,
            "data": [
                {
                    "project_id": project,
                    "checkpoint_count": len(sizes),
                    "size_bytes": sum(sizes),
                    "size_gigabytes": sum(sizes) / 1e9,
                    "estimated_monthly_cost_usd": 0.0,
                }
                for project, sizes in held.items()
                if sizes
            ],
        }

    @app.get(f"{ROOT}/audit")
    async def audit() -> dict[str, Any]:
        return {"entries": []}

    @app.get(f"{ROOT}/sessions/{{identity}}/trace_export")
    async def trace_export(identity: str) -> dict[str, Any]:
        engine.sessions.known(identity)
        return {"status": "failed", "url": None, "error": "this engine keeps no timeline of its requests; profile your own code instead"}


def _time(request: Request, name: str) -> datetime:
    try:
        given = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError as error:
        raise InputError("must be a time like 2026-07-13T00:00:00Z", where=name) from error
    if given.tzinfo is None:
        raise InputError("must name its time zone, as in 2026-07-13T00:00:00Z", where=name)
    return given
