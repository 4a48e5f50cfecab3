"""Whatever is sent to whichever endpoint gets an answer that is not the engine's failure, and real clients go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import tinker
import zstandard
from data import batch, prompt
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from raw import ADAM, Raw, logprobs, trained
from starlette.routing import Route
from tinker import types
from tinker.proto.request_conv import forward_backward_request_to_proto

from idiolect.engine.app import make_app
from idiolect.engine.state import Engine
from running_engine import RunningEngine, start_engine

ROUTES = [
    (method, route.path)
    for route in make_app(cast(Engine, None), "tml-x").routes
    if isinstance(route, Route)
    for method in sorted(route.methods or ())
    if method != "HEAD"
]
POSTS = [path for method, path in ROUTES if method == "POST" and "{" not in path]
QUIET = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

HOSTILE = [
    "",
    ".",
    "..",
    "../..",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "x" * 5000,
    "näme",
    "日本",
    "a\0b",
    "\0",
    ".hidden",
    "-x",
    "a b",
    "%2e%2e",
    "~",
    "con\n",
    "𝕏",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20) | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)


class Victim:
    """An engine with a session, a model, a sampler and a checkpoint that hostile requests may name."""

    def __init__(self, raw: Raw, base: Path) -> None:
        self.http = raw.http
        session = raw.session()
        model = raw.model(session, base)
        path = str(raw.wait(raw.post("save_weights", {"model_id": model, "path": "w", "seq_id": 1})).json()["path"])
        sampler = raw.post("create_sampling_session", {"session_id": session, "sampling_session_seq_id": 0, "base_model": str(base)})
        self.model = model
        self.parts = [session, model, "weights", "sampler_weights", "external_weights", "w", str(sampler["sampling_session_id"])]
        self.body: dict[str, Any] = {
            "session_id": session, "model_id": model, "sampling_session_id": sampler["sampling_session_id"], "base_model": str(base),
            "model_seq_id": 1, "seq_id": 2, "sampling_session_seq_id": 1, "path": "w", "tinker_path": path, "source_path": path,
            "destination_project_id": "p", "ttl_seconds": 3600, "overwrite": True, "optimizer": True, "user_metadata": {"a": "b"},
            "lora_config": {"rank": 2}, "adam_params": ADAM.model_dump(), "num_samples": 2, "prompt_logprobs": True, "tags": [],
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": [5, 6, 7]}]}, "sampling_params": {"max_tokens": 3, "stop": ["a"]},
            "sdk_version": "x", "request_id": "none", "project_id": "p", "display_name": "d", "limit": 5, "reason": {"type": "success"},
        }  # fmt: skip

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.http.request(method, f"{self.http.base_url}".removesuffix("/api/v1/") + path, **options)
        assert answer.status_code < 500, (method, path, options, answer.text)
        return answer

    def post(self, path: str, body: object) -> None:
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        answer = self.send("POST", path, content=content, headers={"Content-Type": "application/json"})
        if answer.status_code == 200 and path.endswith("/asample"):
            outcome = self.http.post("retrieve_future", json={"request_id": answer.json()["request_id"]})
            if "json" in outcome.headers["content-type"]:
                assert outcome.json()["category"] == "user", (body, outcome.json())


@pytest.fixture(scope="module")
def attacked(qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningEngine, Victim]]:
    """At the end a real client works, and the engine never said that it failed."""
    state = tmp_path_factory.mktemp("attacked")
    with start_engine(qwen3, state=state) as engine, Raw(engine) as raw:
        with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
            client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=1).result()
            trained(client)
            expected = logprobs(client)
        outside = sorted(path for path in state.parent.rglob("*") if state not in path.parents)
        yield engine, Victim(raw, qwen3)
        assert engine.process.poll() is None
        assert sorted(path for path in state.parent.rglob("*") if state not in path.parents) == outside
        with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
            client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=1).result()
            trained(client)
            assert logprobs(client) == expected
            path = client.save_weights_for_sampler("after").result().path
            sampler = service.create_sampling_client(model_path=path).result()
            assert sampler.sample(prompt(), 1, types.SamplingParams(max_tokens=3)).result().sequences
        with open(f"/proc/{engine.process.pid}/status") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        assert peak < 2_000_000, f"{peak} kB"


@pytest.fixture
def victim(attacked: tuple[RunningEngine, Victim]) -> Victim:
    return attacked[1]


def test_every_endpoint_wants_the_token(attacked: tuple[RunningEngine, Victim]) -> None:
    with httpx.Client(base_url=attacked[0].url, headers={"X-API-Key": "tml-wrong"}) as stranger:
        for method, path in ROUTES:
            status = stranger.request(method, path.replace("{", "").replace("}", ""), json={}).status_code
            assert status == {"/api/v1/healthz": 200}.get(path, 404 if "/files/" in path else 401), (method, path)


@QUIET
@given(route=st.sampled_from(ROUTES), data=st.data(), body=JSON)
def test_hostile_paths_are_answered(victim: Victim, route: tuple[str, str], data: st.DataObject, body: object) -> None:
    method, path = route
    while "{" in path:
        part = data.draw(st.sampled_from(victim.parts + HOSTILE) | st.text(max_size=20))
        encoded = quote(part, safe=data.draw(st.sampled_from(["", "/.%~"])), errors="replace")
        path = path[: path.index("{")] + encoded + path[path.index("}") + 1 :]
    if path.endswith(("finish", "finish/")):
        return
    query = data.draw(st.dictionaries(st.sampled_from(["limit", "offset", "expires", "signature", "project_id"]), st.text(max_size=30)))
    victim.send(method, path, params=query, content=json.dumps(body).encode("utf-8", "surrogatepass"))


@QUIET
@given(path=st.sampled_from(POSTS), changes=st.dictionaries(st.integers(0, 200), JSON, max_size=3), dropped=st.integers(0, 200))
def test_valid_bodies_with_parts_replaced_are_answered(victim: Victim, path: str, changes: dict[int, object], dropped: int) -> None:
    if path.endswith("/unload_model"):
        return
    body = {**victim.body}
    names = sorted(body)
    for place, value in changes.items():
        body[names[place % len(names)]] = value
    if body["num_samples"] != 2 and isinstance(body["num_samples"], int) and 2 < body["num_samples"] < 2000:
        body["num_samples"] = 3  # valid, but only slow
    for kept in (body, {name: value for number, (name, value) in enumerate(body.items()) if number != dropped % len(names)}):
        victim.post(path, kept)
        # The SDK's types refuse what they do not know: the same with only the fields of each request.
        victim.post(path, {name: value for name, value in kept.items() if name in FIELDS.get(path.rsplit("/", 1)[1], names)})


FIELDS = {
    name: set(kind.model_fields)
    for name, kind in {
        "create_model": types.CreateModelRequest, "create_sampling_session": types.CreateSamplingSessionRequest,
        "asample": types.SampleRequest, "save_weights": types.SaveWeightsRequest, "load_weights": types.LoadWeightsRequest,
        "save_weights_for_sampler": types.SaveWeightsForSamplerRequest, "save_weights_external": types.SaveWeightsExternalRequest,
        "copy_weights": types.CopyWeightsRequest, "create_session": types.CreateSessionRequest, "optim_step": types.OptimStepRequest,
        "search": types.SessionSearchRequest, "session_heartbeat": types.SessionHeartbeatRequest, "get_info": types.GetInfoRequest,
    }.items()
}  # fmt: skip


@QUIET
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=300), encoding=st.sampled_from(["", "zstd", "gzip", "zstd, zstd", "\xe9"]))
@example(path="/api/v1/weights_info", body=b"[" * 200_000, encoding="")
@example(path="/api/v1/asample", body=b'{"a":' * 100_000, encoding="")
@example(path="/api/v1/create_session", body=b'{"tags":[],"user_metadata":{"a":"\\ud800"},"sdk_version":"x"}', encoding="")
@example(path="/api/v1/create_session", body=b'{"tags":[],"user_metadata":{"a":NaN},"sdk_version":"x"}', encoding="")
@example(path="/api/v1/optim_step", body=b'{"model_id":"m","seq_id":' + b"9" * 10_000 + b"}", encoding="")
def test_any_bytes_are_answered(victim: Victim, path: str, body: bytes, encoding: str) -> None:
    headers = [(b"Content-Encoding", encoding.encode("latin-1"))] if encoding else []
    victim.send("POST", path, content=body, headers=headers)
    if encoding == "zstd":
        packed = zstandard.ZstdCompressor().compress(body)
        victim.send("POST", path, content=packed, headers=headers)
        victim.send("POST", path, content=packed[: len(packed) // 2], headers=headers)


@QUIET
@given(cuts=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=8)), min_size=1, max_size=4))
def test_training_requests_with_bytes_cut_and_put_in_are_answered(victim: Victim, cuts: list[tuple[int, int, bytes]]) -> None:
    asked = types.ForwardBackwardRequest(types.ForwardBackwardInput(batch(), "cross_entropy"), victim.model, 2)
    raw = forward_backward_request_to_proto(asked).SerializeToString()
    for place, removed, added in cuts:
        place %= len(raw) + 1
        raw = raw[:place] + added + raw[place + removed :]
    victim.send("POST", "/api/v1/forward_backward", content=raw, headers={"Content-Type": "application/x-protobuf"})


@pytest.mark.conformance("forward_backward: a body beyond the limit", "asample: a body beyond the limit")
def test_bombs_of_each_kind_are_refused(victim: Victim) -> None:
    compressor = zstandard.ZstdCompressor()
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=30)).compress(bytes(1 << 20))
    for bomb in (
        compressor.compress(bytes(300 << 20)),
        compressor.compress(b"[" * (100 << 20)),
        compressor.compress(bytes(60 << 20)),
        wide,
    ):
        for path in ("/api/v1/forward_backward", "/api/v1/asample", "/api/v1/telemetry", "/api/v1/weights_info"):
            victim.send("POST", path, content=bomb, headers={"Content-Encoding": "zstd"})
    answer = victim.send("POST", "/api/v1/telemetry", content=iter([os.urandom(1 << 20)] * 65))
    assert (answer.status_code, "larger than" in answer.text) == (400, True)


@pytest.mark.conformance("copy_weights: hostile names", "save_weights_external: hostile names")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_name_nothing(victim: Victim, name: str) -> None:
    for path in (name, f"tinker://{victim.model}/weights/{name}", f"tinker://{name}/weights/w", f"tinker://{victim.model}/{name}/w"):
        for endpoint, body in {
            "load_weights": {"session_id": victim.parts[0], "model_seq_id": 5, "path": path, "optimizer": False},
            "copy_weights": {"source_path": path, "destination_project_id": "p"},
            "create_sampling_session": {"session_id": victim.parts[0], "sampling_session_seq_id": 9, "model_path": path},
            "weights_info": {"tinker_path": path},
        }.items():
            assert victim.send("POST", f"/api/v1/{endpoint}", json=body).status_code == 400
    for endpoint in ("save_weights", "save_weights_for_sampler", "save_weights_external"):
        body = {"model_id": victim.model, "path": name, "seq_id": 2}
        assert victim.send("POST", f"/api/v1/{endpoint}", json=body).status_code == 400
