"""What a prefill can say of a prompt besides its own tokens' logprobs: those of tokens the request names, and draws in their place.

Knows logits and positions; nothing of requests or batches. Row i of a prompt's logits predicts its token i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

__all__ = ["Alternatives", "Named"]


@dataclass
class Named:
    """Tokens ``ids`` [N] whose logprobs after ``rows`` [N], which ascend, are asked for; the answer in ``logprobs`` [N]."""

    rows: np.ndarray
    ids: np.ndarray
    logprobs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.logprobs = np.zeros(len(self.rows), dtype=np.float32)

    def score(self, start: int, logits: torch.Tensor, normalizers: torch.Tensor) -> None:
        """Answer what concerns the rows from ``start`` on that ``logits`` [R, V] covers; ``normalizers`` [R] are their logsumexp."""
        first, last = np.searchsorted(self.rows, [start, start + len(logits)])
        rows = torch.from_numpy(self.rows[first:last] - start).to(logits.device)
        ids = torch.from_numpy(self.ids[first:last]).to(logits.device)
        self.logprobs[first:last] = (logits[rows, ids] - normalizers[rows]).cpu().numpy()


@dataclass
class Alternatives:
    """For each row, as many ``tokens`` as ``draws`` [R, K] float32 in [0, 1) has columns, and their ``logprobs`` under the model.

    Drawn with replacement at ``temperature`` from the whole distribution; 0 takes the likeliest each time.
    """

    temperature: float
    draws: np.ndarray
    tokens: np.ndarray = field(init=False)
    logprobs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = np.zeros(self.draws.shape, dtype=np.int64)
        self.logprobs = np.zeros(self.draws.shape, dtype=np.float32)

    def score(self, start: int, logits: torch.Tensor, normalizers: torch.Tensor) -> None:
        """Fill the rows from ``start`` on that ``logits`` [R, V] covers; ``normalizers`` [R] are their logsumexp."""
        own = slice(start, start + len(logits))
        draws = torch.from_numpy(self.draws[own]).to(logits.device)
        if self.temperature > 0:
            running = torch.softmax(logits / self.temperature, dim=-1).cumsum(dim=-1)
            total = running[:, -1:].contiguous()
            # A draw that rounding lifts to the whole sum falls behind the end: the last token with any weight is meant.
            found = torch.searchsorted(running, draws * total, right=True)
            tokens = torch.minimum(found, torch.searchsorted(running, total, right=False)).clamp_(max=logits.shape[1] - 1)
        else:
            tokens = logits.argmax(dim=-1, keepdim=True).expand(draws.shape)
        self.tokens[own] = tokens.cpu().numpy()
        self.logprobs[own] = (logits.gather(1, tokens) - normalizers.unsqueeze(1)).cpu().numpy()
