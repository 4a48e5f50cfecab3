"""Every loss against a plain reference in float64, against TRL's, and end to end through the SDK against transformers and peft."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tinker
import torch
import transformers
from data import TOKENS, batch, prompt
from peft import PeftModel
from safetensors.torch import load_file
from tinker import types

from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.losses import LOSSES
from idiolect.errors import InputError
from running_engine import RunningEngine

# peft warns of what an adapter on a tied head would mean for merging; nothing is merged here.
pytestmark = pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")

DOUBLE = torch.float64
Inputs = dict[str, torch.Tensor]


def policy_data(length: int = 40, seed: int = 0) -> Inputs:
    """Loss inputs in which every branch is taken: ratios on both sides of every threshold, advantages of both signs and 0."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(3, length, generator=generator, dtype=DOUBLE)
    sampled = torch.ones(length, dtype=DOUBLE)
    sampled[:5] = 0
    advantages = normal[1] * sampled
    advantages[7] = 0
    logits = torch.randn(length, 11, generator=generator, dtype=DOUBLE)
    targets = torch.randint(0, 11, (length,), generator=generator)
    current = logits.log_softmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)
    return {
        "logits": logits,
        "target_tokens": targets,
        "logprobs": current + 0.8 * normal[0],
        "advantages": advantages,
        "weights": normal[2],
        "sequence_ratio_mask": sampled,
        "sampled": sampled,
    }


# One token's loss and d loss / d logprob, from its logprob under the model (p), under the sampler (q), its advantage and so on.


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _surrogate(ratio: float, a: float, low: float, high: float) -> tuple[float, float]:
    clipped = _clip(ratio, low, high)
    return -min(ratio * a, clipped * a), -ratio * a if ratio * a <= clipped * a else 0.0


def one_token(
    loss: str, p: float, q: float, a: float, weight: float, sampled: float, mean_drift: float, **settings: float
) -> tuple[float, float]:
    ratio, low, high = math.exp(p - q), settings.get("clip_low_threshold"), settings.get("clip_high_threshold")
    if loss == "cross_entropy":
        return -p * weight, -weight
    if loss == "importance_sampling":
        return -ratio * a, -ratio * a
    if loss == "dro":
        return -(p * a - settings["beta"] / 2 * (p - q) ** 2), -(a - settings["beta"] * (p - q))
    if loss == "stable_reinforce":
        pull, kept = settings["kl_coeff"] * (p - q), min(ratio, 1.0)
        return sampled * (pull * (p - q) / 2 - kept * p * a), sampled * (pull - kept * a)
    assert low is not None
    assert high is not None
    if loss == "cispo":
        return -_clip(ratio, low, high) * p * a, -_clip(ratio, low, high) * a
    return _surrogate(ratio if loss == "ppo" else math.exp(mean_drift), a, low, high)


def reference(loss: str, logprobs: torch.Tensor, inputs: Inputs, settings: dict[str, float]) -> tuple[float, list[float]]:
    """The loss and its slopes, token by token."""
    count = len(logprobs)
    blank = torch.zeros(count, dtype=DOUBLE)
    columns = [inputs.get(name, blank).tolist() for name in ("logprobs", "advantages", "weights", "sampled")]
    drifts = [p - q for p, q, m in zip(logprobs.tolist(), columns[0], inputs.get("sequence_ratio_mask", blank).tolist(), strict=True) if m]
    mean_drift = sum(drifts) / len(drifts) if drifts else 0.0
    terms = [one_token(loss, p, *rest, mean_drift, **settings) for p, *rest in zip(logprobs.tolist(), *columns, strict=True)]
    return sum(value for value, _ in terms), [slope for _, slope in terms]


CASES: list[tuple[str, dict[str, float]]] = [
    ("cross_entropy", {}),
    ("importance_sampling", {}),
    ("ppo", {}),
    ("ppo", {"clip_low_threshold": 0.5, "clip_high_threshold": 1.05}),
    ("cispo", {}),
    ("cispo", {"clip_low_threshold": 0.7, "clip_high_threshold": 1.3}),
    ("dro", {}),
    ("dro", {"beta": 0.7}),
    ("gspo", {}),
    ("gspo", {"clip_low_threshold": 0.5, "clip_high_threshold": 2.0}),
    ("stable_reinforce", {}),
    ("stable_reinforce", {"kl_coeff": 0.3}),
]


