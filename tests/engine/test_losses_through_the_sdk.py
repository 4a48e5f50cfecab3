"""Every loss end to end, through the SDK against transformers and peft."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tinker
import torch
import transformers
from data import TOKENS, batch, prompt
from peft import PeftModel
from reference_losses import DOUBLE, Inputs, reference
from safetensors.torch import load_file
from tinker import types

from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.losses import LOSSES
from running_engine import RunningEngine

# peft warns of what an adapter on a tied head would mean for merging; nothing is merged here.
pytestmark = pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")


class Trained:
    """A model one step from its start, through the SDK, and the same one in peft and float64."""

    def __init__(self, service: tinker.ServiceClient, engine: RunningEngine, folder: Path) -> None:
        self.client = service.create_lora_training_client(base_model=str(folder), rank=4, seed=3).result()
        self.sampler = self.client.save_weights_and_get_sampling_client(record_stability_info=True)
        self.client.forward_backward(batch(), "cross_entropy").result()
        self.client.optim_step(types.AdamParams(learning_rate=5e-3)).result()
        self.state = Checkpoints(engine.state)
        saved = self.state.folder(Place.parsed(self.client.save_state("one").result().path))
        base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=DOUBLE)
        self.reference = PeftModel.from_pretrained(base, str(saved), is_trainable=True).double().eval()

    def logprobs(self, datum: types.Datum) -> torch.Tensor:
        tokens = torch.tensor([datum.model_input.to_ints()])
        targets = datum.loss_fn_inputs["target_tokens"].to_torch()
        values = self.reference(input_ids=tokens).logits[0].log_softmax(-1)
        return values.gather(1, targets.reshape(len(targets), -1)).reshape(targets.shape)

    def agrees(self, data: list[types.Datum], loss: types.LossFnType, config: dict[str, float], inputs: list[Inputs]) -> None:
        """Loss, logprobs and gradient are those of ``reference`` on peft's logprobs; ``inputs`` are in float64."""
        output = self.client.forward_backward(data, loss, dict(config)).result()
        # A checkpoint taken within a step holds the gradient; a step of size 0 then clears it.
        saved = self.state.folder(Place.parsed(self.client.save_state(f"gradient-of-{loss}", overwrite=True).result().path))
        self.client.optim_step(types.AdamParams(learning_rate=0.0)).result()
        settings = LOSSES[loss].configured(loss, dict(config))
        total, pushed = 0.0, torch.zeros((), dtype=DOUBLE)
        for datum, own, out in zip(data, inputs, output.loss_fn_outputs, strict=True):
            values = self.logprobs(datum)
            assert np.allclose(out["logprobs"].to_numpy(), values.detach().numpy(), atol=1e-4)
            expected, slopes = reference(loss, values, own, settings)
            total += expected
            pushed = pushed + (values * torch.tensor(slopes, dtype=DOUBLE)).sum()
        assert output.metrics["loss:sum"] == pytest.approx(total, rel=1e-3, abs=1e-3)
        self.reference.zero_grad()
        pushed.backward()
        wanted = {f"gradient.{name.replace('.default', '')}": p.grad for name, p in self.reference.named_parameters() if p.grad is not None}
        gradients = {name: value for name, value in load_file(saved / "optimizer.safetensors").items() if name in wanted}
        assert gradients.keys() == wanted.keys()
        for name, gradient in gradients.items():
            largest = float(wanted[name].abs().max())
            assert largest > 0
            assert torch.allclose(gradient.double(), wanted[name], rtol=2e-3, atol=2e-3 * largest), name


@pytest.fixture(scope="module")
def trained(engine: RunningEngine, qwen3: Path) -> Callable[[], Trained]:
    client = tinker.ServiceClient(base_url=engine.url, api_key=engine.token)
    made: list[Trained] = []

    def once() -> Trained:
        if not made:
            made.append(Trained(client, engine, qwen3))
        return made[0]

    return once


def policy_batch(*names: str) -> tuple[list[types.Datum], list[Inputs]]:
    data, inputs = [], []
    generator = np.random.default_rng(1)
    for number, length in enumerate((9, 24, 25, 40)):
        tokens = TOKENS[number : number + length + 1]
        sampled = (np.arange(length) >= 3).astype(np.float32)
        columns = {
            "logprobs": (-6 + generator.normal(size=length)).astype(np.float32) * sampled,
            "advantages": generator.normal(size=length).astype(np.float32) * sampled,
            "sequence_ratio_mask": sampled,
            "weights": generator.normal(size=length).astype(np.float32),
        }
        given = {name: columns[name] for name in names}
        data.append(types.Datum(types.ModelInput.from_ints(tokens[:-1]), {"target_tokens": np.array(tokens[1:]), **given}))
        inputs.append({name: torch.from_numpy(value).to(DOUBLE) for name, value in given.items()})
    return data, inputs


