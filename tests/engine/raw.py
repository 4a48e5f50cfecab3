"""Requests the SDK would send, at moments and in an order of a test's own."""

from __future__ import annotations

import httpx
from data import batch
from tinker import types
from tinker.proto.request_conv import forward_backward_request_to_proto

from running_engine import RunningEngine

SESSION = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
ADAM = types.AdamParams(learning_rate=1e-2)


class Raw:
    """A client that knows no retries."""

    def __init__(self, engine: RunningEngine) -> None:
        self.http = httpx.Client(base_url=f"{engine.url}/api/v1/", headers={"X-API-Key": engine.token}, timeout=60)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, path: str, body: object, **headers: str) -> dict[str, object]:
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def session(self) -> str:
        return str(self.post("create_session", SESSION)["session_id"])

    def model(self, session: str, base: object, number: int = 0) -> str:
        asked = {"session_id": session, "model_seq_id": number, "base_model": str(base), "lora_config": {"rank": 4, "seed": 1}}
        return str(self.wait(self.post("create_model", asked)).json()["model_id"])

    def wait(self, receipt: dict[str, object]) -> httpx.Response:
        return self.http.post("retrieve_future", json={"request_id": receipt["request_id"]})

    def forward(self, model: str, number: int) -> httpx.Response:
        asked = types.ForwardBackwardRequest(types.ForwardBackwardInput(batch(), "cross_entropy"), model, number)
        body = forward_backward_request_to_proto(asked).SerializeToString()
        return self.http.post("forward_backward", content=body, headers={"Content-Type": "application/x-protobuf"})


def trained(client, count: int = 1) -> None:
    for _ in range(count):
        client.forward_backward(batch(), "cross_entropy")
        client.optim_step(ADAM).result()


def logprobs(client) -> list[list[float]]:
    return [output["logprobs"].tolist() for output in client.forward(batch(), "cross_entropy").result().loss_fn_outputs]
