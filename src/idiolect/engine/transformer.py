"""The decoder itself, over flat (unpadded) tokens. Knows layers, rotary positions and attention layouts.

Who calls decides through ``linears`` how a weight meets an adapter, and through ``attend`` where keys and values lie, so that
training, prefill and decoding share one walk through the layers. Axes: N tokens, H hidden, V vocabulary, D head size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch.nn import functional

from idiolect.engine import kernels
from idiolect.engine.architecture import Architecture
from idiolect.engine.operations import Rotary, add_norm, attention, rows_at, swiglu, turned_heads
from idiolect.engine.sharing import Shared

__all__ = ["GROUPS", "Layer", "Linears", "Packing", "PlainLinears", "Transformer", "packed_attention", "run_layers"]

GROUPS: dict[str, tuple[str, ...]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""Projections that read the same input are one weight: one larger matrix product instead of two or three."""

PACKED_BYTES = 1 << 30
"""The largest model whose weights are held packed, too."""

Attend = Callable[[int, torch.Tensor, Rotary], torch.Tensor]
"""(layer, queries, keys and values side by side [N, (heads + 2 kv_heads) * D], positions) -> [N, heads * D]"""


@dataclass(frozen=True)
class Layer:
    """One layer's weights: ``weights[group]`` is [sum of out, in], ``biases[group]`` its bias or None."""

    weights: dict[str, torch.Tensor]
    biases: dict[str, torch.Tensor | None]
    input_norm: torch.Tensor
    mlp_norm: torch.Tensor
    qk_norm: torch.Tensor | None
    """Qwen3's norm weights of every query head and then every key head, [heads + kv_heads, D]."""


class Linears(Protocol):
    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        """[N, in] -> [N, sum of the group's out]."""
        ...


class Transformer:
    """Frozen base weights on one device, shared by every adapter."""

    def __init__(
        self, architecture: Architecture, layers: list[Layer], embedding: torch.Tensor, norm: torch.Tensor, head: torch.Tensor
    ) -> None:
        self.architecture, self.layers = architecture, layers
        self.embedding, self.norm, self.head = embedding, norm, head
        self.device, self.dtype = embedding.device, embedding.dtype
        self._angles: tuple[torch.Tensor, torch.Tensor] | None = None
        self._packed: dict[tuple[int, str, bool], torch.Tensor] = {}

    @cached_property
    def packs(self) -> bool:
        """Whether products go through the kernels, by weights that lie in memory a second time, packed."""
        a = self.architecture
        size = sum(w.numel() * w.element_size() for layer in self.layers for w in layer.weights.values())
        even = all(n % 2 == 0 for n in (a.hidden, a.mlp, a.heads * a.head_size))
        return kernels.available(self.head) and kernels.fast(self.dtype) and even and size <= PACKED_BYTES

    def packed(self, layer: int, group: str, *, back: bool = False) -> torch.Tensor:
        """A group's weight as the kernels read it, made when it is first wanted; with ``back`` its transpose, for gradients."""
        if (layer, group, back) not in self._packed:
            weight = self.layers[layer].weights[group]
            with torch.inference_mode(False):
                self._packed[layer, group, back] = kernels.packed(weight.t() if back else weight)
        return self._packed[layer, group, back]

    def sizes(self, group: str) -> list[int]:
        """Output widths of a group's parts."""
        a = self.architecture
        q, kv = a.heads * a.head_size, a.kv_heads * a.head_size
        return {"qkv": [q, kv, kv], "o": [a.hidden], "gate_up": [a.mlp, a.mlp], "down": [a.hidden]}[group]

    def width(self, group: str) -> int:
        """Input width of a group."""
        a = self.architecture
        return {"o": a.heads * a.head_size, "down": a.mlp}.get(group, a.hidden)

    def rotary(self, positions: torch.Tensor, longest: int) -> Rotary:
        """The angles of ``positions`` [N], all below ``longest``."""
        if self._angles is None or self._angles[0].shape[0] < longest:
            length = min(max(1024, 2 * longest), max(self.architecture.context, longest))
            # Kept for training too, whose backward pass cannot use what was made in inference mode.
            with torch.inference_mode(False), torch.no_grad():
                angles = torch.outer(torch.arange(length).float(), self.architecture.inverse_frequencies())
                self._angles = (angles.cos().to(self.device), angles.sin().to(self.device))
        return Rotary(*self._angles, positions)


@dataclass(frozen=True)
class PlainLinears:
    """The base model without an adapter."""

    model: Transformer

    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        weights = self.model.layers[layer]
        return functional.linear(x, weights.weights[group], weights.biases[group])


