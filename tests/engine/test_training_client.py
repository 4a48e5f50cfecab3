"""Training through the unmodified SDK."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest
import tinker
import zstandard
from data import TOKENS, batch, datum, prompt
from tinker import types
from tinker.proto.request_conv import forward_backward_request_to_proto

from running_engine import RunningEngine, start_engine

ADAM = types.AdamParams(learning_rate=1e-2)


def steps(client: tinker.TrainingClient, count: int, first: int = 0) -> list[float]:
    losses = []
    for number in range(first, first + count):
        forward, step = client.forward_backward(batch(number), "cross_entropy"), client.optim_step(ADAM)
        losses.append(forward.result().metrics["loss:sum"])
        step.result()
    return losses


def logprobs(client: tinker.TrainingClient) -> list[list[float]]:
    return [output["logprobs"].tolist() for output in client.forward(batch(), "cross_entropy").result().loss_fn_outputs]


@pytest.mark.conformance("create_model", "forward_backward: cross_entropy", "optim_step: adam_params")
def test_training_lowers_the_loss_and_reports_logprobs(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
    output = client.forward_backward(batch(), "cross_entropy").result()
    client.optim_step(ADAM).result()
    expected = 0.0
    for item, out in zip(batch(), output.loss_fn_outputs, strict=True):
        values = out["logprobs"].to_numpy()
        assert values.shape == (item.model_input.length,)
        expected -= float((values * item.loss_fn_inputs["weights"].to_numpy()).sum())
    assert output.metrics["loss:sum"] == pytest.approx(expected, rel=1e-5)
    losses = steps(client, 8)
    assert losses[-1] < 0.5 * output.metrics["loss:sum"]


@pytest.mark.conformance("get_info")
def test_info_names_the_base_and_its_tokenizer(service: tinker.ServiceClient, llama: Path) -> None:
    client = service.create_lora_training_client(base_model=str(llama), rank=4).result()
    info = client.get_info()
    assert (info.model_data.model_name, info.model_data.arch, info.lora_rank, info.is_lora) == (str(llama), "llama", 4, True)
    assert client.get_tokenizer().encode("<|im_end|>") == [2]


@pytest.mark.conformance("create_model: seed")
def test_the_seed_fixes_the_adapter(service: tinker.ServiceClient, qwen3: Path) -> None:
    def trained(seed: int) -> list[list[float]]:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=seed).result()
        steps(client, 2)
        return logprobs(client)

    assert trained(7) == trained(7)
    assert trained(7) != trained(8)


@pytest.mark.conformance("forward_backward: gradients gather until the step")
def test_gradients_gather_until_the_step(service: tinker.ServiceClient, qwen3: Path) -> None:
    def stepped(*batches: list[types.Datum]) -> tuple[float, list[list[float]]]:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=3).result()
        for part in batches:
            client.forward_backward(part, "cross_entropy").result()
        norm = (client.optim_step(ADAM).result().metrics or {})["grad_norm"]
        return norm, logprobs(client)

    whole, halves = stepped(batch()), stepped(batch()[:2], batch()[2:])
    assert whole[0] == pytest.approx(halves[0], rel=1e-4)
    for one, other in zip(whole[1], halves[1], strict=True):
        assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.conformance("forward_backward: forward_only")
def test_forward_leaves_no_gradient(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=3).result()
    before = logprobs(client)
    assert (client.optim_step(ADAM).result().metrics or {})["grad_norm"] == 0
    assert logprobs(client) == before


@pytest.mark.conformance("create_model: train_attn, train_mlp, train_unembed")
@pytest.mark.parametrize("covered", ["train_attn", "train_mlp", "train_unembed"])
def test_each_part_of_the_adapter_can_be_trained_alone(service: tinker.ServiceClient, qwen3: Path, covered: str) -> None:
    covers = {"train_attn": False, "train_mlp": False, "train_unembed": False, covered: True}
    client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=3, **covers).result()
    losses = steps(client, 4)
    assert steps(client, 1)[0] < losses[0]


@pytest.mark.conformance("forward_backward: forward_backward_custom")
def test_custom_loss_runs_client_side(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
    twin = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
    weights = [item.loss_fn_inputs["weights"].to_torch() for item in batch()]

    def loss(data, values):
        total = -sum((value * weight).sum() for value, weight in zip(values, weights, strict=True))
        return total, {"mine": float(total.detach())}

    custom = client.forward_backward_custom(batch(), loss).result()
    plain = twin.forward_backward(batch(), "cross_entropy").result()
    assert custom.metrics["loss:sum"] == pytest.approx(plain.metrics["loss:sum"], rel=1e-5)
    norms = [(c.optim_step(ADAM).result().metrics or {})["grad_norm"] for c in (client, twin)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


@pytest.mark.conformance("forward_backward: targets of two dimensions")
def test_two_target_columns(service: tinker.ServiceClient, qwen3: Path) -> None:
    """Targets [T, K] weigh several candidates a place; half the weight on each of two equal columns is the plain loss."""
    client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=3).result()
    plain = datum(TOKENS[:20])
    targets, weights = plain.loss_fn_inputs["target_tokens"].to_numpy(), plain.loss_fn_inputs["weights"].to_numpy()
    inputs = {"target_tokens": np.stack([targets, targets], 1), "weights": np.stack([weights, weights], 1) / 2}
    doubled = types.Datum(model_input=plain.model_input, loss_fn_inputs=inputs)
    one, two = (client.forward([item], "cross_entropy").result() for item in (plain, doubled))
    assert two.metrics["loss:sum"] == pytest.approx(one.metrics["loss:sum"], rel=1e-5)
    assert two.loss_fn_outputs[0]["logprobs"].to_numpy().shape == (19, 2)


@pytest.mark.conformance("retrieve_future: a failed request, with its category")
@pytest.mark.parametrize(
    ("data", "loss", "said"),
    [
        (batch(), "custom", "custom"),
        ([datum([1, 2, 100_000])], "cross_entropy", "datum 0: has target tokens outside"),
        ([datum([TOKENS[0]] * 600)], "cross_entropy", "599 tokens"),
        (batch(), "ppo", "ppo needs logprobs"),
    ],
)
def test_a_users_mistake_is_named_and_harms_nothing(
    service: tinker.ServiceClient, qwen3: Path, data: list[types.Datum], loss: types.LossFnType, said: str
) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=4).result()
    with pytest.raises(tinker.RequestFailedError, match=said) as caught:
        client.forward_backward(data, loss).result()
    assert caught.value.category == types.RequestErrorCategory.User
    assert steps(client, 1)


@pytest.mark.conformance("save_weights: with optimizer state", "load_weights: a new model from a checkpoint")
def test_resumed_training_equals_uninterrupted(qwen3: Path, tmp_path: Path) -> None:
    """Bit for bit, in another engine process, between steps and within one; later steps do not disturb the checkpoints."""

    def within(client: tinker.TrainingClient) -> list[list[float]]:
        """The rest of a step of which one batch has been gathered."""
        client.forward_backward(batch(4), "cross_entropy").result()
        client.optim_step(ADAM).result()
        steps(client, 2, first=5)
        return logprobs(client)

    with start_engine(qwen3, state=tmp_path) as first, tinker.ServiceClient(base_url=first.url, api_key=first.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
        steps(client, 3)
        path = client.save_state("third").result().path
        client.forward_backward(batch(3), "cross_entropy").result()
        gathered = client.save_state("gathered").result().path
        expected = within(client)
        with pytest.raises(tinker.RequestFailedError, match="exists already"):
            client.save_state("third").result()
        assert client.save_state("third-again", ttl_seconds=3600).result().path.endswith("/weights/third-again")
    with start_engine(qwen3, state=tmp_path) as second, tinker.ServiceClient(base_url=second.url, api_key=second.token) as service:
        client = service.create_training_client_from_state_with_optimizer(path).result()
        client.forward_backward(batch(3), "cross_entropy").result()
        assert within(client) == expected
        assert within(service.create_training_client_from_state_with_optimizer(gathered).result()) == expected
        for other in (path, gathered):
            assert within(service.create_training_client_from_state(other).result()) != expected


@pytest.mark.conformance("client/config: asynchronous client")
def test_asynchronous_use(engine: RunningEngine, qwen3: Path) -> None:
    async def use() -> tuple[float, list[float | None]]:
        service = tinker.ServiceClient(base_url=engine.url, api_key=engine.token)
        client = await service.create_lora_training_client(base_model=str(qwen3), rank=4)
        forward, step = client.forward_backward(batch(), "cross_entropy"), client.optim_step(ADAM)
        first = (await forward).metrics["loss:sum"]
        await step
        second = (await client.forward(batch(), "cross_entropy")).metrics["loss:sum"]
        sampler = await client.save_weights_and_get_sampling_client()
        values = await sampler.compute_logprobs(prompt())
        await service.close("success")
        return second - first, values

    change, values = asyncio.run(use())
    assert change < 0
    assert values[0] is None
    assert all(value is not None and value < 0 for value in values[1:])


class Raw:
    """Requests the SDK would send, in an order of our own."""

    def __init__(self, engine: RunningEngine) -> None:
        self.http = httpx.Client(base_url=f"{engine.url}/api/v1", headers={"X-API-Key": engine.token}, timeout=60)

    def post(self, path: str, body: dict[str, object], **headers: str) -> dict[str, object]:
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, receipt: dict[str, object]) -> httpx.Response:
        return self.http.post("/retrieve_future", json={"request_id": receipt["request_id"]})

    def forward(self, model: str, number: int, *, compressed: bool = False) -> dict[str, object]:
        asked = types.ForwardBackwardRequest(types.ForwardBackwardInput(batch(number), "cross_entropy"), model, number)
        body = forward_backward_request_to_proto(asked).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
        if compressed:
            body, headers["Content-Encoding"] = zstandard.ZstdCompressor().compress(body), "zstd"
        return self.http.post("/forward_backward", content=body, headers=headers).json()

    def model(self, base: str) -> str:
        body = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
        self.session = str(self.post("/create_session", body)["session_id"])
        lora = {"rank": 4, "seed": 1}
        made = self.post("/create_model", {"session_id": self.session, "model_seq_id": 0, "base_model": base, "lora_config": lora})
        again = self.post("/create_model", {"session_id": self.session, "model_seq_id": 0, "base_model": base, "lora_config": lora})
        assert made == again
        assert self.wait(made).json()["model_id"] == made["model_id"]
        return str(made["model_id"])


@pytest.mark.conformance("forward_backward: chunks in any order")
def test_requests_run_in_the_order_of_their_numbers(engine: RunningEngine, qwen3: Path) -> None:
    raw = Raw(engine)
    adam = {"adam_params": ADAM.model_dump()}
    norms = []
    for order in ([1, 2, 3, 4], [4, 2, 3, 1]):
        model = raw.model(str(qwen3))
        receipts = {}
        for number in order:
            if number == 2:
                receipts[2] = raw.post("/optim_step", {"model_id": model, "seq_id": 2, **adam})
            elif number == 4:
                receipts[4] = raw.post("/optim_step", {"model_id": model, "seq_id": 4, **adam})
            else:
                receipts[number] = raw.forward(model, number)
        norms.append([raw.wait(receipts[number]).json()["metrics"]["grad_norm"] for number in (2, 4)])
    assert norms[0] == norms[1]
    assert norms[0][0] != norms[0][1]


@pytest.mark.conformance("forward_backward: zstd")
def test_a_compressed_body_is_the_same_request(engine: RunningEngine, qwen3: Path) -> None:
    raw = Raw(engine)
    answers = []
    for compressed in (False, True):
        receipt = raw.forward(raw.model(str(qwen3)), 1, compressed=compressed)
        answers.append(raw.http.post("/retrieve_future", json={"request_id": receipt["request_id"]}).content)
    assert answers[0] == answers[1]
    assert len(answers[0]) > 100


@pytest.mark.conformance("forward_backward: a batch that the SDK cuts into chunks")
def test_a_batch_of_several_requests_is_one_to_its_user(service: tinker.ServiceClient, qwen3: Path) -> None:
    """1,030 data go as two requests, the first one last; the answers come in the data's order and the gradients add up."""
    data = [datum(TOKENS[shift : shift + 3 + shift % 5]) for shift in [number % 50 for number in range(1030)]]
    whole, halves = (service.create_lora_training_client(base_model=str(qwen3), rank=2, seed=1).result() for _ in range(2))
    output = whole.forward_backward(data, "cross_entropy").result()
    parts = [halves.forward_backward(part, "cross_entropy").result() for part in (data[:515], data[515:])]
    found = [one["logprobs"].tolist() for one in output.loss_fn_outputs]
    expected = [one["logprobs"].tolist() for part in parts for one in part.loss_fn_outputs]
    assert [len(one) for one in found] == [item.model_input.length for item in data]
    assert all(one == pytest.approx(other, abs=1e-4) for one, other in zip(found, expected, strict=True))
    assert output.metrics["loss:sum"] == pytest.approx(sum(part.metrics["loss:sum"] for part in parts), rel=1e-5)
    norms = [(client.optim_step(ADAM).result().metrics or {})["grad_norm"] for client in (whole, halves)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


@pytest.mark.conformance("create_model: an optimizer other than AdamW", "optim_step: optimizer_params")
def test_another_optimizer_is_refused_with_a_reason(engine: RunningEngine, qwen3: Path) -> None:
    raw = Raw(engine)
    model = raw.model(str(qwen3))
    asked = {"session_id": raw.session, "model_seq_id": 1, "base_model": str(qwen3), "lora_config": {"rank": 4}}
    answer = raw.http.post("/create_model", json={**asked, "optimizer_config": {"type": "dimuon", "version": 1}})
    assert (answer.status_code, "'dimuon' is not known here" in answer.json()["error"]) == (400, True)
    step = {"model_id": model, "seq_id": 1}
    answer = raw.http.post("/optim_step", json={**step, "optimizer_params": {"type": "dimuon", "learning_rate": 0.1}})
    assert (answer.status_code, "trained with AdamW" in answer.json()["error"]) == (400, True)
    # The number was not used up.
    assert raw.wait(raw.post("/optim_step", {**step, "optimizer_params": {"learning_rate": 0.1}})).json()["metrics"] == {"grad_norm": 0.0}


@pytest.mark.conformance("forward_backward: a repeated seq_id", "create_model: a repeated model_seq_id")
def test_a_repeated_number_gets_the_same_future_and_runs_once(engine: RunningEngine, qwen3: Path) -> None:
    raw = Raw(engine)
    model = raw.model(str(qwen3))
    adam = {"adam_params": ADAM.model_dump()}
    receipt = raw.forward(model, 1)
    assert raw.forward(model, 1) == receipt
    once = raw.wait(raw.post("/optim_step", {"model_id": model, "seq_id": 2, **adam})).json()
    twin = raw.model(str(qwen3))
    raw.forward(twin, 1)
    assert raw.wait(raw.post("/optim_step", {"model_id": twin, "seq_id": 2, **adam})).json() == once


@pytest.mark.conformance("create_session: X-Idempotency-Key")
def test_an_idempotency_key_makes_one_thing(engine: RunningEngine, qwen3: Path) -> None:
    raw = Raw(engine)
    body = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
    one, two, other = (raw.post("/create_session", body, **{"X-Idempotency-Key": key}) for key in ("k1", "k1", "k2"))
    assert one == two
    assert one != other
