"""Low-rank adapters: where their numbers lie, how they start, how they join the base's products, their peft names.

All of an adapter's numbers are one flat float32 tensor, so that a snapshot is one copy, an optimizer step a few whole-tensor
operations and the gradient's norm one reduction. Knows nothing of files or requests.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional

from idiolect.engine import kernels
from idiolect.engine.transformer import GROUPS, Transformer

__all__ = ["ALPHA", "Adapter", "AdapterShape", "FrozenAdapter", "Place", "Run", "SnapshotLinears", "TrainedLinears"]

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

    def everywhere(self, name: str, rows: int, flat: torch.Tensor) -> torch.Tensor:
        """All layers' matrices that begin at the projection's ``name``, as one view [layers, rows, columns] into ``flat``."""
        (first, (_, columns)), count = self.places[f"model.layers.0.{name}"], self.model.architecture.layers
        apart = self.places[f"model.layers.1.{name}"][0] - first if count > 1 else 0
        return flat.as_strided((count, rows, columns), (apart, columns, 1), first)


class TrainedLinears:
    """Base plus adapter, for one forward and backward pass, whose gradient is added into ``gradient`` (the adapter's layout)."""

    def __init__(self, adapter: Adapter, gradient: torch.Tensor) -> None:
        self.adapter, self.model, self.gradient = adapter, adapter.model, gradient
        # Makes autograd visit the first layer too, whose input needs no gradient.
        self.anchor = torch.zeros(0, device=adapter.flat.device, requires_grad=True)
        flat, scaled = adapter.flat.to(self.model.dtype), (adapter.flat * adapter.shape.scale).to(self.model.dtype)
        self.panels: dict[str, _Panels] = {}
        self.pairs: dict[tuple[int, str], tuple[torch.Tensor, list[torch.Tensor]]] = {}
        for group in adapter.shape.groups():
            if self.model.packs and adapter.shape.rank % 2 == 0 and _in_panels(self.model.sizes(group)):
                self.panels[group] = _Panels.of(adapter, group, flat, scaled)
                continue
            for layer in range(self.model.architecture.layers):
                parts = [adapter.part(f"model.layers.{layer}.{part}.lora_B", scaled) for part in GROUPS[group]]
                self.pairs[layer, group] = (adapter.joined_a(layer, group, flat), parts)

    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        if group in self.panels:
            return _PackedLowRank.apply(x, self.anchor, self, layer, group)  # pyright: ignore[reportReturnType]
        if (layer, group) not in self.pairs:
            base = self.model.layers[layer]
            return functional.linear(x, base.weights[group], base.biases[group])
        return _LowRank.apply(x, self.anchor, self, layer, group)  # pyright: ignore[reportReturnType]


def _in_panels(widths: list[int]) -> bool:
    """Whether every panel of the kernels belongs to one part of a group."""
    return all(width % (2 * kernels.BLOCK) == 0 for width in widths[:-1])


@dataclass(frozen=True)
class _Panels:
    """A group's A and scaled B as the kernels read them, all layers' in one tensor each; ``back`` transposed, for gradients."""

    widths: torch.Tensor
    a: torch.Tensor
    a_back: torch.Tensor
    b: torch.Tensor
    b_back: list[torch.Tensor]
    """By part."""

    @classmethod
    def of(cls, adapter: Adapter, group: str, flat: torch.Tensor, scaled: torch.Tensor) -> _Panels:
        parts, widths = GROUPS[group], adapter.model.sizes(group)
        a = adapter.everywhere(f"{parts[0]}.lora_A", len(parts) * adapter.shape.rank, flat)
        b = adapter.everywhere(f"{parts[0]}.lora_B", sum(widths), scaled)
        back = [kernels.packed(part.transpose(1, 2)) for part in b.split(widths, dim=1)]
        return cls(torch.tensor(widths), kernels.packed(a), kernels.packed(a.transpose(1, 2)), kernels.packed(b), back)


class _PackedLowRank(torch.autograd.Function):
    """As ``_LowRank``, by the kernels: the base's product and the adapter's share leave the registers as one rounded sum."""

    @staticmethod
    def forward(ctx, x, anchor, linears, layer, group):  # pyright: ignore[reportIncompatibleMethodOverride]
        model, panels, rank = linears.model, linears.panels[group], linears.adapter.shape.rank
        (count, width), dtype, x = x.shape, x.dtype, x.contiguous()
        low = torch.empty(count, len(panels.widths) * rank, dtype=dtype)
        kernels.call("linear", dtype, count, width, low.shape[1], x, panels.a[layer], None, low)
        y = torch.empty(count, sum(model.sizes(group)), dtype=dtype)
        weight, bias = model.packed(layer, group), model.layers[layer].biases[group]
        share = (len(panels.widths), panels.widths, rank, low, panels.b[layer])
        kernels.call("adapted_linear", dtype, count, width, y.shape[1], x, width, weight, bias, *share, y, y.shape[1])
        ctx.save_for_backward(x, low)
        ctx.of = (linears, layer, group)
        return y

    @staticmethod
    def backward(ctx, dy):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, low = ctx.saved_tensors
        linears, layer, group = ctx.of
        adapter, gradient, panels = linears.adapter, linears.gradient, linears.panels[group]
        (count, width), dtype, rank, dy = x.shape, x.dtype, adapter.shape.rank, dy.contiguous()
        dlow, start = torch.empty_like(low), 0
        for index, (name, size) in enumerate(zip(GROUPS[group], linears.model.sizes(group), strict=True)):
            places = (kernels.Row(dlow, index * rank), low.shape[1])
            back = (kernels.Row(dy, start), dy.shape[1], panels.b_back[index][layer])
            kernels.call("adapted_linear", dtype, count, size, rank, *back, None, 0, None, 0, None, None, *places)
            grown = dy[:, start : start + size].t() @ low[:, index * rank : (index + 1) * rank]
            adapter.part(f"model.layers.{layer}.{name}.lora_B", gradient).add_(grown, alpha=adapter.shape.scale)
            start += size
        adapter.joined_a(layer, group, gradient).add_(dlow.t() @ x)
        dx = None
        if ctx.needs_input_grad[0]:
            dx, whole = torch.empty_like(x), torch.tensor([width])
            back = (dy, dy.shape[1], linears.model.packed(layer, group, back=True), None)
            share = (1, whole, low.shape[1], dlow, panels.a_back[layer])
            kernels.call("adapted_linear", dtype, count, dy.shape[1], width, *back, *share, dx, width)
        return dx, None, None, None, None


class _LowRank(torch.autograd.Function):
    """y = x W' + bias, and for each part of the group + scale (x A') B'; Hu et al. 2021, eq. 3."""

    @staticmethod
    def forward(ctx, x, anchor, linears, layer, group):  # pyright: ignore[reportIncompatibleMethodOverride]
        base, (a, parts) = linears.model.layers[layer], linears.pairs[layer, group]
        low = functional.linear(x, a)
        ctx.save_for_backward(x, low)
        ctx.of = (linears, layer, group)
        y = functional.linear(x, base.weights[group], base.biases[group])
        for part, small, b in zip(_split(y, parts), low.chunk(len(parts), dim=1), parts, strict=True):
            part.addmm_(small, b.t())
        return y

    @staticmethod
    def backward(ctx, dy):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, low = ctx.saved_tensors
        linears, layer, group = ctx.of
        adapter, gradient, (a, parts) = linears.adapter, linears.gradient, linears.pairs[layer, group]
        dlow = torch.empty_like(low)
        pieces = zip(GROUPS[group], _split(dy, parts), low.chunk(len(parts), dim=1), dlow.chunk(len(parts), dim=1), parts, strict=True)
        for name, back, small, dsmall, b in pieces:
            torch.mm(back, b, out=dsmall)
            adapter.part(f"model.layers.{layer}.{name}.lora_B", gradient).add_(back.t() @ small, alpha=adapter.shape.scale)
        adapter.joined_a(layer, group, gradient).add_(dlow.t() @ x)
        dx = (dy @ linears.model.layers[layer].weights[group]).addmm_(dlow, a) if ctx.needs_input_grad[0] else None
        return dx, None, None, None, None


def _split(y: torch.Tensor, parts: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return y.split([b.shape[0] for b in parts], dim=1)


@dataclass(frozen=True)
class Run:
    """Tokens ``start`` to ``stop`` of a batch, which belong to one frozen adapter, or to the base model."""

    adapter: FrozenAdapter | None
    start: int
    stop: int


class SnapshotLinears:
    """Base plus frozen adapters without gradients, each over its ``runs`` of the batch's tokens."""

    def __init__(self, model: Transformer, runs: Sequence[Run]) -> None:
        self.model = model
        self.runs = [run for run in runs if run.adapter is not None]
        self.adapters = list(dict.fromkeys(run.adapter for run in self.runs if run.adapter is not None))
        self._lists: dict[Place, tuple[torch.Tensor, torch.Tensor] | None] = {}
        self.chunks: tuple[int, *tuple[torch.Tensor | None, ...]] = (0, None, None, None, None)
        """What the kernels want to know: how many chunks, where each begins and ends, whose it is, and the adapters' ranks."""
        if self.adapters and kernels.available(model.head):
            number = {adapter: index for index, adapter in enumerate(self.adapters)}
            parts = [
                (start, min(start + kernels.TILE, run.stop), number[run.adapter])
                for run in self.runs if run.adapter is not None
                for start in range(run.start, run.stop, kernels.TILE)
            ]  # fmt: skip
            ranks = torch.tensor([adapter.rank for adapter in self.adapters])
            self.chunks = (len(parts), *torch.tensor(parts).t().contiguous().unbind(), ranks)

    def __call__(self, layer: int, group: str, x: torch.Tensor) -> torch.Tensor:
        base = self.model.layers[layer]
        y = functional.linear(x, base.weights[group], base.biases[group])
        self.add(x, (layer, group), self.model.sizes(group), y)
        return y

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """[N, H] -> [N, V]."""
        y = functional.linear(hidden, self.model.head)
        self.add(hidden, HEAD, [self.model.architecture.vocabulary], y)
        return y

    def add(self, x: torch.Tensor, place: Place, widths: list[int], y: torch.Tensor) -> None:
        """``y`` plus the adapters' shares at ``place``, in place."""
        if self.chunks[0]:
            lists = self.pointers(place)
            if lists:
                kernels.call(
                    "low_rank", x.dtype, *self.chunks[:4], x.shape[1], len(widths), torch.tensor(widths), self.chunks[4], x, *lists, y
                )
            return
        for run in self.runs:
            pair = run.adapter.pairs.get(place) if run.adapter else None
            if pair is not None:
                y[run.start : run.stop].addmm_(functional.linear(x[run.start : run.stop], pair[0]), pair[1])

    def pointers(self, place: Place) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Where the adapters' A and B at ``place`` are, for the kernels, 0 for one that has none; None if none has."""
        if place not in self._lists:
            pairs = [adapter.pairs.get(place) for adapter in self.adapters]
            found = tuple(torch.tensor([0 if pair is None else pair[side].data_ptr() for pair in pairs]) for side in (0, 1))
            self._lists[place] = found if any(pair is not None for pair in pairs) else None  # pyright: ignore[reportArgumentType]
        return self._lists[place]


Place = tuple[int, str] | str
"""Where a pair of matrices sits: a layer's group of projections, or the unembedding."""


class FrozenAdapter:
    """A snapshot laid out for sampling: at each place A, and the parts' B scaled beforehand.

    For the kernels A is [in, parts * rank] and B the parts' [rank, out] end to end, rows padded to whole vectors, float32.
    For torch A is [parts * rank, in] and B one block matrix [parts * rank, sum of out], in the model's type.
    """

    _numbers = itertools.count(1)

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.number = next(self._numbers)
        """Never given twice; 0 stands for the base model."""
        self.rank = adapter.shape.rank
        model, shape = adapter.model, adapter.shape
        self.pairs: dict[Place, tuple[torch.Tensor, torch.Tensor]] = {}
        for layer in range(model.architecture.layers):
            for group in shape.groups():
                b = [adapter.part(f"model.layers.{layer}.{part}.lora_B") for part in GROUPS[group]]
                self.pairs[layer, group] = self._laid_out(model, adapter.joined_a(layer, group), b)
        if shape.unembed:
            self.pairs[HEAD] = self._laid_out(model, adapter.part(f"{HEAD}.lora_A"), [adapter.part(f"{HEAD}.lora_B")])

    def _laid_out(self, model: Transformer, a: torch.Tensor, parts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        scaled = [b.t() * self.adapter.shape.scale for b in parts]
        if kernels.available(model.head):
            return kernels.padded(a.t()), torch.cat([kernels.padded(b).flatten() for b in scaled])
        return a.to(model.dtype), torch.block_diag(*scaled).to(model.dtype).contiguous()
