"""The endpoints that save, load, copy and export a model's weights. Knows no tensors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from tinker import types

from idiolect.engine.checkpoints import Place, expiry
from idiolect.engine.exports import checked_recipients, export
from idiolect.engine.requests import ROOT, Answer, Once, parsed
from idiolect.engine.sessions import texts
from idiolect.engine.state import Engine, Gone, Run, automatic_name
from idiolect.errors import InputError

__all__ = ["add_weights", "begun"]


def begun(engine: Engine, slot: tuple[str, int], base: str, metadata: dict[str, Any] | None, make: Callable[[Run], Answer]) -> Answer:
    """The receipt for a run in ``slot``, a session and the model's number in it, whose weights ``make`` gives it on the worker.

    A slot that was asked for before gets the receipt it got then.
    """
    session = engine.session(slot[0])
    known = engine.runs.get(f"{session.id}:train:{slot[1]}")
    if known is not None:
        if 0 not in known.answered:
            raise Gone(f"model {slot[1]} of this session was made long ago")
        return known.answered[0].receipt
    future = engine.futures.new(model_id=f"{session.id}:train:{slot[1]}")
    try:
        run = engine.new_run(session, slot[1], engine.base(base), metadata)
    except BaseException:
        engine.futures.withdraw(future)
        raise
    run.answered[0] = future
    engine.work(future, lambda: make(run))
    return future.receipt


def add_weights(app: FastAPI, engine: Engine) -> None:
    _add_saving(app, engine)
    _add_loading(app, engine)


def _add_saving(app: FastAPI, engine: Engine) -> None:
    @app.post(f"{ROOT}/save_weights")
    async def save_weights(request: Request) -> Answer:
        asked = await parsed(request, types.SaveWeightsRequest)
        run = engine.run(asked.model_id)
        place = Place.made(run.id, "weights", asked.path if asked.path is not None else automatic_name(run.expected))
        options = {"overwrite": asked.overwrite, "ttl": _checked(asked.ttl_seconds), "metadata": _texts(asked.user_metadata)}

        def job() -> Answer:
            engine.checkpoints.save(place, engine.trained(run), run.base.name, **options)
            return {"path": str(place), "type": "save_weights"}

        return engine.in_order(run, asked.seq_id, job).receipt

    @app.post(f"{ROOT}/save_weights_for_sampler")
    async def save_for_sampler(request: Request) -> Answer:
        asked = await parsed(request, types.SaveWeightsForSamplerRequest)
        run = engine.run(asked.model_id)
        place = None if asked.path is None else Place.made(run.id, "sampler_weights", asked.path)
        options = {"overwrite": True, "ttl": _checked(asked.ttl_seconds), "metadata": _texts(asked.user_metadata)}

        def job() -> Answer:
            if place is None:
                made = engine.publish(run, asked.sampling_session_seq_id, inflight=asked.kind == "inflight")
                return {"sampling_session_id": made.id, "type": "save_weights_for_sampler"}
            engine.checkpoints.save(place, engine.trained(run), run.base.name, **options)
            return {"path": str(place), "type": "save_weights_for_sampler"}

        return engine.in_order(run, asked.seq_id, job).receipt

    @app.post(f"{ROOT}/save_weights_external")
    async def save_external(request: Request) -> Answer:
        asked = await parsed(request, types.SaveWeightsExternalRequest)
        run = engine.run(asked.model_id)
        place = Place.made(run.id, "external_weights", asked.path)
        recipients = checked_recipients(asked.age_encryption_recipients)
        _checked(asked.ttl_seconds)

        def job() -> Answer:
            adapter = engine.trained(run).adapter
            facts = export(engine.checkpoints, place, adapter, run.base.name, recipients, expiry(asked.ttl_seconds))
            return {"path": str(place), "size_bytes": facts["size"], "type": "save_weights_external"}

        return engine.in_order(run, asked.seq_id, job).receipt


def _add_loading(app: FastAPI, engine: Engine) -> None:
    once = Once()

    @app.post(f"{ROOT}/load_weights")
    async def load_weights(request: Request) -> Answer:
        asked = await parsed(request, types.LoadWeightsRequest)
        place = Place.parsed(asked.path)
        if asked.optimizer_config is not None and asked.optimizer_config.type != "adamw":
            raise InputError(f"the optimizer {asked.optimizer_config.type[:40]!r} is not known here", hint="Use adamw")
        if asked.model_id is not None:
            run = engine.run(asked.model_id)
            return engine.in_order(run, asked.seq_id, lambda: engine.load(run, place, optimizer=asked.optimizer)).receipt
        if asked.session_id is None or asked.model_seq_id is None:
            raise InputError("the request names neither a model nor a session", hint="Send model_id, or session_id and model_seq_id")
        slot = (asked.session_id, asked.model_seq_id)
        base = engine.checkpoints.facts(place)["base_model"] if asked.base_model is None else asked.base_model
        return begun(engine, slot, base, asked.user_metadata, lambda run: engine.load(run, place, optimizer=asked.optimizer))

    @app.post(f"{ROOT}/copy_weights")
    async def copy_weights(request: Request) -> Answer:
        asked = await parsed(request, types.CopyWeightsRequest)
        source = Place.parsed(asked.source_path)
        slotted = asked.session_id is not None and asked.model_seq_id is not None
        if slotted == (asked.destination_project_id is not None):
            raise InputError("the copy needs one owner", hint="Send destination_project_id, or session_id and model_seq_id")
        session = engine.session(asked.session_id) if slotted and asked.session_id is not None else None
        project = texts({"project": asked.destination_project_id})["project"] if session is None else None

        async def make() -> Answer:
            place = await asyncio.to_thread(engine.copied, source, session, asked.model_seq_id or 0, project, asked.ttl_seconds)
            return {"tinker_path": str(place)}

        return await once.later(request, make)


def _checked(ttl: int | None) -> int | None:
    expiry(ttl)
    return ttl


def _texts(metadata: dict[str, str] | None) -> dict[str, str] | None:
    return None if metadata is None else texts(metadata)