@pytest.mark.conformance(
    "forward_backward: cross_entropy",
    "forward_backward: importance_sampling",
    "forward_backward: ppo",
    "forward_backward: cispo",
    "forward_backward: dro",
    "forward_backward: gspo",
)
@pytest.mark.parametrize(
    ("loss", "config"),
    [
        ("cross_entropy", {}),
        ("importance_sampling", {}),
        ("ppo", {}),
        ("cispo", {"clip_high_threshold": 2.0}),
        ("dro", {"beta": 0.1}),
        ("gspo", {"clip_low_threshold": 0.01, "clip_high_threshold": 100.0}),
    ],
)
def test_through_the_sdk_loss_logprobs_and_gradient_equal_pefts(
    trained: Callable[[], Trained], loss: types.LossFnType, config: dict[str, float]
) -> None:
    data, inputs = policy_batch(*LOSSES[loss].inputs)
    trained().agrees(data, loss, config, inputs)


def with_provenance(tokens: list[int], sequence: types.SampledSequence, advantages: list[float]) -> types.Datum:
    """What the cookbook's RL loop builds: the prompt's targets say nothing, each token names where it is from."""
    before, count = len(tokens) - 1, len(sequence.tokens)
    inputs = {"target_tokens": [0] * before + sequence.tokens, "advantages": [0.0] * before + advantages}
    datum = types.Datum(types.ModelInput.from_ints(tokens + sequence.tokens[:-1]), inputs)
    name = sequence.sequence_id
    return datum.with_provenance(
        model_input=[
            types.PromptProvenanceSpan(sequence_id=name, length=len(tokens)),
            types.SampledProvenanceSpan(sequence_id=name, length=count - 1),
        ],
        loss_fn_inputs=[
            types.PromptProvenanceSpan(sequence_id=name, offset=1, length=before),
            types.SampledProvenanceSpan(sequence_id=name, length=count),
        ],
    )


def recorded(client: tinker.SamplingClient, samples: int = 3) -> list[types.SampledSequence]:
    return list(client.sample(prompt(), samples, types.SamplingParams(max_tokens=12, seed=3, stop=[])).result().sequences)


@pytest.mark.conformance("forward_backward: stable_reinforce", "asample: record_stability_info")
def test_stable_reinforce_finds_what_was_sampled(trained: Callable[[], Trained]) -> None:
    data, inputs = [], []
    for number, sequence in enumerate(recorded(trained().sampler.result())):
        advantages = [number - 1.0 + 0.1 * i for i in range(12)]
        data.append(with_provenance(TOKENS[:6], sequence, advantages))
        columns = {"logprobs": sequence.logprobs or [], "advantages": advantages, "sampled": [1.0] * 12}
        inputs.append({name: torch.tensor([0.0] * 5 + values, dtype=DOUBLE) for name, values in columns.items()})
    trained().agrees(data, "stable_reinforce", {"kl_coeff": 0.2}, inputs)


@pytest.mark.conformance("forward_backward: stable_reinforce")
def test_two_turns_in_one_datum(trained: Callable[[], Trained]) -> None:
    """A second request whose prompt goes on from the first's sample, as the cookbook joins them."""
    sampler = trained().sampler.result()
    (one,) = recorded(sampler, 1)
    second = TOKENS[:6] + one.tokens + TOKENS[20:23]
    params = types.SamplingParams(max_tokens=4, seed=3, stop=[])
    (two,) = sampler.sample(types.ModelInput.from_ints(second), 1, params).result().sequences
    whole = second + two.tokens
    advantages = [0.0] * 5 + [1.0] * 12 + [0.0] * 3 + [-1.0] * 4
    prompts, sampled = types.PromptProvenanceSpan, types.SampledProvenanceSpan
    turns = [
        sampled(sequence_id=one.sequence_id, length=12),
        prompts(sequence_id=two.sequence_id, offset=18, length=3),
    ]
    datum = types.Datum(types.ModelInput.from_ints(whole[:-1]), {"target_tokens": whole[1:], "advantages": advantages}).with_provenance(
        model_input=[prompts(sequence_id=one.sequence_id, length=6), *turns, sampled(sequence_id=two.sequence_id, length=3)],
        loss_fn_inputs=[prompts(sequence_id=one.sequence_id, offset=1, length=5), *turns, sampled(sequence_id=two.sequence_id, length=4)],
    )
    columns = {
        "logprobs": [0.0] * 5 + (one.logprobs or []) + [0.0] * 3 + (two.logprobs or []),
        "advantages": advantages,
        "sampled": [0.0] * 5 + [1.0] * 12 + [0.0] * 3 + [1.0] * 4,
    }
    inputs = {name: torch.tensor(values, dtype=DOUBLE) for name, values in columns.items()}
    trained().agrees([datum], "stable_reinforce", {"kl_coeff": 0.2}, [inputs])


