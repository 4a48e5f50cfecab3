"""Sampling through the unmodified SDK."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tinker
import torch
import transformers
from data import TOKENS, batch, prompt
from tinker import types

PARAMS = types.SamplingParams(max_tokens=24, seed=5, stop=[])


@pytest.fixture
def base(service: tinker.ServiceClient, qwen3: Path) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model=str(qwen3)).result()


def drawn(client: tinker.SamplingClient, params: types.SamplingParams, samples: int = 1, length: int = 6) -> list[list[int]]:
    response = client.sample(prompt(length), samples, params).result()
    assert [len(s.tokens) == len(s.logprobs or []) for s in response.sequences] == [True] * samples
    return [sequence.tokens for sequence in response.sequences]


@pytest.mark.conformance("asample: seed")
def test_a_seed_repeats_whatever_else_runs(base: tinker.SamplingClient) -> None:
    alone = drawn(base, PARAMS, 4)
    assert len({tuple(tokens) for tokens in alone}) == 4
    crowd = [base.sample(prompt(3 + i % 9), 3, types.SamplingParams(max_tokens=10 + i, stop=[])) for i in range(12)]
    assert drawn(base, PARAMS, 4) == alone
    for future in crowd:
        future.result()
    assert drawn(base, PARAMS, 2) == alone[:2]
    assert drawn(base, PARAMS.model_copy(update={"seed": 6}), 4) != alone
    unseeded = PARAMS.model_copy(update={"seed": None})
    assert drawn(base, unseeded) != drawn(base, unseeded)


@pytest.mark.conformance("asample: sample_sequence_ids")
def test_sequence_ids_are_distinct(base: tinker.SamplingClient) -> None:
    responses = [base.sample(prompt(), 3, PARAMS).result() for _ in range(2)]
    assert len({sequence.sequence_id for response in responses for sequence in response.sequences}) == 6


@pytest.mark.conformance("asample: temperature", "asample: top_k", "asample: top_p")
def test_draws_follow_the_models_distribution(base: tinker.SamplingClient, qwen3: Path) -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(qwen3, dtype=torch.float32)
    with torch.no_grad():
        logits = reference(input_ids=torch.tensor([TOKENS[:6]])).logits[0, -1]
    count = 1000
    for temperature, top_k, top_p in ((1.0, -1, 1.0), (0.6, -1, 1.0), (1.0, 4, 1.0), (1.0, -1, 0.7)):
        params = types.SamplingParams(max_tokens=1, seed=1, temperature=temperature, top_k=top_k, top_p=top_p, stop=[])
        expected = torch.softmax(logits / temperature, -1).numpy().astype(np.float64)
        order = np.argsort(-expected)
        kept = order[:top_k] if top_k > 0 else order[: int(np.searchsorted(np.cumsum(expected[order]), top_p)) + 1] if top_p < 1 else order
        cut = np.zeros_like(expected)
        cut[kept] = expected[kept] / expected[kept].sum()
        seen = Counter(tokens[0] for tokens in drawn(base, params, count))
        assert set(seen) <= set(kept.tolist())
        distance = sum(abs(seen[token] / count - cut[token]) for token in range(len(cut))) / 2
        # The expected total variation of 1,000 draws from this distribution, with a wide margin.
        assert distance < 1.6 * sum(np.sqrt(cut * (1 - cut) / count)) / 2 + 0.01


@pytest.mark.conformance("asample: topk_sample_logprobs")
def test_logprobs_are_the_models_own(base: tinker.SamplingClient) -> None:
    response = base.sample(prompt(), 1, types.SamplingParams(max_tokens=8, seed=1, temperature=0.7, top_k=9, stop=[])).result()
    sequence = response.sequences[0]
    whole = base.compute_logprobs(types.ModelInput.from_ints(TOKENS[:6] + sequence.tokens)).result()
    assert sequence.logprobs == pytest.approx(whole[6:], abs=1e-4)


@pytest.mark.conformance("asample: temperature")
def test_temperature_zero_takes_the_likeliest(base: tinker.SamplingClient) -> None:
    params = types.SamplingParams(max_tokens=6, temperature=0, stop=[])
    response = base.sample(prompt(), 2, params, topk_sample_logprobs=3).result()
    first, second = response.sequences
    assert first.tokens == second.tokens
    assert first.topk_logprobs is not None
    for token, logprob, best in zip(first.tokens, first.logprobs or [], first.topk_logprobs, strict=True):
        assert best is not None
        assert best[0] == (token, pytest.approx(logprob, abs=1e-5))
        assert len(best) == 3
        assert best[0][1] >= best[1][1] >= best[2][1]


@pytest.mark.conformance("asample: stop")
def test_stops(base: tinker.SamplingClient, qwen3: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(qwen3)
    free = base.sample(prompt(), 1, PARAMS).result().sequences[0]
    assert (free.stop_reason, len(free.tokens)) == ("length", 24)

    def stopped(stop: object) -> types.SampledSequence:
        return base.sample(prompt(), 1, PARAMS.model_copy(update={"stop": stop})).result().sequences[0]

    by_token = stopped([free.tokens[9]])
    cut = free.tokens.index(free.tokens[9]) + 1
    assert (by_token.stop_reason, by_token.tokens) == ("stop", free.tokens[:cut])
    readable = [i for i in range(4, 20) if tokenizer.decode(free.tokens[i : i + 2]).isascii()]
    words = tokenizer.decode(free.tokens[readable[0] : readable[0] + 2])
    for stop in (words, ["never to be seen", words]):
        by_text = stopped(stop)
        assert by_text.stop_reason == "stop"
        assert by_text.tokens == free.tokens[: len(by_text.tokens)]
        assert words in tokenizer.decode(by_text.tokens)
        assert words not in tokenizer.decode(by_text.tokens[:-1])


@pytest.mark.conformance("asample: stop")
def test_without_stops_the_end_token_ends(service: tinker.ServiceClient, base: tinker.SamplingClient) -> None:
    sequences = base.sample(prompt(), 200, types.SamplingParams(max_tokens=60, seed=0, temperature=2.0)).result().sequences
    ended = [sequence for sequence in sequences if sequence.stop_reason == "stop"]
    assert ended
    assert all(sequence.tokens[-1] == 2 and 2 not in sequence.tokens[:-1] for sequence in ended)
    assert all(2 not in sequence.tokens for sequence in sequences if sequence.stop_reason == "length")


@pytest.mark.conformance("asample: prompt_logprobs", "asample: topk_prompt_logprobs", "asample: prompt_logprobs_last_n")
def test_prompt_logprobs(base: tinker.SamplingClient, qwen3: Path) -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(qwen3, dtype=torch.float32)
    with torch.no_grad():
        logprobs = reference(input_ids=torch.tensor([TOKENS[:20]])).logits[0].log_softmax(-1)
    expected = logprobs[:-1].gather(1, torch.tensor(TOKENS[1:20]).unsqueeze(1)).squeeze(1).tolist()
    response = base.sample(prompt(20), 2, PARAMS, include_prompt_logprobs=True, topk_prompt_logprobs=3).result()
    assert response.prompt_logprobs is not None
    assert response.topk_prompt_logprobs is not None
    assert response.prompt_logprobs[0] is None
    assert response.topk_prompt_logprobs[0] is None
    assert response.prompt_logprobs[1:] == pytest.approx(expected, abs=1e-4)
    best = logprobs[4].topk(3)
    assert response.topk_prompt_logprobs[5] == [
        (int(token), pytest.approx(float(value), abs=1e-4)) for token, value in zip(best.indices, best.values, strict=True)
    ]
    assert base.compute_logprobs(prompt(20)).result() == pytest.approx(response.prompt_logprobs, abs=1e-5, nan_ok=True)
    last = base.compute_logprobs(prompt(20), prompt_logprobs_last_n=4).result()
    assert last[:16] == [None] * 16
    assert last[16:] == pytest.approx(expected[-4:], abs=1e-4)


@pytest.mark.conformance(
    "save_weights_for_sampler: a snapshot, without a name",
    "save_weights_for_sampler: with a name",
    "create_sampling_session: model_path",
    "GET samplers/{id}",
)
def test_a_sampler_is_a_snapshot(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()

    def step() -> None:
        client.forward_backward(batch(), "cross_entropy").result()
        client.optim_step(types.AdamParams(learning_rate=1e-2)).result()

    step()
    ephemeral = client.save_weights_and_get_sampling_client().result()
    path = client.save_weights_for_sampler("one").result().path
    before = ephemeral.compute_logprobs(prompt(20)).result()
    step()
    assert ephemeral.compute_logprobs(prompt(20)).result() == before
    named = service.create_sampling_client(model_path=path).result()
    assert named.compute_logprobs(prompt(20)).result() == pytest.approx(before, abs=1e-6, nan_ok=True)
    assert named.get_base_model() == str(qwen3)
    later = client.save_weights_and_get_sampling_client().result().compute_logprobs(prompt(20)).result()
    assert later[1:] != pytest.approx(before[1:], abs=1e-2)


@pytest.mark.conformance("asample: several models and adapters at once")
def test_rows_of_several_adapters_do_not_mix(service: tinker.ServiceClient, qwen3: Path, llama: Path) -> None:
    clients = [service.create_sampling_client(base_model=str(name)).result() for name in (qwen3, llama)]
    for seed in (1, 2, 3):
        trainer = service.create_lora_training_client(base_model=str(qwen3), rank=4 * seed, seed=seed).result()
        trainer.forward_backward(batch(seed), "cross_entropy").result()
        trainer.optim_step(types.AdamParams(learning_rate=2e-2)).result()
        clients.append(trainer.save_weights_and_get_sampling_client().result())
    params = types.SamplingParams(max_tokens=20, temperature=0, stop=[])
    alone = [drawn(client, params)[0] for client in clients]
    assert len({tuple(tokens) for tokens in alone}) == len(clients)
    together = [client.sample(prompt(), 2, params) for client in clients for _ in range(3)]
    got = [sequence.tokens for future in together for sequence in future.result().sequences]
    assert got == [tokens for tokens in alone for _ in range(6)]


@pytest.mark.conformance("asample: num_samples")
def test_more_samples_than_rows(base: tinker.SamplingClient) -> None:
    many = drawn(base, types.SamplingParams(max_tokens=3, seed=5, stop=[]), 300)
    assert many[:4] == [tokens[:3] for tokens in drawn(base, PARAMS, 4)]


@pytest.mark.conformance("asample: impossible settings")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
    ],
)
def test_impossible_settings_are_named(base: tinker.SamplingClient, settings: dict[str, object], said: str) -> None:
    with pytest.raises(tinker.APIStatusError, match=said):
        base.sample(prompt(), 1, PARAMS.model_copy(update=settings)).result()


@pytest.mark.conformance("asample: impossible prompts")
def test_impossible_prompts_are_named(base: tinker.SamplingClient) -> None:
    for tokens, said in (([], "0 tokens"), ([99_999], "outside"), ([1] * 512, "512 tokens")):
        with pytest.raises(tinker.APIStatusError, match=said):
            base.sample(types.ModelInput.from_ints(tokens), 1, PARAMS).result()


@pytest.mark.conformance("asample: max_tokens")
def test_the_context_bounds_the_length(base: tinker.SamplingClient) -> None:
    params = types.SamplingParams(max_tokens=1000, seed=1, stop=[])
    sequence = base.sample(types.ModelInput.from_ints([TOKENS[0]] * 500), 1, params).result().sequences[0]
    assert (len(sequence.tokens), sequence.stop_reason) == (12, "length")
