"""The SDK's clients as their users hold them: synchronous and asynchronous, many at once, with telemetry on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import tinker
from data import batch, prompt
from tinker import types

from running_engine import RunningEngine

ADAM = types.AdamParams(learning_rate=1e-2)
PARAMS = types.SamplingParams(max_tokens=6, seed=3, stop=[])


def trained(service: tinker.ServiceClient, base: Path, seed: int) -> tuple[list[int], list[float]]:
    """What a model says after two steps: tokens and their logprobs."""
    client = service.create_lora_training_client(base_model=str(base), rank=4, seed=seed).result()
    for _ in range(2):
        client.forward_backward(batch(seed), "cross_entropy")
        client.optim_step(ADAM).result()
    sequence = client.save_weights_and_get_sampling_client().result().sample(prompt(), 1, PARAMS).result().sequences[0]
    assert sequence.logprobs is not None
    return list(sequence.tokens), list(sequence.logprobs)


@pytest.mark.conformance("create_session: many clients in threads of one process")
def test_clients_in_threads_do_not_disturb_each_other(engine: RunningEngine, qwen3: Path) -> None:
    def use(seed: int) -> tuple[list[int], list[float]]:
        with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
            return trained(service, qwen3, seed)

    alone = [use(seed) for seed in range(4)]
    assert len({tuple(tokens) for tokens, _ in alone}) > 1
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(use, [*range(4), *range(4)]))
    for (tokens, values), (expected, wanted) in zip(together, alone * 2, strict=True):
        assert tokens == expected
        assert values == pytest.approx(wanted, abs=1e-4)


@pytest.mark.conformance("create_session: one client used by many threads")
def test_threads_share_a_client(service: tinker.ServiceClient, qwen3: Path) -> None:
    sampler = service.create_sampling_client(base_model=str(qwen3)).result()
    alone = list(sampler.sample(prompt(), 1, PARAMS).result().sequences[0].tokens)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: list(sampler.sample(prompt(), 1, PARAMS).result().sequences[0].tokens), range(48)))
    assert answers == [alone] * 48


@pytest.mark.conformance(
    "create_model: create_lora_training_client_async",
    "load_weights: create_training_client_from_state_async",
    "create_sampling_session: create_sampling_client_async",
    "asample: sample_async, compute_logprobs_async",
    "save_weights: save_state_async",
)
@pytest.mark.filterwarnings("ignore:DEPRECATED:FutureWarning")
def test_the_asynchronous_names_do_what_the_synchronous_ones_do(engine: RunningEngine, qwen3: Path) -> None:
    async def use() -> tuple[list[list[int]], list[int], list[float | None], list[float | None]]:
        service = tinker.ServiceClient(base_url=engine.url, api_key=engine.token)
        client = await service.create_lora_training_client_async(base_model=str(qwen3), rank=4, seed=1)
        await (await client.forward_backward_async(batch(), "cross_entropy")).result_async()
        await (await client.optim_step_async(ADAM)).result_async()
        saved = await (await client.save_state_async("asynchronous")).result_async()
        again = await service.create_training_client_from_state_async(saved.path)
        one, two = [await c.save_weights_and_get_sampling_client_async() for c in (client, again)]
        base = await service.create_sampling_client_async(base_model=str(qwen3))
        answers = await asyncio.gather(*(base.sample_async(prompt(), 1, PARAMS) for _ in range(8)))
        values = [await sampler.compute_logprobs_async(prompt(20)) for sampler in (one, two)]
        capabilities = await service.get_server_capabilities_async()
        assert str(qwen3) in [model.model_name for model in capabilities.supported_models]
        drawn = [list(answer.sequences[0].tokens) for answer in answers]
        return drawn, drawn[0], *values

    drawn, first, trained_values, loaded_values = asyncio.run(use())
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        sampler = service.create_sampling_client(base_model=str(qwen3)).result()
        assert list(sampler.sample(prompt(), 1, PARAMS).result().sequences[0].tokens) == first
        assert sampler.compute_logprobs(prompt(20)).result() != trained_values
    assert drawn == [first] * 8
    assert loaded_values == pytest.approx(trained_values, abs=1e-5, nan_ok=True)


@pytest.mark.conformance("telemetry", "client/config", "client/dynamic_config")
def test_telemetry_is_taken_and_dropped(engine: RunningEngine, qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_TELEMETRY", "1")
    before = {path for path in engine.state.rglob("*") if path.is_file()}
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        sampler = service.create_sampling_client(base_model=str(qwen3)).result()
        assert sampler.sample(prompt(), 1, PARAMS).result().sequences
        telemetry = sampler.get_telemetry()
        assert telemetry is not None
        telemetry.log("an event of a test", event_data={"count": 1})
        telemetry.log_exception_sync(ValueError("of a test"))
    added = {path for path in engine.state.rglob("*") if path.is_file()} - before
    assert not any(b"of a test" in path.read_bytes() for path in added)
    with httpx.Client(base_url=f"{engine.url}/api/v1/", headers={"X-API-Key": engine.token}) as http:
        event = {"event_id": "1", "event": "GENERIC_EVENT", "event_name": "x", "event_session_index": 0, "severity": "INFO"}
        body = {"session_id": "s", "platform": "p", "sdk_version": "0.38.0", "events": [{**event, "timestamp": "2026-01-01T00:00:00Z"}]}
        assert http.post("telemetry", json=body).json() == {"status": "accepted"}
        flags = http.post("client/config", json={"sdk_version": "0.38.0"}).json()
        # The transport is the SDK's own default; it costs the client half as much a request (docs/LOG.md).
        assert (flags["use_pyqwest_transport"], flags["pjwt_auth_enabled"]) == (True, False)
        assert http.post("client/dynamic_config", json={"sdk_version": "0.38.0"}).json()["refresh_interval_sec"] > 0


@pytest.mark.conformance("GET sessions", "GET sessions/{id}", "session_heartbeat")
def test_sessions_are_listed(service: tinker.ServiceClient, rest: tinker.RestClient, engine: RunningEngine) -> None:
    mine = service.holder.get_session_id()
    assert mine in rest.list_sessions(limit=1000).result().sessions
    assert rest.get_session(mine).result().training_run_ids == []
    with httpx.Client(base_url=f"{engine.url}/api/v1/", headers={"X-API-Key": engine.token}) as http:
        assert http.post("session_heartbeat", json={"session_id": mine}).json() == {"type": "session_heartbeat"}
