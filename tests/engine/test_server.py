"""The server as a neighbour: who may enter, what it refuses, how it starts and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import tinker
from data import batch, prompt
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinker import types
from tinker.proto import tinker_public_pb2
from tinker.proto.request_conv import forward_backward_request_to_proto

from checkpoints import tiny_checkpoint
from running_engine import RunningEngine, start_engine

ADAM = types.AdamParams(learning_rate=1e-2)
ENDPOINTS = [
    "client/config", "client/dynamic_config", "create_session", "session_heartbeat", "sessions/x/finish", "create_model", "get_info",
    "forward_backward", "optim_step", "save_weights", "save_weights_for_sampler", "load_weights", "create_sampling_session", "asample",
    "retrieve_future", "weights_info", "unload_model", "telemetry",
]  # fmt: skip


@pytest.fixture(scope="module")
def http(engine: RunningEngine):
    with httpx.Client(base_url=f"{engine.url}/api/v1/", headers={"X-API-Key": engine.token}, timeout=60) as client:
        yield client


@pytest.mark.conformance("create_session: a wrong API key", "GET healthz")
def test_a_wrong_token_is_turned_away(engine: RunningEngine, qwen3: Path) -> None:
    with pytest.raises(tinker.AuthenticationError):
        tinker.ServiceClient(base_url=engine.url, api_key="tml-wrong").create_sampling_client(base_model=str(qwen3)).result()
    for headers in ({}, {"X-API-Key": ""}, {"X-API-Key": engine.token + "x"}, {"X-API-Key": "tml-\u00e9".encode()}):
        with httpx.Client(base_url=f"{engine.url}/api/v1/", headers=headers) as stranger:
            assert {stranger.post(endpoint, json={}).status_code for endpoint in ENDPOINTS} == {401}
            assert stranger.get("training_runs").status_code == 401
    assert httpx.get(f"{engine.url}/api/v1/healthz").json() == {"status": "ok"}


@pytest.mark.conformance("GET get_server_capabilities")
def test_capabilities(rest: tinker.RestClient, qwen3: Path, llama: Path) -> None:
    models = rest.get_server_capabilities().result().supported_models
    assert [(m.model_name, m.max_context_length, m.trainable, m.sampleable) for m in models] == [
        (str(name), 512, True, True) for name in (qwen3, llama)
    ]


@pytest.mark.conformance("create_sampling_session: an unknown model", "create_model: an unknown model")
def test_an_unknown_model_is_named(service: tinker.ServiceClient) -> None:
    with pytest.raises(tinker.NotFoundError, match="no/such"):
        service.create_sampling_client(base_model="no/such").result()
    with pytest.raises(tinker.NotFoundError, match="no/such"):
        service.create_lora_training_client(base_model="no/such").result()
    with pytest.raises(tinker.APIStatusError, match="rank"):
        service.create_lora_training_client(base_model="no/such", rank=0).result()


HOSTILE = ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "x" * 200, "näme", "a\0b", ".hidden", "-x", "a b", "%2e%2e", "con\n"]


@pytest.mark.conformance(
    "save_weights: hostile names",
    "save_weights_for_sampler: hostile names",
    "load_weights: hostile names",
    "weights_info: hostile names",
    "create_sampling_session: hostile names",
)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(
    service: tinker.ServiceClient, engine: RunningEngine, http: httpx.Client, qwen3: Path, name: str
) -> None:
    session = http.post("create_session", json={"tags": [], "user_metadata": {}, "sdk_version": "x"}).json()["session_id"]
    lora = {"session_id": session, "model_seq_id": 0, "base_model": str(qwen3), "lora_config": {"rank": 1}}
    receipt = http.post("create_model", json=lora).json()
    model = http.post("retrieve_future", json={"request_id": receipt["request_id"]}).json()["model_id"]
    before = sorted(engine.state.rglob("*"))
    for endpoint in ("save_weights", "save_weights_for_sampler"):
        answer = http.post(endpoint, json={"model_id": model, "path": name, "seq_id": 1})
        assert (answer.status_code, "no name for a checkpoint" in answer.text) == (400, True)
    for path in (f"tinker://{model}/weights/{name}", f"tinker://{name}/weights/x", f"tinker://{model}/{name}/x", name):
        body = {"session_id": session, "model_seq_id": 1, "path": path, "optimizer": False}
        assert http.post("load_weights", json=body).status_code == 400
        assert http.post("weights_info", json={"tinker_path": path}).status_code == 400
        body = {"session_id": session, "sampling_session_seq_id": 0, "model_path": path}
        assert http.post("create_sampling_session", json=body).status_code == 400
    assert sorted(engine.state.rglob("*")) == before


@pytest.mark.conformance(
    "GET training_runs",
    "GET training_runs/{id}",
    "GET training_runs/{id}/checkpoints",
    "GET checkpoints",
    "DELETE training_runs/{run}/checkpoints/{kind}/{name}",
    "weights_info",
    "GET sessions/{id}",
    "save_weights: ttl_seconds, user_metadata",
)
def test_listings_and_deletion(service: tinker.ServiceClient, rest: tinker.RestClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=6, train_mlp=False, user_metadata={"who": "me"}).result()
    path = client.save_state("first", ttl_seconds=3600, user_metadata={"note": "hello"}).result().path
    sampler = client.save_weights_for_sampler("first").result().path
    run = rest.get_training_run(client.model_id).result()
    assert (run.base_model, run.lora_rank, run.user_metadata) == (str(qwen3), 6, {"who": "me"})
    assert run.last_checkpoint is not None
    assert (run.last_checkpoint.tinker_path, run.last_checkpoint.user_metadata) == (path, {"note": "hello"})
    assert run.last_checkpoint.expires_at is not None
    assert [c.tinker_path for c in rest.list_checkpoints(client.model_id).result().checkpoints] == [path, sampler]
    assert {path, sampler} <= {c.tinker_path for c in rest.list_user_checkpoints(limit=1000).result().checkpoints}
    assert rest.list_training_runs(limit=1).result().training_runs[0].training_run_id == client.model_id
    info = rest.get_weights_info_by_tinker_path(path).result()
    assert (info.base_model, info.lora_rank, info.train_mlp, info.train_attn) == (str(qwen3), 6, False, True)
    session = rest.get_session(service.holder.get_session_id()).result()
    assert session.training_run_ids == [client.model_id]
    rest.delete_checkpoint_from_tinker_path(path).result()
    assert [c.tinker_path for c in rest.list_checkpoints(client.model_id).result().checkpoints] == [sampler]
    with pytest.raises(tinker.APIStatusError, match="no checkpoint"):
        service.create_training_client_from_state(path).result()


@pytest.mark.conformance("sessions/{id}/finish", "session_heartbeat: 410 after the end")
def test_a_finished_session_frees_its_models(engine: RunningEngine, http: httpx.Client, qwen3: Path) -> None:
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=2).result()
        session = service.holder.get_session_id()
        assert http.post("session_heartbeat", json={"session_id": session}).status_code == 200
        assert http.post("get_info", json={"model_id": client.model_id}).status_code == 200
    assert http.post("session_heartbeat", json={"session_id": session}).status_code == 410
    assert http.post("get_info", json={"model_id": client.model_id}).status_code == 404


def alive(http: httpx.Client) -> None:
    assert http.get("healthz").status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)
PIECES = {
    "model_id": "m", "session_id": "s", "seq_id": 1, "path": "p",
    "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1, -1, 2**40]}]},
    "sampling_params": {"max_tokens": 2**60, "seed": -1, "stop": [[]]}, "base_model": "b", "num_samples": 2**31, "optimizer": True,
    "request_id": "r", "lora_config": {"rank": -1}, "model_seq_id": -1, "adam_params": {"learning_rate": "x"}, "tinker_path": "tinker://a/b",
    "sampling_session_id": "x", "tags": [], "user_metadata": None, "sdk_version": "",
}  # fmt: skip
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.conformance(
    "telemetry: hostile bodies",
    "client/dynamic_config: hostile bodies",
    "unload_model: hostile bodies",
    "retrieve_future: hostile bodies",
    "asample: hostile bodies",
    "load_weights: hostile bodies",
)
@QUIET
@given(endpoint=st.sampled_from(ENDPOINTS), body=JSON | st.dictionaries(st.sampled_from(sorted(PIECES)), JSON, max_size=6))
def test_any_json_is_answered(http: httpx.Client, endpoint: str, body: object) -> None:
    assert http.post(endpoint, json=body).status_code < 500
    if isinstance(body, dict):
        assert http.post(endpoint, json={**PIECES, **body}).status_code < 500
        chosen = {key: PIECES.get(key) for key in body}
        assert http.post(endpoint, json=chosen).status_code < 500


@pytest.mark.conformance("forward_backward: hostile bodies")
@QUIET
@given(endpoint=st.sampled_from(ENDPOINTS), body=st.binary(max_size=300), encoding=st.sampled_from(["", "zstd", "gzip"]))
def test_any_bytes_are_answered(http: httpx.Client, endpoint: str, body: bytes, encoding: str) -> None:
    headers = {"Content-Type": "application/x-protobuf"} | ({"Content-Encoding": encoding} if encoding else {})
    assert http.post(endpoint, content=body, headers=headers).status_code < 500
    alive(http)


@pytest.mark.conformance("forward_backward: hostile bodies")
def test_any_damage_to_a_training_request_is_answered(service: tinker.ServiceClient, http: httpx.Client, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=1).result()
    number = 0

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6), st.integers(0, 10_000))
    def damaged(changes: list[tuple[int, int]], cut: int) -> None:
        nonlocal number
        asked = types.ForwardBackwardRequest(types.ForwardBackwardInput(batch(), "cross_entropy"), client.model_id, number + 1)
        raw = bytearray(forward_backward_request_to_proto(asked).SerializeToString())
        for place, value in changes:
            # Behind the model's name and number, so that the damage reaches the worker.
            raw[60 + place % (len(raw) - 60)] = value
        if cut % 3 == 0:
            del raw[60 + cut % (len(raw) - 60) :]
        try:
            read = tinker_public_pb2.ForwardBackwardRequest.FromString(bytes(raw))
            if (read.model_id, read.seq_id) != (client.model_id, number + 1):
                return  # for another model, or out of order: that would only wait
        except DecodeError:
            pass
        answer = http.post("forward_backward", content=bytes(raw))
        assert answer.status_code < 500
        if answer.status_code == 200:
            outcome = http.post("retrieve_future", json={"request_id": answer.json()["request_id"]})
            assert outcome.status_code == 200
            if "json" in outcome.headers["content-type"]:
                assert outcome.json()["category"] == "user", outcome.json()
            number += 1

    damaged()
    alive(http)


@pytest.mark.conformance("forward_backward: a body beyond the limit")
def test_a_zip_bomb_is_refused(http: httpx.Client) -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(200_000_000))
    answer = http.post("forward_backward", content=bomb, headers={"Content-Encoding": "zstd"})
    assert (answer.status_code, "larger than" in answer.text) == (400, True)


def started(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "idiolect.engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **(environment or {})})


def test_what_cannot_be_started_says_why(tmp_path: Path, engine: RunningEngine) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "config.json").write_text('{"model_type": "gpt2"}')
    port = engine.url.rsplit(":", 1)[1]
    cases = [
        (["--model", str(tmp_path / "none")], "there is no such model folder"),
        (["--model", str(empty)], "no config.json"),
        (["--model", str(strange)], "'gpt2'"),
        (["--model", str(empty), "--port", port], "cannot listen there"),
        (["--model", str(empty), "--token", "secret"], "begins with tml-"),
        (["--model", str(empty), "--requests", "0"], "at least one request"),
    ]
    for arguments, said in cases:
        ended = started(*arguments, "--state", str(tmp_path / "state"))
        assert ended.returncode == 2, ended
        assert said in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
        assert not ended.stdout


def test_a_model_that_cannot_be_fetched_says_so(tmp_path: Path) -> None:
    nowhere = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    ended = started("--model", "nobody/no-such-model", "--state", str(tmp_path / "state"), environment=nowhere)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1)
    assert "could not be fetched" in ended.stderr


def test_damaged_weights_say_so(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", "llama")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    ended = started("--model", str(folder), "--state", str(tmp_path / "state"))
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1)
    assert "model.safetensors" in ended.stderr


@pytest.mark.conformance("load_weights: after a restart")
def test_sigterm_ends_it_in_order_and_the_state_outlives_it(qwen3: Path, tmp_path: Path) -> None:
    with start_engine(qwen3, state=tmp_path) as running:
        service = tinker.ServiceClient(base_url=running.url, api_key=running.token)
        client = service.create_lora_training_client(base_model=str(qwen3), rank=2, seed=1).result()
        client.forward_backward(batch(), "cross_entropy").result()
        client.optim_step(ADAM).result()
        path = client.save_weights_for_sampler("kept").result().path
        expected = service.create_sampling_client(model_path=path).result().compute_logprobs(prompt()).result()
        service.close("success").result()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
    with start_engine(qwen3, state=tmp_path) as running:
        service = tinker.ServiceClient(base_url=running.url, api_key=running.token)
        assert service.create_sampling_client(model_path=path).result().compute_logprobs(prompt()).result() == expected
        rest = tinker.RestClient(base_url=running.url, api_key=running.token)
        assert [run.lora_rank for run in rest.list_training_runs().result().training_runs] == [2]
        service.close("success").result()


def test_it_ends_with_its_parent(qwen3: Path, tmp_path: Path) -> None:
    """A parent that is killed outright takes the engine with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "idiolect.engine", "--model", str(qwen3), "--port", str(port), "--token", "tml-x"]
    script = "import os,subprocess,sys,time; subprocess.Popen([*sys.argv[1:], '--parent', str(os.getpid())]); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script, *command, "--state", str(tmp_path)])

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/v1/healthz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    deadline = time.monotonic() + 30
    while not answers():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while answers():
        assert time.monotonic() < deadline
        time.sleep(0.1)
