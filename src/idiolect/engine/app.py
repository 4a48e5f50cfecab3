"""The HTTP side of the Tinker protocol: who may enter, sessions, training, futures. Knows no tensors."""

from __future__ import annotations

import hmac
import logging

import pydantic
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tinker import types
from tinker.types.session_status import ClientSessionFinished, ClientSessionFinishReason

from idiolect.engine import wire
from idiolect.engine.account import add_account
from idiolect.engine.asample import add_sampling
from idiolect.engine.downloads import FILES, add_downloads
from idiolect.engine.futures import Busy
from idiolect.engine.losses import LOSSES
from idiolect.engine.requests import ROOT, Answer, Intake, Once, add_plain, body_of, parsed
from idiolect.engine.rest import add_listings
from idiolect.engine.state import Engine, Gone, Missing, checked_shape
from idiolect.engine.weights import add_weights, begun
from idiolect.errors import IdiolectError, InputError

__all__ = ["make_app"]

WAIT = 30.0
"""How long one retrieve_future is held open, seconds; the SDK gives up after 45."""

log = logging.getLogger(__name__)


class SessionFinishRequest(pydantic.BaseModel):
    reason: ClientSessionFinishReason
    detail: str | None = None


AGAIN = {"Retry-After": "1"}
"""What a client that is sent away for now is told: seconds to wait."""


def _refusal(status: int, error: Exception, headers: dict[str, str] | None = None) -> JSONResponse:
    # A name may hold what is no valid Unicode; an answer must be sent all the same.
    said = str(error).encode("utf-8", "replace").decode()
    return JSONResponse({"error": said, "category": "user", "detail": said}, status, headers)


def _unanswered(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _refusal(status, InputError(f"this engine does not answer {request.method} {request.url.path[:200]}"))


class Guard:
    """Lets requests through that carry the token, and answers those that failed. Plain ASGI: it stands in every request's way."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-api-key"), b"")
        # Links to files carry a signature instead, which is checked where they are answered.
        open_to_all = scope["path"] == f"{ROOT}/healthz" or scope["path"].startswith(f"{FILES}/")
        if not hmac.compare_digest(given, self.token) and not open_to_all:
            refusal = JSONResponse({"error": "the API key is not this engine's", "category": "user"}, 401)
            await refusal(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # the last resort: an answer, whatever happened
            log.exception("a request failed")
            if not begun:
                failure = JSONResponse({"error": f"the engine failed: {type(error).__name__}", "category": "server"}, 500)
                await failure(scope, receive, send)


def make_app(engine: Engine, token: str) -> FastAPI:
    """The application. ``token`` is what every request's X-API-Key must be."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.intake = Intake()

    app.add_middleware(Guard, token=token)
    app.add_exception_handler(Missing, lambda _, error: _refusal(404, error))
    app.add_exception_handler(Gone, lambda _, error: _refusal(410, error))
    app.add_exception_handler(Busy, lambda _, error: _refusal(429, error, AGAIN))
    app.add_exception_handler(IdiolectError, lambda _, error: _refusal(400, error))
    app.add_exception_handler(pydantic.ValidationError, lambda _, error: _refusal(422, error))
    app.add_exception_handler(HTTPException, _unanswered)
    # Routes are tried in this order: those asked most come first.
    _add_futures(app, engine)
    add_sampling(app, engine)
    _add_sessions(app, engine)
    _add_training(app, engine)
    add_weights(app, engine)
    add_listings(app, engine)
    add_downloads(app, engine, token)
    add_account(app, engine)
    return app


def _add_sessions(app: FastAPI, engine: Engine) -> None:
    once = Once()

    @app.post(f"{ROOT}/client/config")
    async def client_config(request: Request) -> Answer:
        await parsed(request, types.ClientConfigRequest)
        # The SDK's own transport costs its client half of what the plain one does; compressing costs more than loopback does.
        flags = types.ClientConfigResponse(pjwt_auth_enabled=False, proto_compress_fwdbwd=False)
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

        def make() -> Answer:
            made = engine.new_session(asked.user_metadata, asked.display_name, asked.project_id)
            return {"type": "create_session", "session_id": made.id}

        return once(request, make)

    @app.post(f"{ROOT}/session_heartbeat")
    async def heartbeat(request: Request) -> Answer:
        engine.session((await parsed(request, types.SessionHeartbeatRequest)).session_id)
        return {"type": "session_heartbeat"}

    @app.post(f"{ROOT}/sessions/{{identity}}/finish")
    async def finish(request: Request, identity: str) -> Response:
        asked = await parsed(request, SessionFinishRequest)
        status = ClientSessionFinished(reason=asked.reason, detail=None if asked.detail is None else asked.detail[:1000])
        engine.finish(identity, status.model_dump(mode="json"))
        return Response(status_code=204)

    @app.post(f"{ROOT}/telemetry")
    async def telemetry(request: Request) -> Answer:
        await body_of(request)
        return {"status": "accepted"}


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
        return begun(
            engine,
            (asked.session_id, asked.model_seq_id),
            asked.base_model,
            asked.user_metadata,
            lambda run: engine.create(run, shape, lora.seed),
        )

    @app.post(f"{ROOT}/get_info")
    async def get_info(request: Request) -> Answer:
        run = engine.run((await parsed(request, types.GetInfoRequest)).model_id)
        data = {"arch": run.base.model.architecture.family, "model_name": run.base.name, "tokenizer_id": run.base.name}
        rank = run.shape.rank if run.shape else None
        return {"type": "get_info", "model_data": data, "model_id": run.id, "is_lora": True, "lora_rank": rank, "model_name": run.base.name}

    @app.post(f"{ROOT}/forward_backward")
    async def forward_backward(request: Request) -> Answer:
        body = await body_of(request)
        asked = wire.parse_forward_backward(body)
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

        return engine.in_order(run, asked.seq_id, job, size=len(body)).receipt

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
            engine.futures.loop.call_soon_threadsafe(engine.release, run)
            return {"model_id": run.id, "type": "unload_model"}

        engine.work(future, job)
        return future.receipt


def _forgotten(request: Request) -> JSONResponse:
    """The answer about a request that is not known. The SDK sends a sample again after a 410; other work it cannot send again, and
    its user is told what to do."""
    kind = request.headers.get("x-tinker-request-type", "Sample")
    hint = "Check what was done, and go on from the last saved checkpoint"
    lost = Gone(f"there is no such request ({kind[:40]}); the engine was restarted, or has forgotten its answer", hint=hint)
    return _refusal(410, lost) if kind == "Sample" else JSONResponse({"error": str(lost), "category": "server"})


def _add_futures(app: FastAPI, engine: Engine) -> None:
    async def retrieve_future(request: Request) -> Response:
        asked = await parsed(request, types.FutureRetrieveRequest)
        future = engine.futures.known.get(asked.request_id)
        if future is None:
            return _forgotten(request)
        if not await future.wait(WAIT):
            return JSONResponse({"type": "try_again", "request_id": future.id, "queue_state": "active"})
        if future.protobuf is not None:
            return Response(future.protobuf, media_type="application/x-protobuf")
        if future.json is None:
            return _forgotten(request)
        return JSONResponse(future.json)

    add_plain(app, "retrieve_future", retrieve_future)
