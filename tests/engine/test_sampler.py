"""The sampler: what a request gets depends on itself alone, whatever else runs, fails or lies in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from idiolect.engine.cache import BlockCache
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape, FrozenAdapter
from idiolect.engine.picking import Choice
from idiolect.engine.sampling import SampleJob, Sampler
from idiolect.engine.transformer import Transformer
from idiolect.errors import EngineError
from kernel_forms import COMPILED, drawn, torch_alone

TOKENS = [int(token) for token in np.random.default_rng(3).integers(0, 250, 400)]


@pytest.fixture(scope="module", params=["kernels", "torch"], autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "kernels" and not COMPILED:
        pytest.skip("the kernels are not compiled here")
    with contextlib.nullcontext() if request.param == "kernels" else torch_alone():
        yield


@pytest.fixture(scope="module")
def model(qwen3: Path, form: None) -> Transformer:
    return load_transformer(qwen3, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def adapters(model: Transformer) -> list[FrozenAdapter | None]:
    return [None, frozen(model, AdapterShape(4), 1), frozen(model, AdapterShape(3, mlp=False, unembed=False), 2)]


def frozen(model: Transformer, shape: AdapterShape, seed: int, size: float = 0.02) -> FrozenAdapter:
    adapter = Adapter.fresh(model, shape, seed)
    adapter.flat.add_(drawn(seed, *adapter.flat.shape) * size)
    return FrozenAdapter(adapter)


class Asked:
    """A request, and what came of it."""

    def __init__(self, prompt: list[int], **settings: object) -> None:
        self.answers: list[SampleJob] = []
        self.errors: list[Exception] = []
        defaults: dict[str, object] = {
            "adapter": None, "samples": 1, "max_tokens": 20, "choice": Choice(1.0, -1, 1.0), "seed": 0, "stop_tokens": frozenset(),
            "stop_strings": (), "decode": None, "prompt_logprobs": False, "scored": 999, "top_prompt": 0, "top_sampled": 0,
        }  # fmt: skip
        callbacks = {"done": self.answers.append, "failed": self.errors.append}
        self.job = SampleJob(prompt, **{**defaults, **callbacks, **settings})  # type: ignore[arg-type]

    @property
    def tokens(self) -> list[list[int]]:
        assert not self.errors
        assert [answer is self.job for answer in self.answers] == [True]
        return [result.tokens for result in self.job.results]

    @property
    def logprobs(self) -> np.ndarray:
        return np.concatenate([result.logprobs for result in self.job.results])


def run(sampler: Sampler, *asked: Asked, each_step: Callable[[], object] = lambda: None) -> None:
    """All at once, until nothing is left to do; then every block and slot is free again."""
    sampler.waiting.extend(request.job for request in asked)
    for _ in range(2000):
        if not sampler.busy:
            break
        sampler.step()
        each_step()
    assert not sampler.busy
    assert sampler.cache.available() == sampler.cache.limit
    assert sorted(sampler._slots) == list(range(sampler.row_limit))


def small(model: Transformer, blocks: int, **settings: int) -> Sampler:
    return Sampler(model, cache_bytes=blocks * BlockCache.bytes_per_block(model), **settings)


def assert_same(found: Asked, expected: Asked) -> None:
    assert found.tokens == expected.tokens
    assert np.abs(found.logprobs - expected.logprobs).max() < 1e-5
    if expected.job.prompt_values is not None and found.job.prompt_values is not None:
        np.testing.assert_allclose(found.job.prompt_values, expected.job.prompt_values, atol=1e-5)
    if expected.job.prompt_top is not None:
        assert found.job.prompt_top is not None
        np.testing.assert_allclose(found.job.prompt_top[1], expected.job.prompt_top[1], atol=1e-5)


def requests(adapters: list[FrozenAdapter | None]) -> list[Asked]:
    """Of all kinds; many begin alike."""
    choices = [Choice(1.0, -1, 1.0), Choice(0.0, -1, 1.0), Choice(0.7, 40, 0.9), Choice(1.3, -1, 1.0)]
    made = []
    for number, length in enumerate([1, 5, 16, 17, 33, 40, 64, 90, 48, 47, 70, 32]):
        scores: dict[str, object] = {"prompt_logprobs": number % 3 == 0, "scored": [999, 10][number % 2], "top_prompt": number % 4}
        own = TOKENS[number : number + length] if number % 4 == 3 else TOKENS[:length]
        settings = {"adapter": adapters[number % 3], "samples": [1, 3, 1, 5][number % 4], "choice": choices[number // 3 % 4]}
        made.append(Asked(own, seed=number, max_tokens=5 + 3 * number, stop_tokens=frozenset({7, 8}), **settings, **scores))
    return made


@pytest.fixture(scope="module")
def alone(model: Transformer, adapters: list[FrozenAdapter | None]) -> list[Asked]:
    """The requests, each with a sampler of its own."""
    made = requests(adapters)
    for asked in made:
        run(Sampler(model), asked)
    return made


def test_company_and_what_the_cache_holds_change_nothing(
    model: Transformer, adapters: list[FrozenAdapter | None], alone: list[Asked]
) -> None:
    sampler = Sampler(model)
    for _ in ("cold", "warm"):
        together = requests(adapters)
        late = [asked.job for asked in together[::2]]
        run(sampler, *together[1::2], each_step=lambda late=late: sampler.waiting.extend(late.pop() for _ in late[:1]))
        for found, expected in zip(together, alone, strict=True):
            assert_same(found, expected)
    assert sum(asked.job.cached for asked in together) > 100


@pytest.mark.parametrize(("blocks", "rows"), [(12, 128), (20, 6), (400, 2), (9, 3)])
def test_little_memory_and_few_rows_change_nothing(
    model: Transformer, adapters: list[FrozenAdapter | None], alone: list[Asked], blocks: int, rows: int
) -> None:
    sampler, together = small(model, blocks, rows=rows), requests(adapters)
    paused = []
    run(sampler, *together, each_step=lambda: paused.append(len(sampler.paused)))
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected)
    if blocks == 12:
        assert max(paused) > 0


def test_samples_of_a_group_are_those_of_single_requests_in_turn(model: Transformer) -> None:
    """A sample's draws follow from its number in the group, not from how many run at once."""
    group, part = Asked(TOKENS[:37], samples=9, seed=4), Asked(TOKENS[:37], samples=4, seed=4)
    run(small(model, 300, rows=4), group)
    run(Sampler(model), part)
    assert len({tuple(tokens) for tokens in group.tokens}) == 9
    assert group.tokens[:4] == part.tokens
    # The second portion finds the first's blocks, but no other request's.
    assert group.job.cached == 0


