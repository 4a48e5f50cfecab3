"""The HTTP side of the Tinker protocol: parse, check, hand on, answer. Knows no tensors."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tinker import types

from idiolect.engine import wire
from idiolect.engine.asample import add_sampling
from idiolect.engine.checkpoints import Place
from idiolect.engine.futures import Future
from idiolect.engine.losses import LOSSES
from idiolect.engine.requests import ROOT, Answer, Once, body_of, parsed
from idiolect.engine.rest import add_listings
from idiolect.engine.state import Engine, Gone, Missing, Run, automatic_name, checked_shape
from idiolect.errors import IdiolectError, InputError

__all__ = ["make_app"]

WAIT = 30.0
"""How long one retrieve_future is held open, seconds; the SDK gives up after 45."""

log = logging.getLogger(__name__)


def _refusal(status: int, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error), "category": "user", "detail": str(error)}, status)


def make_app(engine: Engine, token: str) -> FastAPI:
    """The application. ``token`` is what every request's X-API-Key must be."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def authenticate(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.headers.get("x-api-key", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, token.encode()) and request.url.path != f"{ROOT}/healthz":
            return JSONResponse({"error": "the API key is not this engine's", "category": "user"}, 401)
        try:
            return await call_next(request)
        except Exception as error:  # the last resort: an answer, whatever happened
            log.exception("a request failed")
            return JSONResponse({"error": f"the engine failed: {type(error).__name__}", "category": "server"}, 500)

    app.add_exception_handler(Missing, lambda _, error: _refusal(404, error))
    app.add_exception_handler(Gone, lambda _, error: _refusal(410, error))
    app.add_exception_handler(IdiolectError, lambda _, error: _refusal(400, error))
    app.add_exception_handler(pydantic.ValidationError, lambda _, error: _refusal(422, error))
    _add_sessions(app, engine)
    _add_training(app, engine)
    _add_weights(app, engine)
    add_sampling(app, engine)
    _add_futures(app, engine)
    add_listings(app, engine)
    return app


def _add_sessions(app: FastAPI, engine: Engine) -> None:
    once = Once()

    @app.post(f"{ROOT}/client/config")
    async def client_config(request: Request) -> Answer:
        await parsed(request, types.ClientConfigRequest)
        flags = types.ClientConfigResponse(use_pyqwest_transport=False, pjwt_auth_enabled=False, proto_compress_fwdbwd=True)
        return flags.model_dump(mode="json")

    @app.post(f"{ROOT}/client/dynamic_config")
    async def dynamic_config(request: Request) -> Answer:
        await parsed(request, types.ClientConfigRequest)
        return {"refresh_interval_sec": 300}

    @app.get(f"{ROOT}/healthz")
    async def health() -> Answer:
        return {"status": "ok"}

    @app.get(f"{ROOT}/get_server_capabilities")
    async def capabilities() -> Answer:
        known = {"trainable": True, "sampleable": True}
        models = [{"model_name": b.name, "max_context_length": b.model.architecture.context, **known} for b in engine.bases.values()]
        return {"supported_models": models}

    @app.post(f"{ROOT}/create_session")
    async def create_session(request: Request) -> Answer:
        asked = await parsed(request, types.CreateSessionRequest)
        return once(
            request, lambda: {"type": "create_session", "session_id": engine.new_session(asked.user_metadata, asked.display_name).id}
        )

    @app.post(f"{ROOT}/session_heartbeat")
    async def heartbeat(request: Request) -> Answer:
        engine.session((await parsed(request, types.SessionHeartbeatRequest)).session_id)
        return {"type": "session_heartbeat"}

    @app.post(f"{ROOT}/sessions/{{identity}}/finish")
    async def finish(identity: str) -> Response:
        engine.finish(identity)
        return Response(status_code=204)

    @app.post(f"{ROOT}/telemetry")
    async def telemetry(request: Request) -> Answer:
        await body_of(request)
        return {"status": "accepted"}


def _new_run(engine: Engine, session_id: str, number: int, base: str, metadata: dict[str, Any] | None) -> tuple[Run, Future | None]:
    """The run, and the future of its creation if it was asked for before."""
    session = engine.session(session_id)
    known = engine.runs.get(f"{session_id}:train:{number}")
    if known is not None:
        if 0 not in known.answered:
            raise Gone(f"model {number} of this session was made long ago")
        return known, known.answered[0]
    return engine.new_run(session, number, engine.base(base), metadata), None


