"""What a sampling request can ask about its prompt, through the SDK against transformers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pytest
import tinker
import torch
import transformers
from data import TOKENS, batch, prompt
from tinker import types
from tinker.proto.response_conv import deserialize_sample_response

from idiolect.engine import wire
from idiolect.engine.loading import load_transformer
from idiolect.engine.picking import Choice
from idiolect.engine.prompt_scores import Alternatives, Named
from idiolect.engine.sampling import SampleJob, Sampler
from running_engine import RunningEngine

ONE = types.SamplingParams(max_tokens=1, seed=5, stop=[])
LENGTH = 20


@pytest.fixture
def base(service: tinker.ServiceClient, qwen3: Path) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model=str(qwen3)).result()


@pytest.fixture(scope="module")
def logprobs(qwen3: Path) -> torch.Tensor:
    """[LENGTH - 1, V]: of each next token after each place of the prompt."""
    reference = transformers.AutoModelForCausalLM.from_pretrained(qwen3, dtype=torch.float32)
    with torch.no_grad():
        return reference(input_ids=torch.tensor([TOKENS[:LENGTH]])).logits[0, :-1].log_softmax(-1)


@pytest.mark.conformance("asample: target_prompt_logprobs")
def test_named_tokens_dense_and_sparse(base: tinker.SamplingClient, logprobs: torch.Tensor) -> None:
    ids = torch.full((LENGTH - 1, 6), -1, dtype=torch.int64)
    generator = torch.Generator().manual_seed(1)
    for row in (4, 5, 11, LENGTH - 2):
        ids[row, :2] = torch.randint(0, 384, (2,), generator=generator)
    ids[11, 5] = 0
    expected = torch.where(ids < 0, 0.0, logprobs.gather(1, ids.clamp(min=0)))
    dense, sparse = types.TensorData.from_torch(ids), types.TensorData.from_torch_sparse(ids, pad_value=-1)
    assert sparse.sparse_crow_indices is not None
    for asked in (dense, sparse):
        answer = base.sample(prompt(LENGTH), 1, ONE, target_prompt_logprobs=asked).result().target_prompt_logprobs
        assert answer is not None
        assert (answer.shape, answer.dtype) == (asked.shape, "float32")
        assert (answer.sparse_crow_indices, answer.sparse_col_indices) == (asked.sparse_crow_indices, asked.sparse_col_indices)
        assert torch.allclose(answer.to_torch(), expected, atol=1e-4)
    # A listed cell of -1 asks for nothing, and is answered with 0 in its place.
    listed = types.TensorData([7, -1, 9], "int64", [LENGTH - 1, 3], [0] * 10 + [3] * 10, [0, 1, 2])
    answer = base.sample(prompt(LENGTH), 1, ONE, target_prompt_logprobs=listed).result().target_prompt_logprobs
    assert answer is not None
    assert answer.data == pytest.approx([float(logprobs[9, 7]), 0.0, float(logprobs[9, 9])], abs=1e-4)


@pytest.mark.conformance("asample: target_prompt_logprobs", "asample: prompt_logprobs_last_n")
def test_the_prompts_own_tokens_by_name_are_the_prompt_logprobs(base: tinker.SamplingClient, logprobs: torch.Tensor) -> None:
    """With logprobs of the last tokens only, which concerns the names as little as the draws."""
    own = types.TensorData(TOKENS[1:LENGTH], "int64", [LENGTH - 1, 1])
    asked = {"target_prompt_logprobs": own, "prompt_alt_tokens_k": 2, "topk_prompt_logprobs": 2}
    response = base.sample(prompt(LENGTH), 3, ONE, include_prompt_logprobs=True, prompt_logprobs_last_n=4, **asked).result()
    assert len(response.sequences) == 3
    assert response.target_prompt_logprobs is not None
    assert response.prompt_alt_tokens is not None
    assert response.prompt_logprobs is not None
    assert response.topk_prompt_logprobs is not None
    named = response.target_prompt_logprobs.to_torch()[:, 0]
    expected = logprobs.gather(1, torch.tensor(TOKENS[1:LENGTH]).unsqueeze(1)).squeeze(1)
    assert torch.allclose(named, expected, atol=1e-4)
    assert response.prompt_logprobs[:16] == [None] * 16
    assert response.prompt_logprobs[16:] == pytest.approx(expected[-4:].tolist(), abs=1e-4)
    assert [best is None for best in response.topk_prompt_logprobs] == [True] * 16 + [False] * 4
    assert response.prompt_alt_tokens.tokens.shape == [LENGTH - 1, 2]


@pytest.mark.conformance("asample: prompt_alt_tokens_k")
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_alternatives_follow_the_models_distribution(base: tinker.SamplingClient, logprobs: torch.Tensor, temperature: float) -> None:
    """At the request's temperature, and from the whole distribution whatever top-k and top-p say of the sample."""
    count = 800
    params = types.SamplingParams(max_tokens=1, seed=2, temperature=temperature, top_k=3, top_p=0.5, stop=[])
    drawn = base.sample(prompt(LENGTH), 1, params, prompt_alt_tokens_k=count).result().prompt_alt_tokens
    assert drawn is not None
    tokens, values = drawn.tokens.to_torch(), drawn.logprobs.to_torch()
    assert (drawn.tokens.dtype, drawn.logprobs.dtype, tuple(tokens.shape)) == ("int64", "float32", (LENGTH - 1, count))
    assert torch.allclose(values, logprobs.gather(1, tokens), atol=1e-4)
    for row in (0, 7, LENGTH - 2):
        wanted = torch.softmax(logprobs[row] / temperature, -1).numpy().astype(np.float64)
        seen = Counter(tokens[row].tolist())
        distance = sum(abs(seen[token] / count - wanted[token]) for token in range(len(wanted))) / 2
        # The expected total variation of that many draws from this distribution, with a wide margin.
        assert distance < 1.6 * sum(np.sqrt(wanted * (1 - wanted) / count)) / 2 + 0.01
    again, other = (
        base.sample(prompt(LENGTH), 1, params.model_copy(update={"seed": seed}), prompt_alt_tokens_k=count).result().prompt_alt_tokens
        for seed in (2, 3)
    )
    assert again is not None
    assert other is not None
    assert torch.equal(again.tokens.to_torch(), tokens)
    assert not torch.equal(other.tokens.to_torch(), tokens)


