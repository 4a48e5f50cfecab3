"""Low-rank adapters: where their numbers lie, how they start, how they join the base's products, their peft names.

All of an adapter's numbers are one flat float32 tensor, so that a snapshot is one copy, an optimizer step a few whole-tensor
operations and the gradient's norm one reduction. Knows nothing of files or requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch.nn import functional

from idiolect.engine.transformer import GROUPS, Transformer

__all__ = ["ALPHA", "Adapter", "AdapterShape", "SnapshotLinears", "TrainedLinears"]

ALPHA = 32.0
"""The adapter's output is scaled by ALPHA / rank, as in adapters exported from hosted Tinker."""

HEAD = "lm_head"


@dataclass(frozen=True)
class AdapterShape:
    """What an adapter covers. ``rank`` applies to every projection."""

    rank: int
    attention: bool = True
    mlp: bool = True
    unembed: bool = True

    @property
    def scale(self) -> float:
        return ALPHA / self.rank

    def groups(self) -> list[str]:
        return (["qkv", "o"] if self.attention else []) + (["gate_up", "down"] if self.mlp else [])

    def places(self, model: Transformer) -> dict[str, tuple[int, tuple[int, int]]]:
        """peft module path + ".lora_A" or ".lora_B" -> (offset, shape) in the flat tensor; A [rank, in], B [out, rank]."""
        found: dict[str, tuple[int, tuple[int, int]]] = {}
        offset = 0

        def put(name: str, rows: int, columns: int) -> None:
            nonlocal offset
            found[name] = (offset, (rows, columns))
            offset += rows * columns

        for layer in range(model.architecture.layers):
            for group in self.groups():
                # A group's A matrices lie side by side, so that they can be read as one matrix.
                for part in GROUPS[group]:
                    put(f"model.layers.{layer}.{part}.lora_A", self.rank, model.width(group))
                for part, out in zip(GROUPS[group], model.sizes(group), strict=True):
                    put(f"model.layers.{layer}.{part}.lora_B", out, self.rank)
        if self.unembed:
            put(f"{HEAD}.lora_A", self.rank, model.architecture.hidden)
            put(f"{HEAD}.lora_B", model.architecture.vocabulary, self.rank)
        return found


