"""Muon (Keller Jordan, 2024): momentum whose update is orthogonalised by a Newton-Schulz iteration. Knows matrices only."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonalise"]


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values go to about 1. (n, rows, columns) to the same."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum; matrices of one shape are orthogonalised in one batch, in ``dtype``."""

    def __init__(self, parameters: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.shape].append(parameter)
            for shape, parameters in shapes.items():
                updates = torch.stack([self._momentum(parameter, group["momentum"]) for parameter in parameters])
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, orthogonalise(updates.to(self.dtype)), strict=True):
                    parameter.add_(update, alpha=-group["lr"] * scale)

    def _momentum(self, parameter: torch.nn.Parameter, momentum: float) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        gradient: Tensor = parameter.grad  # type: ignore[assignment]
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)