@pytest.mark.conformance("asample: prompt_alt_tokens_k")
def test_greedy_alternatives_are_the_likeliest(base: tinker.SamplingClient, logprobs: torch.Tensor) -> None:
    params = types.SamplingParams(max_tokens=1, temperature=0, stop=[])
    drawn = base.sample(prompt(LENGTH), 1, params, prompt_alt_tokens_k=2).result().prompt_alt_tokens
    assert drawn is not None
    assert torch.equal(drawn.tokens.to_torch(), logprobs.argmax(-1, keepdim=True).expand(-1, 2))


def test_a_prompt_of_one_token_has_nothing_to_score(base: tinker.SamplingClient) -> None:
    response = base.sample(prompt(1), 1, ONE, include_prompt_logprobs=True, prompt_alt_tokens_k=3).result()
    assert response.prompt_logprobs == [None]
    assert response.prompt_alt_tokens is not None
    assert response.prompt_alt_tokens.tokens.shape == [0, 3]


@pytest.mark.conformance("asample: target_prompt_logprobs", "asample: prompt_logprobs")
def test_scores_are_the_adapters(service: tinker.ServiceClient, qwen3: Path, logprobs: torch.Tensor) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
    client.forward_backward(batch(), "cross_entropy").result()
    client.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    sampler = client.save_weights_and_get_sampling_client().result()
    own = types.TensorData(TOKENS[1:LENGTH], "int64", [LENGTH - 1, 1])
    response = sampler.sample(prompt(LENGTH), 1, ONE, include_prompt_logprobs=True, target_prompt_logprobs=own).result()
    assert response.target_prompt_logprobs is not None
    assert response.prompt_logprobs is not None
    assert response.target_prompt_logprobs.data == pytest.approx(response.prompt_logprobs[1:], abs=1e-5)
    base = logprobs.gather(1, torch.tensor(TOKENS[1:LENGTH]).unsqueeze(1)).squeeze(1)
    assert response.prompt_logprobs[1:] != pytest.approx(base.tolist(), abs=1e-2)