def run_layers(model: Transformer, tokens: torch.Tensor, rotary: Rotary, linears: Linears, attend: Attend) -> torch.Tensor:
    """Hidden states after the last norm, [N, H], of flat ``tokens`` [N]. The residual stream is float32 throughout."""
    a = model.architecture
    x, y = functional.embedding(tokens, model.embedding).float(), None
    for index, layer in enumerate(model.layers):
        x, normed = add_norm(x, y, layer.input_norm, a.norm_eps, model.dtype)
        y = linears(index, "o", attend(index, linears(index, "qkv", normed), rotary))
        x, normed = add_norm(x, y, layer.mlp_norm, a.norm_eps, model.dtype)
        y = linears(index, "down", swiglu(linears(index, "gate_up", normed)))
    return add_norm(x, y, model.norm, a.norm_eps, model.dtype)[1]


class _Rearranged(torch.autograd.Function):
    """Rows of ``x`` gathered by ``forward_index``; the gradient gathered back by ``backward_index``.

    Both directions are plain gathers, faster than autograd's scatter-add and in a fixed order. Right only because each
    token has one place in the other layout and padding places carry no gradient.
    """

    @staticmethod
    def forward(ctx, x, forward_index, backward_index):  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(backward_index)
        return x.index_select(0, forward_index)

    @staticmethod
    def backward(ctx, gradient):  # pyright: ignore[reportIncompatibleMethodOverride]
        (backward_index,) = ctx.saved_tensors
        return gradient.index_select(0, backward_index), None, None


@dataclass(frozen=True)
class _Bunch:
    """Sequences attended together: rows ``start:stop`` of the flat tokens, as [rows, longest] with padding on the right."""

    start: int
    stop: int
    rows: int
    longest: int
    spread: torch.Tensor | None
    """Flat index (within the bunch) of each padded place; None if all sequences have one length."""
    gathered: torch.Tensor | None
    """Padded place of each flat token."""


class Packing:
    """Sequences laid end to end. Matrix products see no padding; attention sees bunches of similar lengths.

    Padding on the right needs no mask: a causal query never looks at later places.
    """

    def __init__(self, lengths: list[int], device: torch.device, waste: float = 0.25) -> None:
        self.lengths = lengths
        self.total = sum(lengths)
        self.longest = max(lengths)
        self.positions = torch.cat([torch.arange(n) for n in lengths]).to(device)
        starts = [0]
        for n in lengths:
            starts.append(starts[-1] + n)
        self.starts = starts
        self.places = torch.tensor(starts)
        self.bunches: list[_Bunch] = []
        first = 0
        while first < len(lengths):
            last, longest, tokens = first, 0, 0
            while last < len(lengths):
                wider = max(longest, lengths[last])
                if last > first and wider * (last + 1 - first) > (1 + waste) * (tokens + lengths[last]):
                    break
                longest, tokens, last = wider, tokens + lengths[last], last + 1
            self.bunches.append(self._bunch(first, last, longest, device))
            first = last

    def _bunch(self, first: int, last: int, longest: int, device: torch.device) -> _Bunch:
        start, stop, rows = self.starts[first], self.starts[last], last - first
        if rows * longest == stop - start:
            return _Bunch(start, stop, rows, longest, None, None)
        spread = torch.zeros(rows * longest, dtype=torch.long)
        gathered = torch.empty(stop - start, dtype=torch.long)
        for row, sequence in enumerate(range(first, last)):
            places = torch.arange(self.lengths[sequence])
            flat = places + self.starts[sequence] - start
            spread[row * longest + places] = flat
            gathered[flat] = row * longest + places
        return _Bunch(start, stop, rows, longest, spread.to(device), gathered.to(device))


def packed_attention(model: Transformer, packing: Packing, shared: Shared | None = None) -> Attend:
    """Causal attention within each sequence of ``packing``; ``rotary`` has all its positions, also where tokens are ``shared``."""
    a = model.architecture

    def attend(layer: int, qkv: torch.Tensor, rotary: Rotary) -> torch.Tensor:
        whole = qkv if shared is None else shared.spread(qkv)
        heads = (whole, a.heads, a.kv_heads, model.layers[layer].qk_norm, a.norm_eps, rotary)
        if kernels.available(qkv):
            mixed = attention(*heads, packing.places, None if shared is None else shared.asked)
        else:
            q, k, v = turned_heads(*heads)
            mixed = torch.cat([_attend_bunch(bunch, q, k, v) for bunch in packing.bunches])
        return mixed if shared is None else shared.once(mixed)

    return attend


def _attend_bunch(bunch: _Bunch, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    heads, kv_heads = q.shape[1], k.shape[1]

    def padded(x: torch.Tensor) -> torch.Tensor:
        x = x[bunch.start : bunch.stop]
        if bunch.spread is not None:
            x = _Rearranged.apply(x, bunch.spread, bunch.gathered)
        return x.view(bunch.rows, bunch.longest, x.shape[1], x.shape[2]).transpose(1, 2)  # pyright: ignore

    q, k, v = padded(q), padded(k), padded(v)
    if heads != kv_heads:
        k, v = k.repeat_interleave(heads // kv_heads, dim=1), v.repeat_interleave(heads // kv_heads, dim=1)
    mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    mixed = mixed.transpose(1, 2).reshape(bunch.rows * bunch.longest, -1)
    return mixed if bunch.gathered is None else rows_at(mixed, bunch.gathered)
