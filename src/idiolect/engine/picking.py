"""Choosing the next token from logits. Knows temperature, top-k, top-p and where randomness comes from; nothing of requests.

Each sampled sequence has its own stream of uniform numbers, derived from the request's seed, its prompt and the sample's index, and
uses one number a token: what is drawn does not depend on what else is in the batch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from idiolect.engine import kernels

__all__ = ["Choice", "pick", "uniforms"]


@dataclass(frozen=True)
class Choice:
    """How one sequence chooses: temperature 0 is greedy; top_k < 1 and top_p 1 restrict nothing."""

    temperature: float
    top_k: int
    top_p: float

    @property
    def restricted(self) -> bool:
        return self.temperature > 0 and (self.top_k >= 1 or self.top_p < 1)


def uniforms(seed: int, prompt: list[int], index: int, count: int) -> np.ndarray:
    """The first ``count`` numbers of a sequence's stream, float32 in [0, 1)."""
    digest = hashlib.blake2b(np.asarray(prompt, dtype=np.int64).tobytes(), digest_size=16, key=f"{seed}:{index}".encode()[:64]).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little"))).random(count, dtype=np.float32)


def pick(logits: torch.Tensor, choices: list[Choice], draws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Next tokens [R] and their logprobs [R] under the model itself (temperature 1, nothing cut off).

    ``logits`` is [R, V]; ``draws`` [R] float32 in [0, 1).
    """
    if kernels.available(logits) and not any(choice.restricted for choice in choices):
        tokens, logprobs = torch.empty(len(choices), dtype=torch.int64), torch.empty(len(choices))
        temperatures = torch.tensor([float(choice.temperature) for choice in choices])
        kernels.call("pick", logits.dtype, *logits.shape, logits, temperatures, draws, tokens, logprobs)
        return tokens, logprobs
    logits = logits.float()
    normalizers = logits.logsumexp(dim=-1)
    greedy = [choice.temperature <= 0 for choice in choices]
    if all(greedy):
        tokens = logits.argmax(dim=-1)
    else:
        tokens = _sampled(logits, choices, normalizers, draws)
        if any(greedy):
            tokens = torch.where(torch.tensor(greedy, device=logits.device), logits.argmax(dim=-1), tokens)
    return tokens, logits.gather(1, tokens.unsqueeze(1)).squeeze(1) - normalizers


def _sampled(logits: torch.Tensor, choices: list[Choice], normalizers: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    if all(choice.temperature == 1 for choice in choices):
        weights = (logits - normalizers.unsqueeze(1)).exp_()
    else:
        temperatures = torch.tensor([c.temperature if c.temperature > 0 else 1.0 for c in choices], device=logits.device)
        weights = torch.softmax(logits / temperatures.unsqueeze(1), dim=-1)
    tokens = _inverse(weights, draws)
    restricted = [row for row, choice in enumerate(choices) if choice.restricted]
    if restricted:
        rows = torch.tensor(restricted, device=logits.device)
        ordered, places = weights[rows].sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        ranks = torch.arange(ordered.shape[1], device=logits.device)
        cuts = torch.tensor([choices[r].top_k if choices[r].top_k >= 1 else ordered.shape[1] for r in restricted], device=logits.device)
        shares = torch.tensor([choices[r].top_p for r in restricted], device=logits.device)
        keep = (ranks < cuts.unsqueeze(1)) & (before < shares.unsqueeze(1))
        keep[:, 0] = True
        chosen = _inverse(ordered * keep, draws[rows])
        tokens[rows] = places.gather(1, chosen.unsqueeze(1)).squeeze(1)
    return tokens


def _inverse(weights: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The token at which the running sum of ``weights`` first exceeds the draw's share of the whole."""
    running = weights.cumsum(dim=-1)
    total = running[:, -1].contiguous()
    found = torch.searchsorted(running, (draws * total).unsqueeze(1), right=True).squeeze(1)
    # A draw that rounding lifts to the whole sum falls behind the end: the last token with any weight is meant.
    # Behind the end for good are only weights that are no numbers.
    last = torch.searchsorted(running, total.unsqueeze(1), right=False).squeeze(1)
    return torch.minimum(found, last).clamp_(max=weights.shape[1] - 1)
