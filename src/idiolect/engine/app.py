"""The HTTP side of the Tinker protocol: parse, check, hand on, answer. Knows no tensors."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pydantic
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tinker import types

from idiolect.engine import wire
from idiolect.engine.checkpoints import Place
from idiolect.engine.futures import Future
from idiolect.engine.lora import FrozenAdapter
from idiolect.engine.picking import Choice
from idiolect.engine.rest import add_listings
from idiolect.engine.sampling import SampleJob
from idiolect.engine.state import REMEMBERED, Engine, Gone, Missing, Run, SamplingSession, automatic_name, checked_shape
from idiolect.errors import IdiolectError, InputError

__all__ = ["make_app"]

WAIT = 30.0
"""How long one retrieve_future is held open, seconds; the SDK gives up after 45."""

PENDING_LIMIT = 10_000
MAX_SAMPLES = 1024
ROOT = "/api/v1"

Model = TypeVar("Model", bound=pydantic.BaseModel)
Answer = dict[str, Any]

log = logging.getLogger(__name__)


async def body_of(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > wire.BODY_LIMIT:
            raise InputError(f"the body is larger than {wire.BODY_LIMIT} bytes")
        pieces.append(piece)
    return wire.decompressed(b"".join(pieces), request.headers.get("content-encoding", ""))


async def parsed(request: Request, kind: type[Model]) -> Model:
    return kind.model_validate_json(await body_of(request))


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
    _add_sampling(app, engine)
    _add_futures(app, engine)
    add_listings(app, engine)
    return app


class Once:
    """Answers by X-Idempotency-Key: a request that comes again gets what the first one got."""

    def __init__(self) -> None:
        self.answers: OrderedDict[str, Answer] = OrderedDict()

    def __call__(self, request: Request, make: Callable[[], Answer]) -> Answer:
        key = request.headers.get("x-idempotency-key")
        if key is None:
            return make()
        key = f"{request.url.path} {key[:200]}"
        if key not in self.answers:
            self.answers[key] = make()
            while len(self.answers) > REMEMBERED:
                self.answers.popitem(last=False)
        return self.answers[key]


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
            trained.check(examples, asked.loss_fn)
            values, total = trained.forward(examples, asked.loss_fn, wire.read_loss_config(asked), backward=not asked.forward_only)
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
            frozen = FrozenAdapter(engine.trained(run).adapter.snapshot())
            number = asked.sampling_session_seq_id
            made = engine.new_sampler(run.session, secrets.randbelow(2**31) if number is None else number, run.base, None, frozen)
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


def _add_sampling(app: FastAPI, engine: Engine) -> None:
    once = Once()

    @app.post(f"{ROOT}/create_sampling_session")
    async def create_sampling_session(request: Request) -> Answer:
        asked = await parsed(request, types.CreateSamplingSessionRequest)

        def make() -> Answer:
            session = engine.session(asked.session_id)
            if asked.model_path is not None:
                base, frozen = engine.frozen_from(Place.parsed(asked.model_path))
            elif asked.base_model is not None:
                base, frozen = engine.base(asked.base_model), None
            else:
                raise InputError("the request names neither a base model nor a checkpoint")
            made = engine.new_sampler(session, asked.sampling_session_seq_id, base, asked.model_path, frozen)
            return {"type": "create_sampling_session", "sampling_session_id": made.id}

        return once(request, make)

    @app.get(f"{ROOT}/samplers/{{identity}}")
    async def get_sampler(identity: str) -> Answer:
        sampler = engine.sampler(identity)
        return {"sampler_id": sampler.id, "base_model": sampler.base.name, "model_path": sampler.path}

    @app.post(f"{ROOT}/asample")
    async def asample(request: Request) -> Any:
        asked = await parsed(request, types.SampleRequest)
        if engine.futures.pending >= PENDING_LIMIT:
            return JSONResponse({"error": "the engine has all the requests it can hold; try again", "category": "server"}, 429)
        return once(request, lambda: _sample(engine, asked))


def _target(engine: Engine, asked: types.SampleRequest) -> SamplingSession:
    if asked.sampling_session_id is not None:
        return engine.sampler(asked.sampling_session_id)
    session = engine.new_session(None, None)
    if asked.model_path is not None:
        base, frozen = engine.frozen_from(Place.parsed(asked.model_path))
        return SamplingSession(session.id, base, asked.model_path, frozen, session)
    if asked.base_model is not None:
        return SamplingSession(session.id, engine.base(asked.base_model), None, None, session)
    raise InputError("the request names no sampling session, checkpoint or base model")


def _sample(engine: Engine, asked: types.SampleRequest) -> Answer:
    target = _target(engine, asked)
    ids = [f"{target.id}:{asked.seq_id if asked.seq_id is not None else secrets.token_hex(8)}:{i}" for i in range(asked.num_samples)]
    future = engine.futures.new(sample_sequence_ids=ids)
    job = _sample_job(engine, target, asked, future)
    engine.worker.sample(target.base.sampler, job)
    return future.receipt


def _sample_job(engine: Engine, target: SamplingSession, asked: types.SampleRequest, future: Future) -> SampleJob:
    base, params = target.base, asked.sampling_params
    architecture = base.model.architecture
    prompt = [token for chunk in asked.prompt.chunks for token in _text(chunk)]
    _check_sampling(asked, prompt, architecture.vocabulary, architecture.context)
    stop_tokens: frozenset[int] = frozenset(architecture.end_tokens)
    stop_strings: tuple[str, ...] = ()
    if params.stop is not None:
        stops = [params.stop] if isinstance(params.stop, str) else list(params.stop)
        stop_tokens = frozenset(stop for stop in stops if isinstance(stop, int))
        stop_strings = tuple(stop for stop in stops if isinstance(stop, str) and stop)
    room = architecture.context - len(prompt)
    return SampleJob(
        prompt=prompt,
        adapter=target.frozen,
        samples=asked.num_samples,
        max_tokens=room if params.max_tokens is None else min(room, params.max_tokens),
        choice=Choice(params.temperature, params.top_k, params.top_p),
        seed=secrets.randbits(62) if params.seed is None else params.seed,
        stop_tokens=stop_tokens,
        stop_strings=stop_strings,
        decode=base.decoder() if stop_strings else None,
        prompt_logprobs=bool(asked.prompt_logprobs),
        scored=len(prompt) - 1 if asked.prompt_logprobs_last_n is None else asked.prompt_logprobs_last_n,
        top_prompt=asked.topk_prompt_logprobs,
        top_sampled=asked.topk_sample_logprobs,
        done=lambda job: engine.futures.resolve(future, protobuf=wire.sample_response(job)),
        failed=lambda error: engine.futures.fail(future, f"the engine failed: {type(error).__name__}: {error}", "server"),
    )


def _text(chunk: Any) -> list[int]:
    if not isinstance(chunk, types.EncodedTextChunk):
        raise InputError("the prompt holds an image or sound; the engine's models take text")
    return list(chunk.tokens)


def _check_sampling(asked: types.SampleRequest, prompt: list[int], vocabulary: int, context: int) -> None:
    params = asked.sampling_params
    if not 0 < len(prompt) < context:
        raise InputError(f"the prompt has {len(prompt)} tokens; the model takes 1 to {context - 1}")
    if min(prompt) < 0 or max(prompt) >= vocabulary:
        raise InputError(f"the prompt has tokens outside 0..{vocabulary - 1}")
    if not 1 <= asked.num_samples <= MAX_SAMPLES:
        raise InputError(f"num_samples is {asked.num_samples}; 1 to {MAX_SAMPLES} are possible")
    if params.max_tokens is not None and params.max_tokens < 1:
        raise InputError("max_tokens must be at least 1")
    if not 0 <= params.temperature <= 100 or not 0 < params.top_p <= 1:
        raise InputError("temperature must lie in 0..100 and top_p above 0 and up to 1")
    if not 0 <= asked.topk_prompt_logprobs <= 1000 or not 0 <= asked.topk_sample_logprobs <= 1000:
        raise InputError("top-k logprobs go from 0 to 1000")
    if asked.prompt_logprobs_last_n is not None and not 1 <= asked.prompt_logprobs_last_n <= len(prompt) - 1:
        raise InputError(f"prompt_logprobs_last_n must lie in 1..{len(prompt) - 1}")
    if asked.target_prompt_logprobs is not None or asked.prompt_alt_tokens_k:
        raise InputError("target_prompt_logprobs and prompt_alt_tokens_k are not answered by this engine")


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
        return JSONResponse(future.json)
