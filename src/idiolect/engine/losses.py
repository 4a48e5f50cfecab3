"""The training losses, each a function of the target tokens' logprobs. Knows nothing of models or requests.

Every Tinker loss depends on the model through the target logprobs only, so the model's backward pass starts from one number a
target token, d loss / d logprob, and is the same for all. Sums run over a datum's tokens, as the hosted service defines them
(tinker-docs.thinkingmachines.ai/tinker/losses). Below, p is the trained model's probability of a target, q the sampler's, A its
advantage, and sg[.] stops the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from idiolect.errors import InputError

__all__ = ["LOSSES", "Loss"]

Inputs = Mapping[str, torch.Tensor]
Config = Mapping[str, float | str]
Settings = Mapping[str, float]


@dataclass(frozen=True)
class Loss:
    """``compute`` takes logprobs [T] or [T, K], the datum's loss inputs and the settings, and gives the datum's loss, a scalar."""

    compute: Callable[[torch.Tensor, Inputs, Settings], torch.Tensor]
    inputs: tuple[str, ...]
    """Loss inputs it needs besides ``target_tokens``; each has the targets' shape."""
    optional: tuple[str, ...] = ()
    """Loss inputs of the same shape that take the place of the setting of that name, a value for each token."""
    settings: Settings = field(default_factory=dict)
    """What a request may set, with the defaults."""
    columns: bool = False
    """Whether targets may be [T, K], K candidates a token."""
    recorded: bool = False
    """Whether q is what the sampler recorded, found through the datum's provenance, and not what the datum says."""

    def configured(self, name: str, config: Config) -> dict[str, float]:
        """The settings of one request. Raises InputError for a name that the loss does not have and for what is no number."""
        for key, value in config.items():
            if key not in self.settings:
                known = f"It takes {', '.join(self.settings)}" if self.settings else "It takes no settings"
                raise InputError(f"{name} has no setting {key[:40]!r}", where="loss_fn_config", hint=known)
            if isinstance(value, str) or not math.isfinite(value) or value < 0:
                raise InputError(f"{key} is {str(value)[:40]!r}; a number of at least 0 is needed", where="loss_fn_config")
        settings = {key: float(config.get(key, default)) for key, default in self.settings.items()}
        if settings.get(LOW, 0) > settings.get(HIGH, math.inf):
            raise InputError(f"{LOW} {settings[LOW]:g} lies above {HIGH} {settings[HIGH]:g}", where="loss_fn_config")
        return settings


LOW, HIGH = "clip_low_threshold", "clip_high_threshold"


def cross_entropy(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """Sum of -log p * weight."""
    return -(logprobs * inputs["weights"]).sum()


def importance_sampling(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """Sum of -p/q * A."""
    return -(torch.exp(logprobs - inputs["logprobs"]) * inputs["advantages"]).sum()


def ppo(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, eq. 7) of the ratio p/q."""
    return _clipped_surrogate(torch.exp(logprobs - inputs["logprobs"]), inputs, settings)


def cispo(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """Sum of -sg[clip(p/q)] * A * log p (CISPO, MiniMax-M1 2025)."""
    ratio = torch.exp(logprobs.detach() - inputs["logprobs"])
    return -(_clip(ratio, inputs, settings) * logprobs * inputs["advantages"]).sum()


def dro(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """Sum of -(A * log p - beta/2 * (log p/q)^2) (Richemond et al. 2024; A holds the value)."""
    drift = logprobs - inputs["logprobs"]
    return (0.5 * settings["beta"] * drift.square() - logprobs * inputs["advantages"]).sum()


def gspo(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """GSPO-token (Zheng et al. 2025, eqs. 13 and 14): PPO's surrogate with each token's ratio sg[s] * p/sg[p].

    s is the geometric mean of p/q over the tokens where ``sequence_ratio_mask`` is not 0.
    """
    fixed = logprobs.detach()
    mean = (fixed - inputs["logprobs"])[inputs["sequence_ratio_mask"] != 0].mean()
    return _clipped_surrogate(torch.exp(mean + logprobs - fixed), inputs, settings)


def stable_reinforce(logprobs: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    """Sum over sampled tokens of -sg[min(p/q, 1)] * A * log p + kl_coeff/2 * (log p/q)^2, q as recorded when they were sampled.

    The hosted service does not publish its formula. This one keeps its contract: REINFORCE's gradient where p = q, a bounded one
    however far p has moved. The weight is importance sampling truncated at 1 (Ionides 2008), which also lets a token go that
    training has already made unlikely; the second term estimates KL(q || p) from the samples (Schulman 2020, the estimator k2).
    ``sampled`` marks the tokens.
    """
    drift = logprobs - inputs["logprobs"]
    weight = torch.exp(drift.detach()).clamp(max=1)
    terms = 0.5 * settings["kl_coeff"] * drift.square() - weight * logprobs * inputs["advantages"]
    return (terms * inputs["sampled"]).sum()


def _clipped_surrogate(ratio: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    advantages = inputs["advantages"]
    return -torch.minimum(ratio * advantages, _clip(ratio, inputs, settings) * advantages).sum()


def _clip(ratio: torch.Tensor, inputs: Inputs, settings: Settings) -> torch.Tensor:
    low, high = (inputs.get(name, torch.tensor(settings[name], dtype=ratio.dtype, device=ratio.device)) for name in (LOW, HIGH))
    return torch.clamp(ratio, low, high)


SAMPLED = ("logprobs", "advantages")

LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(cross_entropy, ("weights",), columns=True),
    "importance_sampling": Loss(importance_sampling, SAMPLED),
    "ppo": Loss(ppo, SAMPLED, (LOW, HIGH), {LOW: 0.8, HIGH: 1.2}),
    "cispo": Loss(cispo, SAMPLED, (LOW, HIGH), {LOW: 0.0, HIGH: 4.0}),
    "dro": Loss(dro, SAMPLED, settings={"beta": 0.05}),
    # The ranges of the paper's section 5.1; a mean over a sequence moves far less than one token's ratio.
    "gspo": Loss(gspo, (*SAMPLED, "sequence_ratio_mask"), (LOW, HIGH), {LOW: 1 - 3e-4, HIGH: 1 + 4e-4}),
    "stable_reinforce": Loss(stable_reinforce, ("advantages",), settings={"kl_coeff": 0.0}, recorded=True),
}
