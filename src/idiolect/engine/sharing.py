"""Beginnings that the sequences of a training batch have in common, computed once.

Knows tokens and their order; nothing of models. A causal model's hidden states of a beginning are the same in every sequence
that has it, so what a batch repeats (a system prompt, a rubric, the request of a pair's two texts) need not be computed again:
only attention sees whole sequences. Gradients are those of the sequences one by one, summed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from idiolect.engine.operations import rows_at

__all__ = ["Shared", "shared_beginnings"]

_WORTH = 0.1
"""The least share of a batch's tokens that must be saved: laying them out for attention and back costs something, too."""


@dataclass(frozen=True)
class Shared:
    """Which of a batch's N flat tokens are computed, U of them, and which of those each token is."""

    asked: torch.Tensor
    """[sequences], on the CPU: how many of each sequence's first tokens another one has computed."""
    own: torch.Tensor
    """[U]: the flat places of the tokens that are computed, ascending."""
    places: torch.Tensor
    """[N]: the number among ``own`` of each flat token."""
    others: torch.Tensor
    """[N - U]: the flat places of the tokens that are not computed."""
    repeated: torch.Tensor
    """[R]: the numbers among ``own`` of the tokens that stand in several sequences."""
    which: torch.Tensor
    """[N - U]: the number among ``repeated`` of each of the ``others``."""

    def once(self, x: torch.Tensor) -> torch.Tensor:
        """[N, ...] -> [U, ...]."""
        return rows_at(x, self.own)

    def spread(self, x: torch.Tensor) -> torch.Tensor:
        """[U, ...] -> [N, ...]; the gradients of a token's rows are summed."""
        return _Spread.apply(x, self)  # pyright: ignore[reportReturnType]


def shared_beginnings(sequences: Sequence[torch.Tensor], device: torch.device) -> Shared | None:
    """What the token ``sequences``, laid end to end, have in common at their beginnings; None where that is too little."""
    rows = [sequence.tolist() for sequence in sequences]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    asked = [0] * len(rows)
    # In this order no earlier sequence has more in common with one than its neighbour.
    for before, after in itertools.pairwise(order):
        asked[after] = _in_common(sequences[before], sequences[after])
    total = sum(map(len, rows))
    if sum(asked) < _WORTH * total:
        return None
    starts = [0, *itertools.accumulate(map(len, rows))]
    computed = torch.ones(total, dtype=torch.bool)
    for start, count in zip(starts, asked, strict=False):
        computed[start : start + count] = False
    places = computed.cumsum(0) - 1
    for before, after in itertools.pairwise(order):
        places[starts[after] : starts[after] + asked[after]] = places[starts[before] : starts[before] + asked[after]]
    own, others = computed.nonzero().squeeze(1), (~computed).nonzero().squeeze(1)
    repeated, which = places[others].unique(return_inverse=True)
    return Shared(torch.tensor(asked), *(index.to(device) for index in (own, places, others, repeated, which)))


def _in_common(one: torch.Tensor, other: torch.Tensor) -> int:
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.int().argmax()) if bool(differs.any()) else length


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, shared):  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.shared = shared
        return x.index_select(0, shared.places)

    @staticmethod
    def backward(ctx, gradient):  # pyright: ignore[reportIncompatibleMethodOverride]
        shared = ctx.shared
        result = gradient.index_select(0, shared.own)
        # A token may stand in hundreds of sequences, so their gradients are summed in float32 at least.
        sums = result.index_select(0, shared.repeated).to(torch.promote_types(result.dtype, torch.float32))
        sums.index_add_(0, shared.which, gradient.index_select(0, shared.others).to(sums.dtype))
        return result.index_copy_(0, shared.repeated, sums.to(result.dtype)), None
