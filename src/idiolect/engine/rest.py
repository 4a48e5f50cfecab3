"""What the SDK's REST client asks: listings of runs, checkpoints and sessions, and changes to a checkpoint. Knows no tensors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pydantic
from fastapi import FastAPI, Request, Response
from tinker import types
from tinker.types import SessionSearchRequest

from idiolect.engine.checkpoints import Facts, Place, expiry
from idiolect.engine.places import KINDS
from idiolect.engine.requests import ROOT, parsed
from idiolect.engine.sessions import Session, texts
from idiolect.engine.state import Engine, Missing
from idiolect.errors import InputError

__all__ = ["add_listings"]

OWNER = "local"


class WeightsInfoRequest(pydantic.BaseModel):
    tinker_path: str


class TtlRequest(pydantic.BaseModel):
    ttl_seconds: int | None


class ProjectRequest(pydantic.BaseModel):
    project_id: str


def _checkpoint(facts: Facts) -> dict[str, Any]:
    place = Place.parsed(facts["path"])
    return {
        "checkpoint_id": f"{place.kind}/{place.name}",
        "checkpoint_type": KINDS[place.kind],
        "time": facts["time"],
        "tinker_path": str(place),
        "size_bytes": facts.get("size"),
        "public": facts.get("public", False),
        "user_metadata": facts["user_metadata"],
        "expires_at": facts["expires"],
    }


def _checkpoints(engine: Engine, run: str) -> list[dict[str, Any]]:
    return [_checkpoint(facts) for facts in engine.checkpoints.of_run(run)]


def _run(engine: Engine, facts: Facts) -> dict[str, Any]:
    held = _checkpoints(engine, facts["run"])
    last = {kind: next((c for c in reversed(held) if c["checkpoint_type"] == kind), None) for kind in ("training", "sampler")}
    times = [facts["created"]] + [checkpoint["time"] for checkpoint in held]
    return {
        "training_run_id": facts["run"],
        "base_model": facts["base_model"],
        "model_owner": OWNER,
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
    _add_runs(app, engine)
    _add_checkpoints(app, engine)
    _add_sessions(app, engine)


def _known_run(engine: Engine, identity: str) -> Facts:
    try:
        return engine.checkpoints.run(identity)
    except InputError as error:
        raise Missing(error.what) from error


def _add_runs(app: FastAPI, engine: Engine) -> None:
    @app.get(f"{ROOT}/training_runs")
    async def training_runs(request: Request) -> dict[str, Any]:
        project = request.query_params.get("project_id")
        runs = [facts for facts in engine.checkpoints.runs() if project is None or facts.get("project") == project]
        start, stop, cursor = _page(request, len(runs))
        return {"training_runs": [_run(engine, facts) for facts in runs[start:stop]], "cursor": cursor}

    @app.get(f"{ROOT}/training_runs/{{run}}")
    async def training_run(run: str) -> dict[str, Any]:
        return _run(engine, _known_run(engine, run))

    @app.get(f"{ROOT}/training_runs/{{run}}/checkpoints")
    async def run_checkpoints(run: str) -> dict[str, Any]:
        _known_run(engine, run)
        return {"checkpoints": _checkpoints(engine, run)}


def _add_checkpoints(app: FastAPI, engine: Engine) -> None:
    named = f"{ROOT}/training_runs/{{run}}/checkpoints/{{kind}}/{{name}}"
    done = Response(status_code=204)

    def known(run: str, kind: str, name: str) -> Place:
        place = Place.made(run, kind, name)
        if not engine.checkpoints.exists(place):
            raise Missing(f"there is no checkpoint {place}")
        return place

    @app.get(f"{ROOT}/checkpoints")
    async def checkpoints(request: Request) -> dict[str, Any]:
        held = [facts for run in engine.checkpoints.runs() for facts in engine.checkpoints.of_run(run["run"])]
        held.sort(key=lambda facts: facts["time"], reverse=True)
        start, stop, cursor = _page(request, len(held))
        return {"checkpoints": [_checkpoint(facts) for facts in held[start:stop]], "cursor": cursor}

    @app.delete(named)
    async def delete(run: str, kind: str, name: str) -> Response:
        engine.checkpoints.delete(known(run, kind, name))
        return done

    @app.put(f"{named}/ttl")
    async def set_ttl(request: Request, run: str, kind: str, name: str) -> Response:
        asked = await parsed(request, TtlRequest)
        engine.checkpoints.change(known(run, kind, name), expires=expiry(asked.ttl_seconds))
        return done

    @app.post(f"{named}/publish")
    async def publish(run: str, kind: str, name: str) -> Response:
        engine.checkpoints.change(known(run, kind, name), public=True)
        return done

    @app.delete(f"{named}/publish")
    async def unpublish(run: str, kind: str, name: str) -> Response:
        engine.checkpoints.change(known(run, kind, name), public=False)
        return done

    @app.post(f"{ROOT}/weights_info")
    async def weights_info(request: Request) -> Any:
        place = Place.parsed((await parsed(request, WeightsInfoRequest)).tinker_path)
        facts = engine.checkpoints.facts(known(place.run, place.kind, place.name))
        covers = {key: facts[key] for key in ("train_unembed", "train_mlp", "train_attn")}
        return {"base_model": facts["base_model"], "is_lora": True, "lora_rank": facts["rank"], **covers}


def _add_sessions(app: FastAPI, engine: Engine) -> None:
    @app.get(f"{ROOT}/sessions")
    async def sessions(request: Request) -> dict[str, Any]:
        start, stop, _ = _page(request, len(engine.sessions.all))
        return {"sessions": list(reversed(engine.sessions.all))[start:stop]}

    @app.get(f"{ROOT}/sessions/{{identity}}")
    async def session(identity: str) -> dict[str, Any]:
        held = engine.sessions.known(identity)
        said = {"user_metadata": held.metadata, "display_name": held.display_name}
        return {"training_run_ids": held.runs, "sampler_ids": held.samplers, **said}

    @app.put(f"{ROOT}/sessions/{{identity}}/project")
    async def assign_project(request: Request, identity: str) -> Response:
        asked = await parsed(request, ProjectRequest)
        held = engine.sessions.known(identity)
        held.project = texts({"project": asked.project_id})["project"]
        engine.sessions.keep(held)
        for run in held.runs:
            engine.checkpoints.start_run(run, {**engine.checkpoints.run(run), "project": held.project})
        return Response(status_code=204)

    @app.post(f"{ROOT}/sessions/search")
    async def search(request: Request) -> dict[str, Any]:
        asked = await parsed(request, SessionSearchRequest)
        found = [held for held in reversed(engine.sessions.all.values()) if _matches(held, asked)]
        if asked.cursor is not None:
            after = asked.cursor.last_created_at, asked.cursor.last_session_id
            found = [held for held in found if (datetime.fromisoformat(held.created), held.id) < after]
        page = found[: asked.limit]
        more = {"last_created_at": page[-1].created, "last_session_id": page[-1].id} if len(found) > len(page) else None
        return {"sessions": [_summary(engine, held) for held in page], "next_cursor": more}


def _matches(session: Session, asked: types.SessionSearchRequest) -> bool:
    name = (session.display_name or "").lower()
    named = asked.display_name is not None and all(word in name for word in asked.display_name.lower().split())
    if (asked.session_id is not None or asked.display_name is not None) and not (named or session.id == asked.session_id):
        return False
    if asked.project_ids is not None and session.project not in asked.project_ids:
        return False
    if not asked.user_metadata.items() <= session.metadata.items():
        return False
    if asked.statuses is None:
        return True
    status = session.status or {"type": None}
    for query in asked.statuses:
        reasons = getattr(query, "reasons", None)
        if query.type == status["type"] and (reasons is None or status["reason"]["type"] in reasons):
            return True
    return False


def _summary(engine: Engine, session: Session) -> dict[str, Any]:
    held = [facts for run in session.runs for facts in engine.checkpoints.of_run(run)]
    return {
        "session_id": session.id,
        "created_at": session.created,
        "owner": OWNER,
        "project_id": session.project or "",
        "status": session.status,
        "checkpoints_count": len(held),
        "display_name": session.display_name,
        "user_metadata": session.metadata,
        "checkpoint_storage_bytes": sum(facts.get("size", 0) for facts in held),
    }
