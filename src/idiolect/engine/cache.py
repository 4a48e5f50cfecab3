"""Keys and values of the sequences being sampled, in blocks of BLOCK places (Kwon et al. 2023). Knows memory and prefixes only.

A full block is known by the adapter and all the tokens up to its end, so prompts with a common beginning, at the same time or one
after the other, share its blocks, and the samples of a group share their prompt's. A block that nobody holds keeps its content until
its place is needed; the one left longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from idiolect.engine import kernels
from idiolect.engine.kernels import BLOCK
from idiolect.engine.operations import Rotary, turned_heads
from idiolect.engine.transformer import Attend, Transformer

__all__ = ["BLOCK", "BlockCache", "Full", "Table"]

IDLE_BYTES = 256 << 20
"""Of blocks that nobody holds; with more of them, those are taken before memory that was never touched."""

Key = tuple[int, tuple[int, ...]]
"""The identity of what stands before a block, and the block's tokens."""


class Full(Exception):
    """All blocks are held."""


@dataclass
class Table:
    """A sequence's blocks, in order. ``parent`` identifies the content of the full ones (or the adapter, where there is none)."""

    parent: int
    blocks: list[int] = field(default_factory=list)


class BlockCache:
    def __init__(self, model: Transformer, limit: int) -> None:
        """``limit`` is the number of blocks that may ever exist; memory is taken as they are needed."""
        self.model, self.limit = model, max(2, limit)
        self.kept = max(1, IDLE_BYTES // self.bytes_per_block(model))
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.moved = 0
        """How often the keys and values have got another place in memory."""
        self.clear()

    @staticmethod
    def bytes_per_block(model: Transformer) -> int:
        a = model.architecture
        return 2 * a.layers * a.kv_heads * a.head_size * BLOCK * (4 if kernels.available(model.head) else model.head.element_size())

    def clear(self) -> None:
        """Forget everything."""
        a, model = self.model.architecture, self.model
        # The kernels want keys as [D, BLOCK], one load for BLOCK keys, and both in float32.
        dtype = torch.float32 if kernels.available(model.head) else model.dtype
        self.keys = [torch.zeros(0, a.kv_heads, a.head_size, BLOCK, device=model.device, dtype=dtype) for _ in range(a.layers)]
        self.values = [torch.zeros(0, a.kv_heads, BLOCK, a.head_size, device=model.device, dtype=dtype) for _ in range(a.layers)]
        self.count = 0
        self.moved += 1
        self._holders: list[int] = []
        self._identity: list[tuple[int, Key] | None] = []
        self._free: list[int] = []
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._known: dict[Key, int] = {}
        # Adapters are negative, contents positive: no content is ever taken for another.
        self._next = 1

    # Prefixes

    def begin(self, adapter: int, prompt: Sequence[int], shared: int) -> Table:
        """A table for ``prompt`` with the full blocks that are known among its first ``shared`` tokens."""
        table = Table(-1 - adapter)
        for start in range(0, shared // BLOCK * BLOCK, BLOCK):
            block = self._known.get((table.parent, tuple(prompt[start : start + BLOCK])))
            if block is None:
                break
            self._hold(block)
            table.blocks.append(block)
            identity = self._identity[block]
            assert identity is not None
            table.parent = identity[0]
        return table

    def publish(self, table: Table, block: int, tokens: Sequence[int]) -> None:
        """Make a block, the next full one of ``table``, known to later prompts."""
        key = (table.parent, tuple(tokens))
        known = self._known.get(key)
        if known is None:
            self._known[key] = known = block
            self._identity[block] = (self._next, key)
            self._next += 1
        identity = self._identity[known]
        assert identity is not None
        table.parent = identity[0]

    # Blocks

    def extend(self, table: Table, places: int) -> None:
        """Give ``table`` room for ``places`` tokens. Raises ``Full``, leaving all as it was."""
        wanted = -(-places // BLOCK) - len(table.blocks)
        if wanted > self.available():
            raise Full
        table.blocks += [self._take() for _ in range(wanted)]

    def fork(self, table: Table, places: int) -> tuple[Table, tuple[int, int] | None]:
        """A table that shares the full blocks of the first ``places`` tokens; the copy that its begun block needs, if any."""
        full = places // BLOCK
        made = Table(table.parent, table.blocks[:full])
        copy = None
        if places % BLOCK:
            made.blocks.append(self._take())
            copy = (table.blocks[full], made.blocks[-1])
        for block in made.blocks[:full]:
            self._hold(block)
        return made, copy

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        if pairs:
            sources, targets = torch.tensor(pairs, device=self.model.device).unbind(1)
            for store in (*self.keys, *self.values):
                store[targets] = store[sources]

    def end(self, table: Table) -> None:
        # The last block first, so that beginnings stay longest.
        self._release(table.blocks[::-1])
        table.blocks = []

    def available(self) -> int:
        """Blocks that could be taken."""
        return self.limit - self.count + len(self._free) + len(self._idle)

    def _hold(self, block: int) -> None:
        if self._holders[block] == 0:
            self._idle.pop(block, None)
        self._holders[block] += 1

    def _release(self, blocks: Sequence[int]) -> None:
        for block in blocks:
            self._holders[block] -= 1
            if self._holders[block] == 0:
                if self._identity[block] is None:
                    self._free.append(block)
                else:
                    self._idle[block] = None

    def _take(self) -> int:
        if not self._free and self.count < self.limit and len(self._idle) < self.kept:
            self._grow()
        if self._free:
            block = self._free.pop()
        elif self._idle:
            block, _ = self._idle.popitem(last=False)
            identity = self._identity[block]
            assert identity is not None
            del self._known[identity[1]]
            self._identity[block] = None
        else:
            raise Full
        self._holders[block] = 1
        return block

    def _grow(self) -> None:
        count = min(self.limit, max(256, 2 * self.count))
        for store in (self.keys, self.values):
            for layer, old in enumerate(store):
                # Zeros, not garbage: masked places are multiplied by a zero weight, and 0 * nan is nan.
                new = old.new_zeros(count, *old.shape[1:])
                new[: self.count] = old
                store[layer] = new
        self._free += range(count - 1, self.count - 1, -1)
        self._holders += [0] * (count - self.count)
        self._identity += [None] * (count - self.count)
        self.count = count
        self.moved += 1

    # Attention

    def slots(self, positions: np.ndarray, sequence: np.ndarray, tables: np.ndarray) -> np.ndarray:
        """Where the tokens at ``positions`` of their sequences go: block * BLOCK + place, int64."""
        return tables[sequence, positions // BLOCK].astype(np.int64) * BLOCK + positions % BLOCK

    def attention(self, places: np.ndarray, sequence: np.ndarray, tables: np.ndarray) -> Attend:
        """Attention of new tokens at ``places`` [N], each over its own sequence: what the cache holds, and the tokens in hand.

        ``tables`` [S, W] int32 are the sequences' blocks, ``sequence`` [N] says which is a token's. The tokens' keys and values
        are written first, so a sequence may read blocks that another one of this batch fills.
        """
        a, device = self.model.architecture, self.model.device
        slots, owners, blocks, positions = (
            torch.from_numpy(part).to(device) for part in (self.slots(places, sequence, tables), sequence, tables, places)
        )
        shape = (len(places), a.heads, a.kv_heads, a.head_size)

        def fused(layer: int, qkv: torch.Tensor, rotary: Rotary) -> torch.Tensor:
            q, out = torch.empty(shape[0], a.heads * a.head_size), torch.empty((shape[0], a.heads * a.head_size), dtype=qkv.dtype)
            keys, values, norm = self.keys[layer], self.values[layer], self.model.layers[layer].qk_norm
            angles = (rotary.cosines, rotary.sines, positions)
            kernels.call("turn_into_cache", qkv.dtype, *shape, qkv, norm, a.norm_eps, *angles, slots, q, keys, values)
            kernels.call("cached_attention", qkv.dtype, *shape, q, keys, values, blocks, blocks.shape[1], owners, positions, out)
            return out

        def plain(layer: int, qkv: torch.Tensor, rotary: Rotary) -> torch.Tensor:
            q, k, v = turned_heads(qkv, a.heads, a.kv_heads, self.model.layers[layer].qk_norm, a.norm_eps, rotary)
            keys, values = self.keys[layer], self.values[layer]
            keys[slots // BLOCK, :, :, slots % BLOCK] = k.to(keys.dtype)
            values[slots // BLOCK, :, slots % BLOCK] = v.to(values.dtype)
            return _over_blocks(q, keys, values, blocks, owners, positions)

        return fused if kernels.available(self.model.head) else plain


def _over_blocks(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, blocks: torch.Tensor, owners: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """The cached attention by torch: sequences are gathered and padded, queries a sequence likewise."""
    device = q.device
    rows = torch.unique(owners)
    counts = torch.bincount(owners, minlength=blocks.shape[0])[rows]
    longest = int(positions.max()) + 1
    width = -(-longest // BLOCK)
    held = blocks[rows, :width].long()
    k = keys[held].permute(0, 2, 1, 4, 3).flatten(2, 3)
    v = values[held].permute(0, 2, 1, 3, 4).flatten(2, 3)
    # Tokens of a sequence lie side by side, in order.
    row = torch.searchsorted(rows, owners)
    order = torch.argsort(row, stable=True)
    starts = torch.cumsum(counts, 0) - counts
    column = torch.empty_like(row)
    column[order] = torch.arange(len(row), device=device) - starts[row[order]]
    padded = q.new_zeros(len(rows), int(counts.max()), *q.shape[1:])
    padded[row, column] = q
    places = positions.new_zeros(padded.shape[:2])
    places[row, column] = positions
    mask = torch.arange(k.shape[2], device=device) <= places.unsqueeze(2)
    group = q.shape[1] // k.shape[1]
    k, v = k.to(q.dtype).repeat_interleave(group, dim=1), v.to(q.dtype).repeat_interleave(group, dim=1)
    mixed = functional.scaled_dot_product_attention(padded.transpose(1, 2), k, v, attn_mask=mask.unsqueeze(1))
    return mixed.transpose(1, 2)[row, column].flatten(1)
