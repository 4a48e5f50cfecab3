"""The training losses, each a function of the target tokens' logprobs. Knows nothing of models or requests.

Every Tinker loss depends on the model through the target logprobs only, so the model's backward pass starts from one number a
target token, d loss / d logprob, and is the same for all. Sums run over a datum's tokens, as the hosted service defines them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

__all__ = ["LOSSES", "REQUIRED", "Loss"]

Inputs = Mapping[str, torch.Tensor]
Config = Mapping[str, float | str]
Loss = Callable[[torch.Tensor, Inputs, Config], torch.Tensor]
"""(logprobs [T] or [T, K], the datum's loss inputs, the request's settings) -> the datum's loss, a scalar."""


def cross_entropy(logprobs: torch.Tensor, inputs: Inputs, config: Config) -> torch.Tensor:
    """Sum of -logprob * weight."""
    return -(logprobs * inputs["weights"]).sum()


def importance_sampling(logprobs: torch.Tensor, inputs: Inputs, config: Config) -> torch.Tensor:
    """Sum of -p/q * advantage, q being the sampler's probability."""
    return -(torch.exp(logprobs - inputs["logprobs"]) * inputs["advantages"]).sum()


def ppo(logprobs: torch.Tensor, inputs: Inputs, config: Config) -> torch.Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, eq. 7), ratio clipped to [0.8, 1.2] unless configured."""
    low, high = float(config.get("clip_low_threshold", 0.8)), float(config.get("clip_high_threshold", 1.2))
    ratio = torch.exp(logprobs - inputs["logprobs"])
    advantages = inputs["advantages"]
    return -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages).sum()


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "importance_sampling": importance_sampling, "ppo": ppo}

REQUIRED: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("weights",),
    "importance_sampling": ("logprobs", "advantages"),
    "ppo": ("logprobs", "advantages"),
}
"""Loss inputs besides ``target_tokens``; each has the targets' shape."""
