"""Every policy loss as its formula says it, one token at a time, in plain Python and float64."""

from __future__ import annotations

import math

import torch

DOUBLE = torch.float64
Inputs = dict[str, torch.Tensor]


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