@pytest.mark.conformance("forward_backward: impossible provenance")
def test_provenance_that_does_not_hold_is_refused(
    trained: Callable[[], Trained], service: tinker.ServiceClient, engine: RunningEngine, qwen3: Path
) -> None:
    client = trained().client
    (sequence,) = recorded(trained().sampler.result(), 1)
    good = with_provenance(TOKENS[:6], sequence, [1.0] * 12)

    def said(datum: types.Datum, trainer: tinker.TrainingClient = client) -> str:
        with pytest.raises(tinker.RequestFailedError) as caught:
            trainer.forward([good, datum], "stable_reinforce").result()
        return str(caught.value)

    bare = types.Datum(good.model_input, good.loss_fn_inputs)
    assert "datum 1: has no provenance" in said(bare)
    other = types.SampledSequence("stop", "unheard-of", tokens_np=sequence.tokens_np, logprobs_np=sequence.logprobs_np)
    assert "no record of the sequence 'unheard-of'" in said(with_provenance(TOKENS[:6], other, [1.0] * 12))
    assert "other tokens than the prompt" in said(with_provenance(TOKENS[1:7], sequence, [1.0] * 12))
    assert "which has 6" in said(with_provenance(TOKENS[:7], sequence, [1.0] * 12))
    early = types.Datum(good.model_input, {**good.loss_fn_inputs, "advantages": np.ones(17, np.float32)})
    spans = good.model_input_spans, good.loss_fn_input_spans
    assert spans[0] is not None
    assert spans[1] is not None
    assert "not sampled" in said(early.with_provenance(spans[0], spans[1]))
    # What one session sampled, another cannot train on; and what was not asked to be recorded, none.
    elsewhere = service.create_lora_training_client(base_model=str(qwen3), rank=4).result()
    assert "datum 0: this session holds no record" in said(good, elsewhere)
    unrecorded = elsewhere.save_weights_and_get_sampling_client().result()
    with pytest.raises(tinker.RequestFailedError, match="no record"):
        elsewhere.forward([with_provenance(TOKENS[:6], recorded(unrecorded, 1)[0], [1.0] * 12)], "stable_reinforce").result()


@pytest.mark.conformance("forward_backward: missing and misshapen loss inputs")
@pytest.mark.parametrize(
    ("loss", "change", "said"),
    [
        ("ppo", {"logprobs": None}, "datum 2: ppo needs logprobs of the targets' shape .25., found none"),
        ("cispo", {"advantages": np.zeros(3, np.float32)}, "datum 2: cispo needs advantages of the targets' shape .25., found shape .3."),
        ("dro", {"advantages": np.full(25, np.inf, np.float32)}, "datum 2: advantages holds values that are not finite"),
        ("gspo", {"sequence_ratio_mask": np.zeros(25, np.float32)}, "datum 2: sequence_ratio_mask marks no token"),
        ("importance_sampling", {"target_tokens": np.ones((25, 2), np.int64)}, "datum 2: importance_sampling needs target_tokens of shape"),
        ("ppo", {"clip_low_threshold": np.ones(2, np.float32)}, "datum 2: ppo needs clip_low_threshold of the targets' shape"),
        ("custom", {}, "the loss 'custom' is not known"),
    ],
)
def test_missing_and_misshapen_inputs_are_named(
    trained: Callable[[], Trained], loss: types.LossFnType, change: dict[str, np.ndarray | None], said: str
) -> None:
    data, _ = policy_batch(*(LOSSES[loss].inputs if loss in LOSSES else ()))
    inputs = {name: value for name, value in {**data[2].loss_fn_inputs, **change}.items() if value is not None}
    data[2] = types.Datum(data[2].model_input, inputs)
    with pytest.raises(tinker.RequestFailedError, match=said) as caught:
        trained().client.forward_backward(data, loss).result()
    assert caught.value.category == types.RequestErrorCategory.User


