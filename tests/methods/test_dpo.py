"""The DPO loss against code that is not ours: TRL's trainer and the cookbook's recipe."""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import tinker
import torch

from idiolect.methods.dpo import DpoLoss, Preference, Text

DOUBLE = torch.float64
PAIRS, LENGTH = 5, 9


def text(tokens: int, reference: float) -> Text:
    weights = tinker.TensorData(data=[1.0] * tokens, dtype="float32", shape=[tokens])
    targets = tinker.TensorData(data=[1] * tokens, dtype="int64", shape=[tokens])
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints([1] * tokens), loss_fn_inputs={"target_tokens": targets, "weights": weights}
    )
    return Text(datum, reference)


class Given:
    """Log-probabilities of better and worse answers of different lengths, an odd number of pairs."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        lengths = torch.tensor([9, 4, 7, 2, 8, 3, 9, 5, 6, 1])
        self.mask = (torch.arange(LENGTH) < lengths.unsqueeze(1)).to(DOUBLE)
        self.logprobs = -torch.rand(2 * PAIRS, LENGTH, generator=generator, dtype=DOUBLE) * 3
        self.logprobs.requires_grad_()
        self.reference = -torch.rand(2 * PAIRS, generator=generator, dtype=DOUBLE) * 12
        texts = [text(int(length), float(reference)) for length, reference in zip(lengths, self.reference, strict=True)]
        self.pairs = [Preference(one, other) for one, other in zip(texts[:PAIRS], texts[PAIRS:], strict=True)]

    def ours(self, loss: DpoLoss) -> torch.Tensor:
        sums = (self.logprobs * self.mask).sum(1)
        return loss(sums[:PAIRS], sums[PAIRS:], self.pairs)[0]


def trls(given: Given, kind: str, beta: float, smoothing: float = 0.0, rows: slice = slice(None)) -> torch.Tensor:
    """TRL's own ``DPOTrainer._compute_loss`` on the same log-probabilities."""
    trl = pytest.importorskip("trl.trainer.dpo_trainer")
    pick = [index for half in (0, PAIRS) for index in range(half, half + PAIRS)[rows]]
    logprobs, mask, reference = given.logprobs[pick] * given.mask[pick], given.mask[pick], given.reference[pick]
    nothing = torch.zeros_like(logprobs)
    outputs = SimpleNamespace(log_probs=logprobs, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())
    plain = SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False), accelerator=plain, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", loss_types=[kind], loss_weights=[1.0], beta=beta, label_smoothing=smoothing, use_weighting=False,
        _metrics={"eval": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    prompt = torch.zeros(len(pick), 1)
    better, worse = reference.chunk(2)
    inputs = {
        "input_ids": torch.zeros(len(pick), LENGTH + 1, dtype=torch.long), "completion_mask": torch.cat([prompt, mask], 1),
        "ref_chosen_logps": better, "ref_rejected_logps": worse,
    }  # fmt: skip
    return trl.DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, False)


@pytest.mark.parametrize(("kind", "beta"), [("sigmoid", 0.1), ("sigmoid", 0.5), ("ipo", 0.2)])
def test_loss_and_gradient_equal_trls(kind: str, beta: float) -> None:
    given = Given()
    ours, theirs = given.ours(DpoLoss(beta=beta, kind=kind)), trls(given, kind, beta)  # type: ignore[arg-type]
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-12)
    slopes, wanted = (torch.autograd.grad(value, given.logprobs)[0] for value in (ours, theirs))
    assert torch.allclose(slopes, wanted, atol=1e-14)
    assert slopes.abs().max() > 1e-3


def test_label_smoothing_equals_trls_pair_by_pair() -> None:
    """TRL smooths in its loss on sorted ratios, which for a single pair is the loss itself."""
    given = Given()
    loss = DpoLoss(beta=0.3, label_smoothing=0.2)
    ours = given.ours(loss)
    theirs = torch.stack([trls(given, "aot", 0.3, 0.2, slice(index, index + 1)) for index in range(PAIRS)]).mean()
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-12)
    slopes, wanted = (torch.autograd.grad(value, given.logprobs)[0] for value in (ours, theirs))
    assert torch.allclose(slopes, wanted, atol=1e-14)


def test_loss_and_figures_equal_the_cookbook_s() -> None:
    recipe = pytest.importorskip("tinker_cookbook.preference.train_dpo")
    given = Given()
    sums = (given.logprobs * given.mask).sum(1).detach()
    ours, figures = DpoLoss(beta=0.1)(sums[:PAIRS], sums[PAIRS:], given.pairs)
    better, worse, better_reference, worse_reference = (list(one) for part in (sums, given.reference) for one in part.chunk(2))
    theirs, wanted = recipe.compute_dpo_loss(better, worse, better_reference, worse_reference, 0.1)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-12)
    names = {"dpo_loss": "dpo_loss", "accuracy": "accuracy", "margin": "margin", "better_reward": "chosen_reward"}
    assert {name: figures[name] for name in names} == pytest.approx({name: wanted[their] for name, their in names.items()})


def test_a_huge_margin_is_a_number() -> None:
    """log(sigmoid(x)) of a large negative x is -inf in two steps, and its gradient no number."""
    given = Given()
    for shift in (-1e4, 1e4):
        sums = (given.reference + shift * torch.tensor([1.0, -1.0]).repeat_interleave(PAIRS)).requires_grad_()
        loss, _ = DpoLoss(beta=1.0)(sums[:PAIRS], sums[PAIRS:], given.pairs)
        (slopes,) = torch.autograd.grad(loss, sums)
        assert float(loss.detach()) == pytest.approx(max(0.0, -2 * shift))
        assert torch.isfinite(slopes).all()


def test_at_the_reference_the_loss_is_ln_2_and_imitation_adds_its_term() -> None:
    given = Given()
    at_reference = given.reference.clone()
    plain, figures = DpoLoss(beta=0.7)(at_reference[:PAIRS], at_reference[PAIRS:], given.pairs)
    assert float(plain) == pytest.approx(math.log(2), abs=1e-12)
    more, _ = DpoLoss(beta=0.7, imitation=2.0)(at_reference[:PAIRS], at_reference[PAIRS:], given.pairs)
    assert float(more - plain) == pytest.approx(2 * figures["better_nll"])
