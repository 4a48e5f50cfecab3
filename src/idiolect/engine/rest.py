"""Listings of runs, checkpoints and sessions, and deleting a checkpoint: what the SDK's REST client asks. Knows no tensors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from idiolect.engine.checkpoints import KINDS, Place
from idiolect.engine.requests import ROOT
from idiolect.engine.state import Engine, Missing
from idiolect.errors import InputError

__all__ = ["add_listings"]


def _checkpoint(engine: Engine, place: Place) -> dict[str, Any]:
    facts = engine.checkpoints.facts(place)
    return {
        "checkpoint_id": f"{place.kind}/{place.name}",
        "checkpoint_type": KINDS[place.kind],
        "time": facts["time"],
        "tinker_path": str(place),
        "size_bytes": engine.checkpoints.size(place),
        "public": False,
        "user_metadata": facts["user_metadata"],
        "expires_at": facts["expires"],
    }


def _checkpoints(engine: Engine, run: str) -> list[dict[str, Any]]:
    """A run's checkpoints that have not expired."""
    found = []
    for place in engine.checkpoints.of_run(run):
        try:
            found.append(_checkpoint(engine, place))
        except (InputError, OSError):  # expired, or deleted meanwhile
            continue
    return found


def _run(engine: Engine, facts: dict[str, Any]) -> dict[str, Any]:
    held = _checkpoints(engine, facts["run"])
    last = {kind: next((c for c in reversed(held) if c["checkpoint_type"] == kind), None) for kind in ("training", "sampler")}
    times = [facts["created"]] + [checkpoint["time"] for checkpoint in held]
    return {
        "training_run_id": facts["run"],
        "base_model": facts["base_model"],
        "model_owner": "local",
        "is_lora": True,
        "lora_rank": facts["rank"],
        "last_request_time": max(times, key=datetime.fromisoformat),
        "last_checkpoint": last["training"],
        "last_sampler_checkpoint": last["sampler"],
        "user_metadata": facts["user_metadata"],
    }


def _page(request: Request, total: int) -> tuple[int, int, dict[str, int]]:
    """Offset, end and the cursor of a listing. Raises ``InputError`` for what are no counts."""
    try:
        offset, limit = int(request.query_params.get("offset", 0)), int(request.query_params.get("limit", 100))
    except ValueError as error:
        raise InputError("offset and limit must be whole numbers") from error
    if offset < 0 or not 0 <= limit <= 10_000:
        raise InputError("offset and limit must not be negative, and limit at most 10000")
    return offset, offset + limit, {"offset": offset, "limit": limit, "total_count": total}


def add_listings(app: FastAPI, engine: Engine) -> None:
    def known_run(identity: str) -> dict[str, Any]:
        try:
            return engine.checkpoints.run(identity)
        except InputError as error:
            raise Missing(error.what) from error

    def known_place(run: str, kind: str, name: str) -> Place:
        place = Place.made(run, kind, name)
        if not engine.checkpoints.exists(place):
            raise Missing(f"there is no checkpoint {place}")
        return place

    @app.get(f"{ROOT}/training_runs")
    async def training_runs(request: Request) -> dict[str, Any]:
        runs = engine.checkpoints.runs()
        start, stop, cursor = _page(request, len(runs))
        return {"training_runs": [_run(engine, facts) for facts in runs[start:stop]], "cursor": cursor}

    @app.get(f"{ROOT}/training_runs/{{run}}")
    async def training_run(run: str) -> dict[str, Any]:
        return _run(engine, known_run(run))

    @app.get(f"{ROOT}/training_runs/{{run}}/checkpoints")
    async def run_checkpoints(run: str) -> dict[str, Any]:
        known_run(run)
        return {"checkpoints": _checkpoints(engine, run)}

    @app.get(f"{ROOT}/checkpoints")
    async def checkpoints(request: Request) -> dict[str, Any]:
        held = [checkpoint for facts in engine.checkpoints.runs() for checkpoint in _checkpoints(engine, facts["run"])]
        start, stop, cursor = _page(request, len(held))
        return {"checkpoints": held[start:stop], "cursor": cursor}

    @app.delete(f"{ROOT}/training_runs/{{run}}/checkpoints/{{kind}}/{{name}}")
    async def delete(run: str, kind: str, name: str) -> Response:
        engine.checkpoints.delete(known_place(run, kind, name))
        return Response(status_code=204)

    @app.post(f"{ROOT}/weights_info")
    async def weights_info(request: Request) -> Any:
        try:
            path = (await request.json())["tinker_path"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "the body must hold tinker_path", "category": "user"}, 422)
        place = Place.parsed(str(path))
        facts = engine.checkpoints.facts(known_place(place.run, place.kind, place.name))
        covers = {key: facts[key] for key in ("train_unembed", "train_mlp", "train_attn")}
        return {"base_model": facts["base_model"], "is_lora": True, "lora_rank": facts["rank"], **covers}

    @app.get(f"{ROOT}/sessions")
    async def sessions(request: Request) -> dict[str, Any]:
        start, stop, _ = _page(request, len(engine.sessions))
        return {"sessions": list(reversed(engine.sessions))[start:stop]}

    @app.get(f"{ROOT}/sessions/{{identity}}")
    async def session(identity: str) -> dict[str, Any]:
        if identity not in engine.sessions:
            raise Missing("there is no such session")
        held = engine.sessions[identity]
        texts = {str(key): str(value) for key, value in (held.metadata or {}).items()}
        return {"training_run_ids": held.runs, "sampler_ids": held.samplers, "user_metadata": texts, "display_name": held.display_name}
