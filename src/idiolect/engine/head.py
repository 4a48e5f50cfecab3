"""From hidden states to target logprobs and back, without ever holding more than a bounded block of logits.

The vocabulary's product is the largest of all and most training tokens are prompt tokens whose logprob has no influence on the
loss, so its backward pass is written by hand and visits only the rows that have a gradient.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from idiolect.engine.lora import HEAD, Adapter
from idiolect.engine.operations import target_logprobs, target_logprobs_backward

__all__ = ["TargetLogprobs"]

BLOCK = 32 * 1024 * 1024
"""Logits held at once, in numbers."""


class TargetLogprobs:
    """Logprobs of ``targets`` [N, K] under ``hidden`` [N, H]; then ``backward``, once, with d loss / d logprob [N, K]."""

    def __init__(self, adapter: Adapter, hidden: torch.Tensor, targets: torch.Tensor) -> None:
        self.adapter, self.hidden, self.targets = adapter, hidden, targets
        model = adapter.model
        self.head = model.head
        self.low: tuple[torch.Tensor, torch.Tensor] | None = None
        if adapter.shape.unembed:
            self.low = (adapter.part(f"{HEAD}.lora_A").to(hidden.dtype), adapter.part(f"{HEAD}.lora_B").to(hidden.dtype))
        count = hidden.shape[0]
        self.step = max(1, BLOCK // model.architecture.vocabulary)
        self.kept: torch.Tensor | None = None
        parts, normalizers = [], []
        for start in range(0, count, self.step):
            logits = self._logits(hidden[start : start + self.step])
            for gathered, value in zip((normalizers, parts), target_logprobs(logits, targets[start : start + self.step]), strict=True):
                gathered.append(value)
            if count <= self.step:
                self.kept = logits
        self.normalizers = torch.cat(normalizers)
        self.values = torch.cat(parts)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits = functional.linear(hidden, self.head)
        if self.low is not None:
            a, b = self.low
            logits.addmm_(functional.linear(hidden, a), b.t(), alpha=self.adapter.shape.scale)
        return logits

    def backward(self, slopes: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """d loss / d hidden [N, H]; the unembedding adapter's gradient is added into the flat ``gradient``."""
        result = torch.zeros_like(self.hidden)
        active = slopes.ne(0).any(dim=1).nonzero().squeeze(1)
        for start in range(0, active.shape[0], self.step):
            # Without prompt tokens every row is wanted: a slice, which copies nothing.
            rows = active[start : start + self.step] if len(active) < len(slopes) else slice(start, start + self.step)
            hidden, slope = self.hidden[rows], slopes[rows]
            logits = self._logits(hidden) if self.kept is None else self.kept[rows]
            back = target_logprobs_backward(logits, self.targets[rows], self.normalizers[rows], slope)
            result[rows] = back @ self.head
            if self.low is not None:
                self._backward_low(rows, hidden, back, result, gradient)
        return result

    def _backward_low(
        self, rows: torch.Tensor | slice, hidden: torch.Tensor, back: torch.Tensor, result: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        assert self.low is not None
        a, b = self.low
        scale = self.adapter.shape.scale
        small = (back @ b).mul_(scale)
        result[rows] += small @ a
        self.adapter.part(f"{HEAD}.lora_A", gradient).add_((small.t() @ hidden).float())
        self.adapter.part(f"{HEAD}.lora_B", gradient).add_((back.t() @ functional.linear(hidden, a)).float(), alpha=scale)
