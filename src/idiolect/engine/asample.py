"""The sampling endpoints: from an asample request to a job for a sampler. Knows no model."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tinker import types

from idiolect.engine import wire
from idiolect.engine.checkpoints import Place
from idiolect.engine.picking import Choice, uniforms
from idiolect.engine.prompt_scores import Alternatives
from idiolect.engine.provenance import Recorded
from idiolect.engine.requests import ROOT, Answer, Once, add_plain, parsed
from idiolect.engine.sampling import SampleJob
from idiolect.engine.state import Engine, SamplingSession
from idiolect.errors import InputError

__all__ = ["add_sampling"]

MAX_SAMPLES = 1024
COLDEST = 1e-6
MAX_TOP = 1000
"""Top-k logprobs, named tokens or draws for each token of a prompt."""


def add_sampling(app: FastAPI, engine: Engine) -> None:
    once = Once()

    async def asample(request: Request) -> Response:
        asked = await parsed(request, types.SampleRequest)
        return JSONResponse(once(request, lambda: _sample(engine, asked)))

    add_plain(app, "asample", asample)

    @app.post(f"{ROOT}/create_sampling_session")
    async def create_sampling_session(request: Request) -> Answer:
        asked = await parsed(request, types.CreateSamplingSessionRequest)

        def make() -> Answer:
            session = engine.session(asked.session_id)
            if asked.model_path is not None:
                base, snapshot = engine.snapshot_of(Place.parsed(asked.model_path))
            elif asked.base_model is not None:
                base, snapshot = engine.base(asked.base_model), None
            else:
                raise InputError("the request names neither a base model nor a checkpoint")
            made = engine.new_sampler(session, asked.sampling_session_seq_id, base, asked.model_path, snapshot)
            return {"type": "create_sampling_session", "sampling_session_id": made.id}

        return once(request, make)

    @app.get(f"{ROOT}/samplers/{{identity}}")
    async def get_sampler(identity: str) -> Answer:
        sampler = engine.sampler(identity)
        return {"sampler_id": sampler.id, "base_model": sampler.base.name, "model_path": sampler.path}


def _target(engine: Engine, asked: types.SampleRequest) -> SamplingSession:
    if asked.sampling_session_id is not None:
        return engine.sampler(asked.sampling_session_id)
    identity = secrets.token_hex(16)
    if asked.model_path is not None:
        base, snapshot = engine.snapshot_of(Place.parsed(asked.model_path))
        return SamplingSession(identity, base, asked.model_path, snapshot)
    if asked.base_model is not None:
        return SamplingSession(identity, engine.base(asked.base_model), None, None)
    raise InputError("the request names no sampling session, checkpoint or base model")


def _sample(engine: Engine, asked: types.SampleRequest) -> Answer:
    target = _target(engine, asked)
    prompt = [token for chunk in asked.prompt.chunks for token in _text(chunk)]
    architecture = target.base.model.architecture
    # Everything that can be refused is refused before there is a future that someone could wait for.
    _check_sampling(asked, prompt, architecture.vocabulary, architecture.context)
    if asked.record_stability_info and target.session is None:
        raise InputError("only what a sampling session samples can be recorded", where="record_stability_info")
    job = _sample_job(engine, target, asked, prompt)
    named = wire.read_named(asked, architecture.vocabulary, MAX_TOP)
    job.named, layout = (None, None) if named is None else named
    number = secrets.token_hex(8) if asked.seq_id is None else asked.seq_id
    sequences = [f"{target.id}:{number}:{i}" for i in range(asked.num_samples)]
    future = engine.futures.new(sample_sequence_ids=sequences)

    def done(job: SampleJob) -> None:
        if asked.record_stability_info and target.session is not None:
            _record(engine, target.session, sequences, job)
        engine.futures.resolve(future, protobuf=wire.sample_response(job, layout))

    job.done = done
    job.failed = lambda error: engine.futures.fail(future, f"the engine failed: {type(error).__name__}: {error}", "server")
    engine.worker.sample(target.base.sampler, job)
    return future.receipt


def _record(engine: Engine, session: str, sequences: list[str], job: SampleJob) -> None:
    prompt = np.asarray(job.prompt, dtype=np.int64)
    for sequence, result in zip(sequences, job.results, strict=True):
        record = Recorded(prompt, np.asarray(result.tokens, dtype=np.int64), np.asarray(result.logprobs, dtype=np.float32))
        engine.records.add(session, sequence, record)


def _sample_job(engine: Engine, target: SamplingSession, asked: types.SampleRequest, prompt: list[int]) -> SampleJob:
    base, params = target.base, asked.sampling_params
    architecture = base.model.architecture
    stop_tokens: frozenset[int] = frozenset(architecture.end_tokens)
    stop_strings: tuple[str, ...] = ()
    if params.stop is not None:
        stops = [params.stop] if isinstance(params.stop, str) else list(params.stop)
        stop_tokens = frozenset(stop for stop in stops if isinstance(stop, int))
        stop_strings = tuple(stop for stop in stops if isinstance(stop, str))
    room = architecture.context - len(prompt)
    seed = secrets.randbits(62) if params.seed is None else params.seed
    # Colder than this nothing but the likeliest is ever drawn, and logits divided by it may overflow.
    temperature = params.temperature if params.temperature >= COLDEST else 0.0
    alternatives = None
    if asked.prompt_alt_tokens_k:
        shape = (len(prompt) - 1, asked.prompt_alt_tokens_k)
        alternatives = Alternatives(temperature, uniforms(seed, prompt, -1, shape[0] * shape[1]).reshape(shape))
    return SampleJob(
        prompt=prompt,
        adapter=engine.frozen(target),
        samples=asked.num_samples,
        max_tokens=room if params.max_tokens is None else min(room, params.max_tokens),
        choice=Choice(temperature, min(params.top_k, architecture.vocabulary), params.top_p),
        seed=seed,
        stop_tokens=stop_tokens,
        stop_strings=stop_strings,
        decode=base.decoder() if stop_strings else None,
        prompt_logprobs=bool(asked.prompt_logprobs),
        scored=len(prompt) - 1 if asked.prompt_logprobs_last_n is None else asked.prompt_logprobs_last_n,
        top_prompt=asked.topk_prompt_logprobs,
        top_sampled=asked.topk_sample_logprobs,
        alternatives=alternatives,
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
    if "" in ([params.stop] if isinstance(params.stop, str) else params.stop or []):
        raise InputError(
            "a stop must not be empty", where="stop", hint="Send [] to stop at nothing, or leave it out to stop at the end token"
        )
    for name, width in (
        ("topk_prompt_logprobs", asked.topk_prompt_logprobs),
        ("topk_sample_logprobs", asked.topk_sample_logprobs),
        ("prompt_alt_tokens_k", asked.prompt_alt_tokens_k),
    ):
        if not 0 <= width <= MAX_TOP:
            raise InputError(f"{name} is {width}; 0 to {MAX_TOP} are possible")
    last = asked.prompt_logprobs_last_n
    if last is not None and not (asked.prompt_logprobs and 1 <= last <= len(prompt) - 1):
        raise InputError(f"prompt_logprobs_last_n must lie in 1..{len(prompt) - 1}, and prompt_logprobs be asked for")
