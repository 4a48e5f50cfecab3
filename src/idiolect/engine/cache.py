"""Keys and values of the sequences being sampled. Knows memory layout only.

One block of memory a layer, [rows, kv_heads, places, D], with the live sequences in rows 0..R-1, so that a decoding step reads a
plain slice of it. A finished row's place is taken by the last one.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from idiolect.engine.transformer import Transformer

__all__ = ["Cache"]

GRAIN = 64
"""Places are allotted in multiples of this."""


class Cache:
    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.rows = self.places = 0
        a = model.architecture
        self.keys = [torch.empty(0, a.kv_heads, 0, a.head_size, device=model.device, dtype=model.dtype) for _ in range(a.layers)]
        self.values = list(self.keys)

    @staticmethod
    def bytes_per_place(model: Transformer) -> int:
        a = model.architecture
        return 2 * a.layers * a.kv_heads * a.head_size * model.embedding.element_size()

    def reserve(self, rows: int, places: int) -> None:
        """Make room for ``rows`` sequences of up to ``places`` tokens, keeping what is there."""
        if rows <= self.rows and places <= self.places:
            return
        new_rows = max(self.rows, rows if rows <= self.rows else max(rows, min(2 * self.rows, rows + 32)))
        new_places = self.places if places <= self.places else -(-max(places, int(1.5 * self.places)) // GRAIN) * GRAIN
        for store in (self.keys, self.values):
            for layer, old in enumerate(store):
                # Zeros, not garbage: masked places are multiplied by a zero weight, and 0 * nan is nan.
                new = old.new_zeros(new_rows, old.shape[1], new_places, old.shape[3])
                new[: self.rows, :, : self.places] = old
                store[layer] = new
        self.rows, self.places = new_rows, new_places

    def put(self, layer: int, row: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write a prompt's flat keys and values [T, kv_heads, D] at the start of ``row``."""
        count = keys.shape[0]
        self.keys[layer][row, :, :count] = keys.transpose(0, 1)
        self.values[layer][row, :, :count] = values.transpose(0, 1)

    def move(self, source: int, target: int, places: int) -> None:
        for store in (self.keys, self.values):
            for block in store:
                block[target, :, :places] = block[source, :, :places]

    def step_attention(self, positions: torch.Tensor, longest: int):  # -> Attend
        """Attention of one new token a row, at ``positions`` [R] all below ``longest``, over what the row already holds."""
        count = positions.shape[0]
        rows = torch.arange(count, device=positions.device)
        reach = torch.arange(longest, device=positions.device)
        mask = torch.zeros(count, 1, 1, longest, device=positions.device, dtype=self.model.dtype)
        mask.masked_fill_((reach > positions.unsqueeze(1)).view(count, 1, 1, longest), float("-inf"))

        def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            keys, values = self.keys[layer], self.values[layer]
            keys[rows, :, positions] = k
            values[rows, :, positions] = v
            kv_heads, size = k.shape[1], k.shape[2]
            # The query heads that share a key head take the place of the query's length: no copy of keys or values.
            grouped = q.view(count, kv_heads, -1, size)
            mixed = functional.scaled_dot_product_attention(
                grouped, keys[:count, :, :longest], values[:count, :, :longest], attn_mask=mask.expand(-1, -1, grouped.shape[2], -1)
            )
            return mixed.reshape(count, -1)

        return attend