@pytest.mark.parametrize(("loss", "config"), CASES)
def test_loss_and_gradient_equal_a_plain_reference(loss: str, config: dict[str, float]) -> None:
    """In float64, the gradient carried on through a softmax."""
    inputs = policy_data()
    logits = inputs.pop("logits").requires_grad_()
    logprobs = logits.log_softmax(-1).gather(1, inputs["target_tokens"].unsqueeze(1)).squeeze(1)
    settings = LOSSES[loss].configured(loss, config)
    expected, slopes = reference(loss, logprobs, inputs, settings)
    value = LOSSES[loss].compute(logprobs, inputs, settings)
    assert value.dtype == DOUBLE
    assert float(value.detach()) == pytest.approx(expected, rel=1e-12)
    (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
    (wanted,) = torch.autograd.grad(logprobs, logits, torch.tensor(slopes, dtype=DOUBLE))
    assert torch.allclose(gradient, wanted, rtol=1e-10, atol=1e-14)
    assert gradient.abs().max() > 0 or (loss == "gspo" and not config)


@pytest.mark.parametrize("loss", ["cross_entropy", "importance_sampling", "ppo", "dro"])
def test_gradient_equals_differences(loss: str) -> None:
    inputs = policy_data(length=12)
    logits = inputs.pop("logits").requires_grad_()
    settings = LOSSES[loss].configured(loss, {})

    def of(logits: torch.Tensor) -> torch.Tensor:
        logprobs = logits.log_softmax(-1).gather(1, inputs["target_tokens"].unsqueeze(1)).squeeze(1)
        return LOSSES[loss].compute(logprobs, inputs, settings)

    assert torch.autograd.gradcheck(of, logits)


def test_thresholds_may_differ_from_token_to_token() -> None:
    inputs = policy_data()
    logprobs = inputs.pop("logits").log_softmax(-1).gather(1, inputs["target_tokens"].unsqueeze(1)).squeeze(1)
    low, high = torch.linspace(0.3, 0.9, 40, dtype=DOUBLE), torch.linspace(1.0, 2.0, 40, dtype=DOUBLE)
    for loss in ("ppo", "cispo"):
        value = LOSSES[loss].compute(
            logprobs, {**inputs, "clip_low_threshold": low, "clip_high_threshold": high}, LOSSES[loss].configured(loss, {})
        )
        expected = 0.0
        for i in range(40):
            own = {name: column[i : i + 1] for name, column in inputs.items()}
            limits = {"clip_low_threshold": float(low[i]), "clip_high_threshold": float(high[i])}
            expected += reference(loss, logprobs[i : i + 1], own, limits)[0]
        assert float(value) == pytest.approx(expected, rel=1e-12)


def test_where_the_policies_agree_every_policy_loss_has_reinforces_gradient() -> None:
    inputs = policy_data()
    logits = inputs.pop("logits")
    logprobs = logits.log_softmax(-1).gather(1, inputs["target_tokens"].unsqueeze(1)).squeeze(1).requires_grad_()
    inputs["logprobs"] = logprobs.detach()
    for loss in ("importance_sampling", "ppo", "cispo", "dro", "gspo", "stable_reinforce"):
        value = LOSSES[loss].compute(logprobs, inputs, LOSSES[loss].configured(loss, {}))
        (slopes,) = torch.autograd.grad(value, logprobs)
        assert torch.allclose(slopes, -inputs["advantages"], atol=1e-14), loss


def test_stable_reinforce_stays_bounded_off_policy() -> None:
    """A token that the policy has moved far up or down neither explodes nor is pushed on for ever."""
    for drift in (-60.0, 60.0):
        logprobs = torch.tensor([-70.0 if drift < 0 else -1e-3], dtype=DOUBLE, requires_grad=True)
        inputs = {"logprobs": logprobs.detach() - drift, "advantages": -torch.ones(1, dtype=DOUBLE), "sampled": torch.ones(1, dtype=DOUBLE)}
        (slope,) = torch.autograd.grad(LOSSES["stable_reinforce"].compute(logprobs, inputs, {"kl_coeff": 0.0}), logprobs)
        assert float(slope) == pytest.approx(math.exp(min(drift, 0.0)))


@pytest.mark.parametrize(
    ("loss", "config", "said"),
    [
        ("ppo", {"epsilon": 0.2}, "ppo has no setting 'epsilon'. It takes clip_low_threshold, clip_high_threshold"),
        ("cross_entropy", {"beta": 1.0}, "takes no settings"),
        ("dro", {"beta": "much"}, "beta is 'much'"),
        ("dro", {"beta": math.nan}, "beta is 'nan'"),
        ("cispo", {"clip_low_threshold": 5.0}, "lies above"),
    ],
)
def test_impossible_settings_are_named(loss: str, config: dict[str, float | str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LOSSES[loss].configured(loss, config)


# TRL


def trls_loss(kind: str, level: str, low: float, high: float, logprobs: torch.Tensor, rows: Inputs) -> torch.Tensor:
    """TRL's own ``GRPOTrainer._compute_loss`` on ``rows`` [B, T], with its mean over the batch turned back into a sum."""
    trl = pytest.importorskip("trl.trainer.grpo_trainer")
    count, length = rows["mask"].shape
    plain = SimpleNamespace(gather=lambda x: x, reduce=lambda x, reduction: x, num_processes=1, sync_gradients=False)
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *args, **kwargs: (logprobs, torch.zeros_like(logprobs), None),
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level=level, beta=0.0,
        loss_type=kind, epsilon_low=low, epsilon_high=high, args=SimpleNamespace(delta=None, steps_per_generation=1), use_vllm=False,
        model=SimpleNamespace(training=False), max_completion_length=length, _entropy_bonus_enabled=False, accelerator=plain,
        _metrics={"eval": defaultdict(list)},
    )  # fmt: skip
    ids = torch.zeros(count, length, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1], "prompt_mask": ids[:, :1], "completion_ids": ids, "completion_mask": rows["mask"],
        "advantages": rows["advantages"], "old_per_token_logps": rows["logprobs"], "num_items_in_batch": torch.ones(()),
    }  # fmt: skip
    scale = count * length if kind == "dr_grpo" else 1
    return trl.GRPOTrainer._compute_loss(trainer, None, inputs) * scale


@pytest.mark.parametrize(
    ("loss", "kind", "level", "settings", "epsilons"),
    [
        ("ppo", "dr_grpo", "token", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}, (0.2, 0.2)),
        ("ppo", "dr_grpo", "token", {"clip_low_threshold": 0.9, "clip_high_threshold": 1.28}, (0.1, 0.28)),
        ("importance_sampling", "dr_grpo", "token", {}, (1.0, 1e9)),
        ("cispo", "cispo", "token", {"clip_low_threshold": 0.0, "clip_high_threshold": 4.0}, (1.0, 4.0)),
        ("gspo", "luspo", "sequence", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.3}, (0.2, 0.3)),
    ],
)
def test_loss_and_gradient_equal_trls(loss: str, kind: str, level: str, settings: dict[str, float], epsilons: tuple[float, float]) -> None:
    """GSPO-token and TRL's GSPO coincide where a sequence has one advantage, as it has here."""
    generator = torch.Generator().manual_seed(3)
    shape = (6, 9)
    logprobs = -torch.rand(shape, generator=generator, dtype=DOUBLE) * 4
    drift = 0.15 if loss == "gspo" else 0.7
    old = (
        logprobs
        + drift * torch.randn(shape, generator=generator, dtype=DOUBLE)
        + drift * torch.randn(6, 1, generator=generator, dtype=DOUBLE)
    )
    mask = (torch.arange(9) < torch.tensor([9, 4, 7, 9, 2, 8]).unsqueeze(1)).to(DOUBLE)
    advantages = torch.tensor([1.0, -0.5, 2.0, -1.5, 0.3, -0.2], dtype=DOUBLE)
    logprobs.requires_grad_()
    theirs = trls_loss(kind, level, *epsilons, logprobs, {"logprobs": old, "advantages": advantages, "mask": mask})
    if loss == "gspo":  # The mean over the batch, of a loss that counts its one ratio for each of the sequence's tokens.
        theirs = theirs * len(mask)
    ours = torch.stack([
        LOSSES[loss].compute(row, {"logprobs": q, "advantages": a * m, "sequence_ratio_mask": m}, settings)
        for row, q, a, m in zip(logprobs, old, advantages, mask, strict=True)
    ]).sum()  # fmt: skip
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-12)
    slopes, wanted = (torch.autograd.grad(value, logprobs)[0] for value in (ours, theirs))
    assert torch.allclose(slopes, wanted, atol=1e-14)
    assert slopes.abs().max() > 0.1


# End to end


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
