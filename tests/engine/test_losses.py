"""Every loss against a plain reference in float64 and against TRL's."""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from reference_losses import DOUBLE, Inputs, reference

from idiolect.engine.losses import LOSSES
from idiolect.errors import InputError


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
