"""Sessions that end, models that wait on disk, more work than the engine holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinker
from data import batch, prompt
from raw import ADAM, Raw, logprobs, trained
from tinker import types

from idiolect.engine.futures import Busy, Futures
from running_engine import RunningEngine, start_engine


@pytest.fixture(scope="module")
def small(qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """An engine that holds one model under training in memory and twelve waiting requests, and is patient for 3 seconds."""
    arguments = ("--memory", "0", "--session-timeout", "3", "--requests", "12")
    with start_engine(qwen3, state=tmp_path_factory.mktemp("small"), arguments=arguments) as running:
        yield running


@pytest.mark.conformance("session_heartbeat: a silent session ends")
def test_a_silent_session_ends(small: RunningEngine, qwen3: Path) -> None:
    with Raw(small) as raw:
        silent, alive = raw.session(), raw.session()
        model, kept = raw.model(silent, qwen3), raw.model(alive, qwen3)
        saved = raw.wait(raw.post("save_weights", {"model_id": model, "path": "w", "seq_id": 1})).json()["path"]
        early = raw.post("optim_step", {"model_id": model, "seq_id": 3, "adam_params": ADAM.model_dump()})
        sampler = raw.post("create_sampling_session", {"session_id": silent, "sampling_session_seq_id": 0, "base_model": str(qwen3)})
        deadline = time.monotonic() + 20
        while raw.http.get(f"sessions/{silent}").status_code == 200 and raw.http.post("get_info", json={"model_id": model}).is_success:
            assert time.monotonic() < deadline
            assert raw.http.post("session_heartbeat", json={"session_id": alive}).status_code == 200
            time.sleep(0.5)
        answer = raw.http.post("session_heartbeat", json={"session_id": silent})
        assert (answer.status_code, "not heard of for 3 seconds" in answer.text) == (410, True)
        # What waited for a request that never came is answered, and what was saved is named.
        assert "unloaded" in raw.wait(early).json()["error"]
        answer = raw.forward(model, 2)
        assert (answer.status_code, f"go on from {saved}" in answer.text) == (404, True)
        info = raw.http.get(f"samplers/{sampler['sampling_session_id']}")
        assert info.status_code == 404
        body = {"session_id": silent, "model_seq_id": 1, "base_model": str(qwen3), "lora_config": {"rank": 1}}
        assert raw.http.post("create_model", json=body).status_code == 410
        assert raw.forward(kept, 1).status_code == 200
        found = raw.post("sessions/search", {"session_id": silent})["sessions"]
        assert found[0].get("status") is None  # pyright: ignore[reportIndexIssue]


@pytest.mark.conformance("create_model: more models than memory holds")
def test_models_past_the_limit_wait_on_disk_bit_for_bit(engine: RunningEngine, small: RunningEngine, qwen3: Path) -> None:
    """Four models in turns, in an engine that holds one, train as in one that holds all; gathered gradients wait with them."""

    def outcome(running: RunningEngine) -> list[list[list[float]]]:
        with Raw(running) as raw:
            session = raw.session()
            models = [raw.model(session, qwen3, number) for number in range(4)]
            seq = 0
            for _ in range(3):
                seq += 1
                receipts = [raw.forward(model, seq).json() for model in models]
                seq += 1
                adam = {"seq_id": seq, "adam_params": ADAM.model_dump()}
                receipts += [raw.post("optim_step", {"model_id": model, **adam}) for model in models]
                assert [raw.wait(receipt).status_code for receipt in receipts] == [200] * 8
            if running is small:
                assert len(list(small.state.glob(".paged-*/*.safetensors"))) >= 3
            saved = {"seq_id": seq + 1, "path": "end"}
            return [_numbers(raw, running, raw.wait(raw.post("save_weights", {"model_id": model, **saved})).json()) for model in models]

    assert outcome(small) == outcome(engine)
    deadline = time.monotonic() + 20
    while list(small.state.glob(".paged-*/*.safetensors")):  # their sessions end
        assert time.monotonic() < deadline
        time.sleep(0.3)


def _numbers(raw: Raw, running: RunningEngine, answer: dict[str, str]) -> list[list[float]]:
    from safetensors.torch import load_file

    run = answer["path"].split("/")[2].replace(":", "=")
    (folder,) = (path for path in (running.state / run / "weights" / "end").iterdir() if path.is_dir())
    files = (folder / "adapter_model.safetensors", folder / "optimizer.safetensors")
    return [tensor.flatten().tolist() for file in files for _, tensor in sorted(load_file(file).items())]


@pytest.mark.conformance("create_model: many clients at once")
def test_many_clients_at_once(engine: RunningEngine, qwen3: Path, llama: Path) -> None:
    """Sync and async clients of two base models, interleaved, get what each gets alone."""

    async def one(base: Path, seed: int) -> list[float | None]:
        async with _service(engine) as service:
            client = await service.create_lora_training_client(base_model=str(base), rank=4, seed=seed)
            for _ in range(2):
                forward, step = client.forward_backward(batch(seed), "cross_entropy"), client.optim_step(ADAM)
                await forward
                await step
            sampler = await client.save_weights_and_get_sampling_client()
            return await sampler.compute_logprobs(prompt())

    async def together() -> list[list[float | None]]:
        return await asyncio.gather(*(one(base, seed) for base in (qwen3, llama) for seed in range(3)))

    apart = [asyncio.run(one(base, seed)) for base in (qwen3, llama) for seed in range(3)]
    # Sampling batches rows together, whose products may round otherwise.
    for alone, crowded in zip(apart, asyncio.run(together()), strict=True):
        assert crowded[1:] == pytest.approx(alone[1:], abs=1e-4)


class _service:
    def __init__(self, engine: RunningEngine) -> None:
        self.service = tinker.ServiceClient(base_url=engine.url, api_key=engine.token)

    async def __aenter__(self) -> tinker.ServiceClient:
        return self.service

    async def __aexit__(self, *_: object) -> None:
        await self.service.close("success")


@pytest.mark.conformance("unload_model")
def test_an_unloaded_model_is_gone_and_others_stay(engine: RunningEngine, qwen3: Path) -> None:
    with Raw(engine) as raw:
        session = raw.session()
        first, second = raw.model(session, qwen3, 0), raw.model(session, qwen3, 1)
        assert raw.wait(raw.post("unload_model", {"model_id": first})).json()["model_id"] == first
        assert raw.http.post("get_info", json={"model_id": first}).status_code == 404
        body = {"session_id": session, "model_seq_id": 0, "base_model": str(qwen3), "lora_config": {"rank": 1}}
        assert raw.http.post("create_model", json=body).status_code == 410
        assert raw.wait(raw.forward(second, 1).json()).status_code == 200


def test_more_than_can_wait_is_told_to_come_again() -> None:
    """Neither too many requests nor too many bytes wait; what finishes makes room, and what others wait for is always taken."""

    async def use() -> None:
        futures = Futures(asyncio.get_running_loop(), waiting_limit=3, waiting_size=100)
        first = futures.new(size=60)
        with pytest.raises(Busy):
            futures.new(size=60)
        futures.new(size=60, always=True)
        futures.resolve(first, json={})
        await first.ready.wait()
        futures.new(size=40)
        futures.new(size=0)
        with pytest.raises(Busy):
            futures.new(size=0)

    asyncio.run(use())


@pytest.mark.conformance("optim_step: 429 when too many requests wait", "asample: 429 when too many requests wait")
def test_a_full_engine_answers_429_and_the_sdk_comes_again(small: RunningEngine, qwen3: Path) -> None:
    with Raw(small) as raw:
        model = raw.model(raw.session(), qwen3)
        adam = {"model_id": model, "adam_params": ADAM.model_dump()}
        waiting = [raw.post("optim_step", {**adam, "seq_id": number}) for number in range(2, 14)]
        answer = raw.http.post("optim_step", json={**adam, "seq_id": 14})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert raw.http.post("optim_step", json={**adam, "seq_id": 9999}).status_code == 400
        sample = {"prompt": prompt().model_dump(), "num_samples": 1, "sampling_params": {"max_tokens": 2}, "base_model": str(qwen3)}
        answer = raw.http.post("asample", json=sample)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        # What the others wait for is taken all the same.
        assert raw.wait(raw.forward(model, 1).json()).status_code == 200
        assert [raw.wait(receipt).status_code for receipt in waiting] == [200] * 12
        assert raw.http.post("asample", json=sample).status_code == 200
    with tinker.ServiceClient(base_url=small.url, api_key=small.token) as service:
        client = service.create_sampling_client(base_model=str(qwen3)).result()
        params = types.SamplingParams(max_tokens=20)
        answers = [client.sample(prompt(), num_samples=1, sampling_params=params) for _ in range(20)]
        assert [len(answer.result().sequences) for answer in answers] == [1] * 20


def test_steps_with_a_finished_session_fail_at_once(engine: RunningEngine, qwen3: Path) -> None:
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=2).result()
        trained(client)
        values = logprobs(client)
    assert values
    with Raw(engine) as raw:
        assert raw.forward(client.model_id, 9).status_code == 404
        assert raw.http.post(f"sessions/{client.model_id.split(':')[0]}/finish", json={"reason": {"type": "success"}}).status_code == 204


@pytest.mark.conformance("retrieve_future: an unknown request")
def test_the_kind_of_an_unknown_request_decides_what_its_client_does(engine: RunningEngine) -> None:
    """A sample is asked for again after a 410; other work cannot be repeated, and its client gets a reason."""
    with Raw(engine) as raw:
        assert raw.http.post("retrieve_future", json={"request_id": "none"}).status_code == 410
        answer = raw.http.post("retrieve_future", json={"request_id": "none"}, headers={"X-Tinker-Request-Type": "ForwardBackward"})
        assert (answer.status_code, answer.json()["category"]) == (200, types.RequestErrorCategory.Server.value)
        assert "last saved checkpoint" in answer.json()["error"]