@pytest.mark.conformance("forward_backward: sparse targets")
def test_sparse_candidates_equal_dense_ones(trained: Callable[[], Trained]) -> None:
    """Targets [T, K], most of them padding, sent as CSR; the whole equals a sum over the columns."""
    tokens, generator = TOKENS[:31], torch.Generator().manual_seed(2)
    targets = torch.randint(1, 300, (30, 8), generator=generator) * (torch.rand(30, 8, generator=generator) < 0.2)
    weights = torch.rand(30, 8, generator=generator) * (targets != 0)
    dense = {"target_tokens": types.TensorData.from_torch(targets), "weights": types.TensorData.from_torch(weights)}
    data = [
        types.Datum(types.ModelInput.from_ints(tokens[:-1]), inputs) for inputs in (dense, {"target_tokens": targets, "weights": weights})
    ]
    assert data[1].loss_fn_inputs["target_tokens"].sparse_crow_indices is not None
    outputs = [trained().client.forward([datum], "cross_entropy").result() for datum in data]
    values = trained().logprobs(data[0]).detach()
    for output in outputs:
        assert output.metrics["loss:sum"] == pytest.approx(float(-(values * weights).sum()), rel=1e-4)
        assert np.allclose(output.loss_fn_outputs[0]["logprobs"].to_numpy(), values.numpy(), atol=1e-4)


@pytest.mark.conformance("forward_backward: forward_backward_custom", "forward_backward: create_custom_loss, run by the client")
def test_a_traced_custom_loss_is_the_built_in_one(engine: RunningEngine, qwen3: Path) -> None:
    """A loss handle, which runs here as the engine takes no graphs, pushes as the loss of the same formula."""

    def own(
        logprobs: torch.Tensor, sampled_logprobs: torch.Tensor, advantages: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = -(torch.exp(logprobs - sampled_logprobs) * advantages).sum()
        return loss, {"custom/loss:mean": loss}

    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=3).result()
        handle = service.create_custom_loss(own, input_ranks={"logprobs": 1, "sampled_logprobs": 1, "advantages": 1}).result()
        plain, _ = policy_batch("logprobs", "advantages")
        named = [types.Datum(d.model_input, {**d.loss_fn_inputs, "sampled_logprobs": d.loss_fn_inputs["logprobs"]}) for d in plain]
        found = []
        for submit in (
            lambda: client.forward_backward_custom(named, handle),
            lambda: client.forward_backward(plain, "importance_sampling"),
        ):
            metrics = submit().result().metrics
            step = client.optim_step(types.AdamParams(learning_rate=0.0)).result()
            found.append((metrics["loss:sum"], (step.metrics or {})["grad_norm"]))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.conformance("forward_backward: forward_backward_custom")
def test_dpo_as_a_custom_loss_starts_at_ln_2_and_leaves_it(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
    reference = client.save_weights_and_get_sampling_client().result()
    pairs = [(batch()[1], batch(3)[1]), (batch(5)[2], batch(8)[2])]
    data = [datum for pair in pairs for datum in pair]
    fixed = []
    for datum in data:
        whole = [*datum.model_input.to_ints(), datum.loss_fn_inputs["target_tokens"].tolist()[-1]]
        fixed.append(torch.tensor(reference.compute_logprobs(types.ModelInput.from_ints(whole)).result()[1:]))

    def dpo(data: list[types.Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        sums = [
            ((own - ref) * datum.loss_fn_inputs["weights"].to_torch()).sum() for datum, own, ref in zip(data, logprobs, fixed, strict=True)
        ]
        margins = torch.stack(sums[::2]) - torch.stack(sums[1::2])
        loss = -torch.nn.functional.logsigmoid(0.5 * margins).mean()
        return loss, {"margin": float(margins.detach().mean())}

    losses = []
    for _ in range(4):
        forward = client.forward_backward_custom(data, dpo)
        step = client.optim_step(types.AdamParams(learning_rate=1e-2))
        metrics = forward.result().metrics
        step.result()
        losses.append(metrics["loss:sum"])
        assert "margin" in metrics
    assert losses[0] == pytest.approx(math.log(2), abs=1e-4)
    assert losses[-1] < 0.3
