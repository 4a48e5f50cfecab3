"""What sequences have in common at their beginnings is computed once, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import tiny_checkpoint
from idiolect.engine import training
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape
from idiolect.engine.sharing import shared_beginnings
from idiolect.engine.training import Example, TrainedModel
from kernel_forms import torch_alone

CPU = torch.device("cpu")
SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(SEQUENCES)
def test_each_beginning_is_computed_once(sequences: list[list[int]]) -> None:
    beginnings = [tuple(tokens[: length + 1]) for tokens in sequences for length in range(len(tokens))]
    shared = shared_beginnings([torch.tensor(tokens) for tokens in sequences], CPU)
    if shared is None:
        assert len(set(beginnings)) > 0.9 * len(beginnings)
        return
    own = [beginnings[place] for place in shared.own]
    assert len(own) == len(set(own)) == len(set(beginnings))
    assert [own[number] for number in shared.places] == beginnings
    assert sorted([*shared.own.tolist(), *shared.others.tolist()]) == list(range(len(beginnings)))
    for tokens, asked in zip(sequences, shared.asked.tolist(), strict=True):
        assert 0 <= asked <= len(tokens)


def test_rows_come_back_and_their_gradients_are_summed() -> None:
    shared = shared_beginnings([torch.tensor(tokens) for tokens in ([1, 2, 3], [1, 2, 4], [1, 2, 3])], CPU)
    assert shared is not None
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.equal(shared.once(shared.spread(x)), x)
    assert torch.autograd.gradcheck(shared.spread, (x,))
    assert torch.autograd.gradcheck(shared.once, (torch.randn(9, 2, dtype=torch.float64, requires_grad=True),))


def test_gradients_of_many_rows_are_summed_in_float32() -> None:
    """Added up in bfloat16, 256 ones and all that follow them stay 256."""
    shared = shared_beginnings([torch.tensor([1])] * 1000, CPU)
    assert shared is not None
    x = torch.zeros(1, 1, dtype=torch.bfloat16, requires_grad=True)
    (gradient,) = torch.autograd.grad(shared.spread(x), x, torch.ones(1000, 1, dtype=torch.bfloat16))
    assert float(gradient) == 1000


def example(tokens: list[int], kind: str) -> Example:
    given, targets = torch.tensor(tokens[:-1]), torch.tensor(tokens[1:])
    if kind == "several targets":
        targets = torch.stack((targets, (targets + 1) % 50), dim=1)
    weights = torch.rand(targets.shape, generator=torch.Generator().manual_seed(sum(tokens)))
    if kind == "prompts weigh nothing":
        weights[:20] = 0
    return Example(given, {"target_tokens": targets, "weights": weights})


@pytest.mark.parametrize("form", [nullcontext, torch_alone])
@pytest.mark.parametrize("kind", ["all tokens weigh", "prompts weigh nothing", "several targets"])
def test_losses_and_gradients_are_those_of_the_sequences_one_by_one(
    kind: str, form: Callable[[], AbstractContextManager[None]], tmp_path: Path
) -> None:
    model = load_transformer(tiny_checkpoint(tmp_path, "qwen3"), CPU, torch.float32)
    system, first, second = list(range(3, 20)), [7, 8, 9, 10, 11], [7, 8, 30]
    texts = [[*system, *request, *answer] for request in (first, second) for answer in ([21, 22, 23], [21, 24], [25, 26, 27, 28])]
    given = [example(tokens, kind) for tokens in (*texts, texts[0], list(range(30, 45)))]
    assert shared_beginnings([one.tokens for one in given], CPU) is not None

    def passed(batches: list[list[Example]]) -> tuple[list[torch.Tensor], float, torch.Tensor]:
        adapter = Adapter.fresh(model, AdapterShape(4), seed=5)
        adapter.flat.add_(torch.randn(adapter.flat.shape, generator=torch.Generator().manual_seed(2)) * 0.02)
        trained = TrainedModel(adapter)
        done = [trained.forward(batch, "cross_entropy", {}, backward=True) for batch in batches]
        return [value for values, _ in done for value in values], sum(total for _, total in done), trained.gradient

    with form():
        values, total, gradient = passed([given])
        expected_values, expected_total, expected = passed([[one] for one in given])
    assert total == pytest.approx(expected_total, rel=1e-5)
    for value, one in zip(values, expected_values, strict=True):
        assert torch.allclose(value, one, atol=1e-5)
    assert float(expected.norm()) > 1
    assert torch.allclose(gradient, expected, atol=1e-5 * float(expected.abs().max()))


def test_a_system_prompt_goes_through_the_layers_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_transformer(tiny_checkpoint(tmp_path, "llama"), CPU, torch.float32)
    computed: list[int] = []

    def counted(model, tokens, *rest):
        computed.append(len(tokens))
        return original(model, tokens, *rest)

    original = training.run_layers
    monkeypatch.setattr(training, "run_layers", counted)
    trained = TrainedModel(Adapter.fresh(model, AdapterShape(4), seed=0))
    batch = [example([*range(3, 33), 40 + number, 41, 42], "all tokens weigh") for number in range(4)]
    trained.forward(batch, "cross_entropy", {}, backward=True)
    trained.forward([example([*range(number, number + 20)], "all tokens weigh") for number in range(4)], "cross_entropy", {}, backward=True)
    assert computed == [30 + 4 * 2, 4 * 19]
