"""The engine's numbers against implementations that are not ours: transformers for logprobs, peft for gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

from checkpoints import tiny_checkpoint
from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape, FrozenAdapter
from idiolect.engine.picking import Choice
from idiolect.engine.sampling import SampleJob, Sampler
from idiolect.engine.training import Example, TrainedModel
from idiolect.engine.transformer import Transformer

# peft warns of what an adapter on a tied head would mean for merging; nothing is merged here.
pytestmark = pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")

LENGTHS = [3, 17, 30, 29, 31, 120]
CASES = {
    "qwen2": {"family": "qwen2"},
    "qwen3": {"family": "qwen3"},
    "llama": {"family": "llama"},
    "qwen2-tied": {"family": "qwen2", "tie_word_embeddings": True},
    "qwen3-untied-biased": {"family": "qwen3", "tie_word_embeddings": False, "attention_bias": True},
    "llama-linear-rope": {"family": "llama", "rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 3.0}},
    "llama-biased": {"family": "llama", "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4},
}


@pytest.fixture(scope="module", params=list(CASES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = dict(CASES[request.param])
    return tiny_checkpoint(tmp_path_factory.mktemp(request.param), str(settings.pop("family")), **settings)


@pytest.fixture(scope="module")
def model(folder: Path) -> Transformer:
    return load_transformer(folder, torch.device("cpu"), torch.float32)


def examples(model: Transformer, *, begun: int = 0) -> list[Example]:
    """Random tokens, of which the first ``begun`` are the same in each, as where one system prompt stands before all."""
    generator = torch.Generator().manual_seed(1)
    beginning = torch.randint(0, model.architecture.vocabulary, (begun,), generator=generator)
    made = []
    for length in LENGTHS:
        tokens = torch.randint(0, model.architecture.vocabulary, (length + 1,), generator=generator)
        tokens[:begun] = beginning[: length + 1]
        weights = torch.rand(length, generator=generator)
        weights[: length // 2] = 0
        made.append(Example(tokens[:-1], {"target_tokens": tokens[1:], "weights": weights}))
    return made


def reference_logprobs(reference: torch.nn.Module, example: Example) -> torch.Tensor:
    logits = reference(input_ids=example.tokens.unsqueeze(0)).logits[0]
    return logits.log_softmax(-1).gather(1, example.inputs["target_tokens"].unsqueeze(1)).squeeze(1)


def trained(model: Transformer, *, unembed: bool = True) -> TrainedModel:
    """An adapter whose B matrices are not zero, so that every gradient is felt."""
    adapter = Adapter.fresh(model, AdapterShape(4, unembed=unembed), seed=5)
    adapter.flat.add_(torch.randn(adapter.flat.shape, generator=torch.Generator().manual_seed(2)) * 0.02)
    return TrainedModel(adapter)


def test_logprobs_equal_transformers(folder: Path, model: Transformer) -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    base = TrainedModel(Adapter.fresh(model, AdapterShape(4), seed=0))
    values, _ = base.forward(examples(model), "cross_entropy", {}, backward=False)
    for example, value in zip(examples(model), values, strict=True):
        with torch.no_grad():
            assert (reference_logprobs(reference, example) - value).abs().max() < 1e-4


@pytest.mark.parametrize("begun", [0, 25])
def test_adapter_logprobs_and_gradients_equal_peft(folder: Path, model: Transformer, tmp_path: Path, begun: int) -> None:
    ours = trained(model)
    given = examples(model, begun=begun)
    store = Checkpoints(tmp_path)
    place = Place.made("run", "weights", "w")
    store.save(place, ours, str(folder), overwrite=False, ttl=None, metadata=None)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    reference = PeftModel.from_pretrained(base, str(store.folder(place)), is_trainable=True)
    values, total = ours.forward(given, "cross_entropy", {}, backward=True)
    loss = torch.zeros(())
    for example, value in zip(given, values, strict=True):
        expected = reference_logprobs(reference, example)
        assert (expected - value).abs().max() < 1e-4
        loss = loss - (expected * example.inputs["weights"]).sum()
    assert abs(float(loss.detach()) - total) < 1e-3 * abs(total)
    loss.backward()
    gradients = {name.replace(".default", ""): p.grad for name, p in reference.named_parameters() if p.grad is not None}
    named = ours.adapter.named(ours.gradient)
    assert gradients.keys() == named.keys()
    for name, gradient in named.items():
        assert torch.allclose(gradient, gradients[name], rtol=1e-3, atol=1e-3 * float(gradients[name].abs().max())), name


def test_steps_equal_torch_adamw(model: Transformer) -> None:
    ours = trained(model)
    parameter = torch.nn.Parameter(ours.adapter.flat.clone())
    reference = torch.optim.AdamW([parameter], lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for _ in range(3):
        ours.forward(examples(model), "cross_entropy", {}, backward=True)
        parameter.grad = ours.gradient.clone()
        torch.nn.utils.clip_grad_norm_([parameter], 1.0)
        reference.step()
        ours.step(learning_rate=3e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, grad_clip_norm=1.0)
        assert torch.allclose(ours.adapter.flat, parameter, atol=1e-6)
        assert not ours.gradient.any()


def test_fresh_adapter_has_the_shape_and_start_peft_gives(folder: Path, model: Transformer) -> None:
    adapter = Adapter.fresh(model, AdapterShape(4, unembed=False), seed=3)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    reference = get_peft_model(base, LoraConfig(r=4, lora_alpha=32, target_modules=modules))
    expected = {n.replace(".default", ""): p for n, p in reference.named_parameters() if p.requires_grad}
    for name, part in adapter.named().items():
        assert part.shape == expected[name].shape
        if "lora_B" in name:
            assert not part.any()
        else:
            assert part.abs().max() <= expected[name].shape[1] ** -0.5
            assert abs(float(part.std() / expected[name].detach().std()) - 1) < 0.3
    again, other = (Adapter.fresh(model, adapter.shape, seed=seed).flat for seed in (3, 4))
    assert torch.equal(adapter.flat, again)
    assert not torch.equal(adapter.flat, other)


def sampled(sampler: Sampler, **settings: object) -> SampleJob:
    finished: list[SampleJob] = []
    errors: list[Exception] = []
    defaults: dict[str, object] = {
        "prompt": [5, 6, 7], "adapter": None, "samples": 1, "max_tokens": 20, "choice": Choice(0.0, -1, 1.0), "seed": 0,
        "stop_tokens": frozenset(), "stop_strings": (), "decode": None, "prompt_logprobs": False, "scored": 99,
        "top_prompt": 0, "top_sampled": 0,
    }  # fmt: skip
    job = SampleJob(**{**defaults, **settings}, done=finished.append, failed=errors.append)  # type: ignore[arg-type]
    sampler.waiting.append(job)
    while sampler.busy:
        sampler.step()
    assert not errors
    assert finished == [job]
    return job


def test_greedy_decoding_equals_transformers_generate(folder: Path, model: Transformer, tmp_path: Path) -> None:
    ours = trained(model)
    store, place = Checkpoints(tmp_path), Place.made("run", "sampler_weights", "w")
    store.save(place, ours, str(folder), overwrite=False, ttl=None, metadata=None)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    reference = PeftModel.from_pretrained(base, str(store.folder(place))).eval()
    job = sampled(Sampler(model), adapter=FrozenAdapter(ours.adapter.snapshot()), samples=2, prompt_logprobs=True, top_sampled=2)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        made = reference.generate(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=20, do_sample=False, eos_token_id=None
        )
        logprobs = reference(input_ids=made).logits[0].log_softmax(-1)
    for result in job.results:
        assert result.tokens == made[0, 3:].tolist()
        expected = logprobs[2:-1].gather(1, made[0, 3:].unsqueeze(1)).squeeze(1)
        assert (torch.tensor(result.logprobs) - expected).abs().max() < 1e-4
        assert [int(ids[0]) for ids, _ in result.top] == result.tokens
    assert job.prompt_values is not None
    assert torch.allclose(torch.tensor(job.prompt_values[1:]), logprobs[:2].gather(1, made[0, 1:3].unsqueeze(1)).squeeze(1), atol=1e-4)