def _add_training(app: FastAPI, engine: Engine) -> None:
    @app.post(f"{ROOT}/create_model")
    async def create_model(request: Request) -> Answer:
        asked = await parsed(request, types.CreateModelRequest)
        lora = asked.lora_config
        if lora is None:
            raise InputError("only LoRA training is possible here", hint="Send a lora_config")
        if asked.optimizer_config.type != "adamw":
            raise InputError(f"the optimizer {asked.optimizer_config.type[:40]!r} is not known here", hint="Use adamw")
        shape = checked_shape(lora.rank, lora.train_attn, lora.train_mlp, lora.train_unembed)
        run, known = _new_run(engine, asked.session_id, asked.model_seq_id, asked.base_model, asked.user_metadata)
        if known is not None:
            return known.receipt
        run.answered[0] = future = engine.futures.new(model_id=run.id)
        engine.work(future, lambda: engine.create(run, shape, lora.seed))
        return future.receipt

    @app.post(f"{ROOT}/get_info")
    async def get_info(request: Request) -> Answer:
        run = engine.run((await parsed(request, types.GetInfoRequest)).model_id)
        data = {"arch": run.base.model.architecture.family, "model_name": run.base.name, "tokenizer_id": run.base.name}
        rank = run.trained.adapter.shape.rank if run.trained else None
        return {"type": "get_info", "model_data": data, "model_id": run.id, "is_lora": True, "lora_rank": rank, "model_name": run.base.name}

    @app.post(f"{ROOT}/forward_backward")
    async def forward_backward(request: Request) -> Answer:
        asked = wire.parse_forward_backward(await body_of(request))
        run = engine.run(asked.model_id)

        def job() -> bytes:
            trained = engine.trained(run)
            examples = wire.read_examples(asked)
            config = wire.read_loss_config(asked)
            trained.check(examples, asked.loss_fn, config)
            if LOSSES[asked.loss_fn].recorded:
                examples = [engine.records.attributed(run.session.id, example, f"datum {i}") for i, example in enumerate(examples)]
            values, total = trained.forward(examples, asked.loss_fn, config, backward=not asked.forward_only)
            return wire.forward_output(values, total)

        return engine.in_order(run, asked.seq_id, job).receipt

    @app.post(f"{ROOT}/optim_step")
    async def optim_step(request: Request) -> Answer:
        asked = await parsed(request, types.OptimStepRequest)
        run, params = engine.run(asked.model_id), asked.optim_params
        if not isinstance(params, types.AdamParams):
            raise InputError("this model is trained with AdamW", hint="Send adam_params")
        return engine.in_order(run, asked.seq_id, lambda: {"metrics": engine.trained(run).step(**params.model_dump())}).receipt

    @app.post(f"{ROOT}/unload_model")
    async def unload_model(request: Request) -> Answer:
        run = engine.run((await parsed(request, types.UnloadModelRequest)).model_id)
        future = engine.futures.new(model_id=run.id)

        def job() -> Answer:
            engine.runs.pop(run.id, None)
            return {"model_id": run.id, "type": "unload_model"}

        engine.work(future, job)
        return future.receipt


def _add_weights(app: FastAPI, engine: Engine) -> None:
    @app.post(f"{ROOT}/save_weights")
    async def save_weights(request: Request) -> Answer:
        asked = await parsed(request, types.SaveWeightsRequest)
        run = engine.run(asked.model_id)
        place = Place.made(run.id, "weights", asked.path if asked.path is not None else automatic_name(run.expected))

        def job() -> Answer:
            options = {"overwrite": asked.overwrite, "ttl": asked.ttl_seconds, "metadata": asked.user_metadata}
            engine.checkpoints.save(place, engine.trained(run), run.base.name, **options)
            return {"path": str(place), "type": "save_weights"}

        return engine.in_order(run, asked.seq_id, job).receipt

    @app.post(f"{ROOT}/save_weights_for_sampler")
    async def save_for_sampler(request: Request) -> Answer:
        asked = await parsed(request, types.SaveWeightsForSamplerRequest)
        run = engine.run(asked.model_id)
        place = None if asked.path is None else Place.made(run.id, "sampler_weights", asked.path)

        def named(place: Place) -> Answer:
            options = {"overwrite": True, "ttl": asked.ttl_seconds, "metadata": asked.user_metadata}
            engine.checkpoints.save(place, engine.trained(run), run.base.name, **options)
            return {"path": str(place), "type": "save_weights_for_sampler"}

        def unnamed() -> Answer:
            number = asked.sampling_session_seq_id
            number = secrets.randbelow(2**31) if number is None else number
            key = f"{run.session.id}:sample:{number}"
            engine.snapshots.add(key, engine.trained(run).adapter.snapshot())
            made = engine.new_sampler(run.session, number, run.base, None, key)
            return {"sampling_session_id": made.id, "type": "save_weights_for_sampler"}

        return engine.in_order(run, asked.seq_id, unnamed if place is None else lambda: named(place)).receipt

    @app.post(f"{ROOT}/load_weights")
    async def load_weights(request: Request) -> Answer:
        asked = await parsed(request, types.LoadWeightsRequest)
        place = Place.parsed(asked.path)
        if asked.model_id is not None:
            run = engine.run(asked.model_id)
            return engine.in_order(run, asked.seq_id, lambda: engine.load(run, place, optimizer=asked.optimizer)).receipt
        if asked.session_id is None or asked.model_seq_id is None:
            raise InputError("the request names neither a model nor a session", hint="Send model_id, or session_id and model_seq_id")
        base = engine.checkpoints.facts(place)["base_model"] if asked.base_model is None else asked.base_model
        run, known = _new_run(engine, asked.session_id, asked.model_seq_id, base, asked.user_metadata)
        if known is not None:
            return known.receipt
        run.answered[0] = future = engine.futures.new(model_id=run.id)
        engine.work(future, lambda: engine.load(run, place, optimizer=asked.optimizer))
        return future.receipt


def _add_futures(app: FastAPI, engine: Engine) -> None:
    @app.post(f"{ROOT}/retrieve_future")
    async def retrieve_future(request: Request) -> Response:
        asked = await parsed(request, types.FutureRetrieveRequest)
        future = engine.futures.known.get(asked.request_id)
        if future is None:
            raise Gone("there is no such request; the engine may have been restarted")
        try:
            await asyncio.wait_for(future.ready.wait(), WAIT)
        except TimeoutError:
            return JSONResponse({"type": "try_again", "request_id": future.id, "queue_state": "active"})
        if future.protobuf is not None:
            return Response(future.protobuf, media_type="application/x-protobuf")
        if future.json is None:
            raise Gone("the answer was not fetched in time and has been forgotten")
        return JSONResponse(future.json)