@dataclass
class Adapter:
    """An adapter's numbers. Frozen snapshots and the one being trained have the same form."""

    model: Transformer
    shape: AdapterShape
    flat: torch.Tensor
    places: dict[str, tuple[int, tuple[int, int]]] = field(repr=False)

    @classmethod
    def zeros(cls, model: Transformer, shape: AdapterShape) -> Adapter:
        places = shape.places(model)
        size = sum(rows * columns for _, (rows, columns) in places.values())
        return cls(model, shape, torch.zeros(size, dtype=torch.float32, device=model.device), places)

    @classmethod
    def fresh(cls, model: Transformer, shape: AdapterShape, seed: int) -> Adapter:
        """B zero and A Kaiming-uniform as peft starts them; the draw depends on ``seed`` alone."""
        adapter = cls.zeros(model, shape)
        generator = torch.Generator().manual_seed(seed % 2**63)
        for name, (_, (rows, columns)) in adapter.places.items():
            if name.endswith("lora_A"):
                bound = 1.0 / math.sqrt(columns)
                drawn = torch.rand(rows, columns, generator=generator) * (2 * bound) - bound
                adapter.part(name).copy_(drawn)
        return adapter

    def part(self, name: str, flat: torch.Tensor | None = None) -> torch.Tensor:
        """One matrix, as a view into ``flat`` (the adapter's own, or one of the same layout: gradient, moments)."""
        offset, (rows, columns) = self.places[name]
        source = self.flat if flat is None else flat
        return source[offset : offset + rows * columns].view(rows, columns)

    def snapshot(self) -> Adapter:
        return Adapter(self.model, self.shape, self.flat.clone(), self.places)

    def named(self, flat: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Every matrix under its peft name."""
        return {f"base_model.model.{name}.weight": self.part(name, flat) for name in self.places}

    def joined_a(self, layer: int, group: str, flat: torch.Tensor | None = None) -> torch.Tensor:
        """A group's A matrices as one view [parts * rank, in]."""
        offset, (_, columns) = self.places[f"model.layers.{layer}.{GROUPS[group][0]}.lora_A"]
        rows = len(GROUPS[group]) * self.shape.rank
        source = self.flat if flat is None else flat
        return source[offset : offset + rows * columns].view(rows, columns)


class TrainedLinears:
    """Base plus adapter with gradients for the adapter, accumulated into ``gradient`` (same layout as the adapter)."""

    def __init__(self, adapter: Adapter, gradient: torch.Tensor | None) -> None:
        self.adapter, self.model = adapter, adapter.model
        rank = adapter.shape.rank
        self.a: dict[tuple[int, str], torch.Tensor] = {}
        self.b: dict[tuple[int, str], list[torch.Tensor]] = {}
        for layer in range(self.model.architecture.layers):
            for group in adapter.shape.groups():
                names = [f"model.layers.{layer}.{part}.lora_B" for part in GROUPS[group]]
                a_gradient = None if gradient is None else adapter.joined_a(layer, group, gradient)
                self.a[layer, group] = _leaf(adapter.joined_a(layer, group), a_gradient)
                self.b[layer, group] = [
                    _leaf(adapter.part(name), None if gradient is None else adapter.part(name, gradient)) for name in names
                ]
        self.rank, self.scale = rank, adapter.shape.scale

    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        base = self.model.layers[layer]
        y = functional.linear(x, base.weights[group], base.biases[group])
        a = self.a.get((layer, group))
        if a is None:
            return y
        low = functional.linear(x, a.to(x.dtype)).split(self.rank, dim=-1)
        parts = y.split(self.model.sizes(group), dim=-1)
        joined = [
            torch.addmm(part, small, b.to(x.dtype).t(), alpha=self.scale)
            for part, small, b in zip(parts, low, self.b[layer, group], strict=True)
        ]
        return joined[0] if len(joined) == 1 else torch.cat(joined, dim=-1)


def _leaf(values: torch.Tensor, gradient: torch.Tensor | None) -> torch.Tensor:
    """A leaf on the same memory whose gradient accumulates in place into ``gradient``."""
    leaf = values.detach()
    if gradient is not None:
        leaf.requires_grad_()
        leaf.grad = gradient
    return leaf


class SnapshotLinears:
    """Base plus frozen adapters without gradients; ``rows`` says which flat tokens belong to which adapter."""

    def __init__(self, model: Transformer, rows: list[tuple[FrozenAdapter, slice | torch.Tensor]]) -> None:
        self.model, self.rows = model, rows

    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        base = self.model.layers[layer]
        y = functional.linear(x, base.weights[group], base.biases[group])
        for frozen, rows in self.rows:
            pair = frozen.pairs.get((layer, group))
            if pair is not None:
                _add_low_rank(y, x, pair, rows)
        return y

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """[N, H] -> [N, V] in float32."""
        y = functional.linear(hidden, self.model.head)
        for frozen, rows in self.rows:
            if frozen.head is not None:
                _add_low_rank(y, hidden, frozen.head, rows)
        return y.float()


def _add_low_rank(y: torch.Tensor, x: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor], rows: slice | torch.Tensor) -> None:
    a, b = pair
    if isinstance(rows, slice):
        y[rows].addmm_(functional.linear(x[rows], a), b)
    else:
        y.index_add_(0, rows, functional.linear(x.index_select(0, rows), a) @ b)


class FrozenAdapter:
    """A snapshot laid out for sampling: a group's B matrices as one block matrix, scaled and transposed beforehand."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        model, shape = adapter.model, adapter.shape
        self.pairs: dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]] = {}
        for layer in range(model.architecture.layers):
            for group in shape.groups():
                matrices = [adapter.part(f"model.layers.{layer}.{part}.lora_B").t() for part in GROUPS[group]]
                block = (torch.block_diag(*matrices) * shape.scale).to(model.dtype).contiguous()
                self.pairs[layer, group] = (adapter.joined_a(layer, group).to(model.dtype), block)
        self.head: tuple[torch.Tensor, torch.Tensor] | None = None
        if shape.unembed:
            b = (adapter.part(f"{HEAD}.lora_B").t() * shape.scale).to(model.dtype).contiguous()
            self.head = (adapter.part(f"{HEAD}.lora_A").to(model.dtype), b)