@pytest.mark.parametrize("scored", [1, 20, 60, 99])
def test_prompts_are_scored_alike_with_a_cold_and_a_warm_cache(model: Transformer, scored: int) -> None:
    settings = {"max_tokens": 1, "prompt_logprobs": True, "top_prompt": 3, "scored": scored}
    cold, warm, other = (Asked(TOKENS[:length], **settings) for length in (100, 100, 101))
    run(Sampler(model), cold)
    sampler = Sampler(model)
    run(sampler, Asked(TOKENS[:100]))
    run(sampler, warm, other)
    assert_same(warm, cold)
    assert (cold.job.cached, warm.job.cached) == (0, (99 - scored) // 16 * 16)
    values = warm.job.prompt_values
    assert values is not None
    assert np.isfinite(values).tolist() == [position >= 100 - scored for position in range(100)]


def test_only_whole_blocks_of_the_same_adapter_are_found_again(model: Transformer, adapters: list[FrozenAdapter | None]) -> None:
    sampler = Sampler(model)
    run(sampler, Asked(TOKENS[:80], adapter=adapters[1]))
    cases = {
        "same": (Asked(TOKENS[:80], adapter=adapters[1]), 64),
        "longer": (Asked(TOKENS[:120], adapter=adapters[1]), 80),
        "parts": (Asked(TOKENS[:40] + TOKENS[100:140], adapter=adapters[1]), 32),
        "another beginning": (Asked([(TOKENS[0] + 1) % 250, *TOKENS[1:80]], adapter=adapters[1]), 0),
        "another adapter": (Asked(TOKENS[:80], adapter=adapters[2]), 0),
        "base": (Asked(TOKENS[:80]), 0),
    }
    for name, (asked, cached) in cases.items():
        run(sampler, asked)
        assert asked.job.cached == cached, name


def test_a_prompt_that_does_not_fit_fails_alone(model: Transformer) -> None:
    sampler = small(model, 6)
    before, large, after = Asked(TOKENS[:30]), Asked(TOKENS[:200]), Asked(TOKENS[30:60])
    run(sampler, before, large, after)
    (error,) = large.errors
    assert isinstance(error, EngineError)
    assert "200 tokens need more memory" in str(error)
    assert not large.answers
    for asked in (before, after):
        assert len(asked.tokens[0]) == 20


def test_a_sequence_that_outgrows_the_cache_fails_alone(model: Transformer) -> None:
    sampler = small(model, 6)
    growing, others = Asked(TOKENS[:30], max_tokens=200), [Asked(TOKENS[n : n + 30], max_tokens=30) for n in (50, 90)]
    paused = []
    run(sampler, growing, *others, each_step=lambda: paused.append(len(sampler.paused)))
    assert max(paused) > 0
    assert ["one sequence alone" in str(error) for error in growing.errors] == [True]
    for asked in others:
        expected = Asked(asked.job.prompt, max_tokens=30)
        run(Sampler(model), expected)
        assert_same(asked, expected)


def broken(*arguments: object) -> str:
    raise ValueError("this request is broken")


def test_what_breaks_in_a_request_breaks_it_alone(model: Transformer) -> None:
    decoding = Asked(TOKENS[:20], stop_strings=("x",), decode=broken)
    answering = Asked(TOKENS[:25], max_tokens=3, done=broken)
    good, expected = (Asked(TOKENS[:30]) for _ in range(2))
    run(Sampler(model), expected)
    run(Sampler(model), decoding, good, answering)
    for asked in (decoding, answering):
        assert [str(error) for error in asked.errors] == ["this request is broken"]
    assert_same(good, expected)


def test_a_step_that_breaks_fails_what_was_in_it_and_nothing_else(model: Transformer) -> None:
    """A token outside the vocabulary, which the server refuses, fails in the middle of the computation."""
    sampler = small(model, 300, rows=3)
    running = Asked(TOKENS[:20], max_tokens=50)
    sampler.waiting.append(running.job)
    for _ in range(3):
        sampler.step()
    bad, beside, later = Asked([10**6] * 20), Asked(TOKENS[:50]), [Asked(TOKENS[:40], seed=n) for n in range(4)]
    run(sampler, bad, beside, *later)
    for asked in (running, bad, beside):
        assert len(asked.errors) == 1
        assert not asked.answers
    for number, asked in enumerate(later):
        expected = Asked(TOKENS[:40], seed=number)
        run(Sampler(model), expected)
        assert_same(asked, expected)


def test_what_breaks_before_a_request_is_in_the_batch_is_its_own(model: Transformer) -> None:
    sampler = Sampler(model)
    bad, good = Asked(TOKENS[:20], seed=object()), Asked(TOKENS[:30])
    bad.job.max_tokens = -1  # no draws can be made
    run(sampler, bad, good)
    assert len(bad.errors) == 1
    assert len(good.tokens[0]) == 20


@pytest.mark.parametrize("shape", [AdapterShape(4, unembed=False), AdapterShape(4, attention=False, mlp=False)])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_adapter_that_has_diverged_says_so_and_harms_nobody(model: Transformer, shape: AdapterShape, temperature: float) -> None:
    sampler, diverged = Sampler(model), frozen(model, shape, 1, size=1e30)
    choice = Choice(temperature, -1, 1.0)
    bad = [Asked(TOKENS[:40], adapter=diverged, samples=2, choice=choice, prompt_logprobs=n == 0, top_sampled=2) for n in range(2)]
    good = [Asked(TOKENS[:30], max_tokens=9), Asked(TOKENS[:40], samples=3, max_tokens=1), Asked(TOKENS[:70], samples=2)]
    sampler.waiting.append(good[0].job)
    sampler.step()
    run(sampler, *bad, *good[1:])
    for asked in bad:
        assert ["not finite" in str(error) for error in asked.errors] == [True]
    for asked in good:
        expected = Asked(asked.job.prompt, samples=asked.job.samples, max_tokens=asked.job.max_tokens)
        run(Sampler(model), expected)
        assert_same(asked, expected)


def test_cancelled_requests_are_dropped_wherever_they_are(model: Transformer) -> None:
    sampler = small(model, 8)
    requests = [Asked(TOKENS[10 * n : 10 * n + 25], max_tokens=60) for n in range(6)]
    sampler.waiting.extend(asked.job for asked in requests)
    while not sampler.paused:
        sampler.step()
    assert sampler.waiting
    gone = [sampler.rows[0].job, sampler.paused[0].job, sampler.waiting[-1]]
    for job in gone:
        job.cancelled = True
    run(sampler)
    for asked in requests:
        if asked.job in gone:
            assert not asked.answers
            assert not asked.errors
        else:
            expected = Asked(asked.job.prompt, max_tokens=60)
            run(Sampler(model), expected)
            assert_same(asked, expected)