@pytest.mark.conformance("asample: prompt cache")
def test_a_prompt_at_hand_counts_as_a_cache_hit(qwen3: Path) -> None:
    sampler, finished = Sampler(load_transformer(qwen3, torch.device("cpu"), torch.float32)), []
    for seed in (1, 2):
        job = SampleJob(
            prompt=TOKENS[:LENGTH], adapter=None, samples=2, max_tokens=3, choice=Choice(1.0, -1, 1.0), seed=seed, stop_tokens=frozenset(),
            stop_strings=(), decode=None, prompt_logprobs=False, scored=0, top_prompt=0, top_sampled=0, done=finished.append,
        )  # fmt: skip
        sampler.waiting.append(job)
    while sampler.busy:
        sampler.step()
    hits = {job.seed: deserialize_sample_response(wire.sample_response(job)).prompt_cache_hit_tokens for job in finished}
    assert hits[1] == 0
    assert 0 < hits[2] <= LENGTH


def test_scoring_in_blocks_equals_scoring_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(30, 50, generator=generator)
    normalizers = logits.logsumexp(-1)
    rows = np.array([0, 0, 3, 9, 10, 11, 29])
    draws = np.random.default_rng(0).random((30, 4), dtype=np.float32)
    draws[3] = np.nextafter(np.float32(1), np.float32(0))
    answers = []
    for step in (30, 7, 1):
        named, drawn = Named(rows, np.arange(7) * 7), Alternatives(0.8, draws)
        for start in range(0, 30, step):
            for asked in (named, drawn):
                asked.score(start, logits[start : start + step].clone(), normalizers[start : start + step])
        answers.append((named.logprobs, drawn.tokens, drawn.logprobs))
    for answer in answers[1:]:
        assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(answer, answers[0], strict=True))
    assert np.allclose(answers[0][0], (logits.log_softmax(-1)[rows, np.arange(7) * 7]).numpy(), atol=1e-6)


@pytest.mark.conformance("asample: impossible settings")
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt_alt_tokens_k": 1001}, "prompt_alt_tokens_k is 1001"),
        ({"topk_prompt_logprobs": 1001}, "topk_prompt_logprobs is 1001"),
        ({"topk_sample_logprobs": -1}, "topk_sample_logprobs is -1"),
        ({"include_prompt_logprobs": True, "prompt_logprobs_last_n": 6}, "1..5"),
        ({"target_prompt_logprobs": types.TensorData([1], "int64", [1, 1])}, "target_prompt_logprobs: must be an int64 array of shape"),
    ],
)
def test_impossible_questions_are_named(base: tinker.SamplingClient, asked: dict[str, object], said: str) -> None:
    with pytest.raises(tinker.APIStatusError, match=said):
        base.sample(prompt(6), 1, ONE, **asked).result()


@pytest.mark.conformance("asample: impossible prompts")
def test_an_image_in_the_prompt_is_refused(base: tinker.SamplingClient) -> None:
    image = types.ImageChunk(data=b"\x89PNG", format="png", expected_tokens=4)
    with pytest.raises(tinker.APIStatusError, match="image or sound"):
        base.sample(types.ModelInput(chunks=[types.EncodedTextChunk(tokens=[1, 2]), image]), 1, ONE).result()


@pytest.mark.conformance("asample: impossible settings")
def test_an_empty_stop_is_refused(base: tinker.SamplingClient) -> None:
    for stop in ("", ["a", ""]):
        with pytest.raises(tinker.APIStatusError, match="stop must not be empty"):
            base.sample(prompt(6), 1, ONE.model_copy(update={"stop": stop})).result()


@pytest.mark.conformance("asample: record_stability_info")
def test_only_a_session_can_record(engine: RunningEngine, qwen3: Path) -> None:
    asked = types.SampleRequest(prompt=prompt(3), sampling_params=ONE, base_model=str(qwen3), record_stability_info=True)
    answer = httpx.post(f"{engine.url}/api/v1/asample", content=asked.model_dump_json(), headers={"X-API-Key": engine.token})
    assert answer.status_code == 400
    assert "record_stability_info" in answer.json()["error"]
