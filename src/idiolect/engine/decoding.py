"""The walk through the layers for sampling. Knows the base's packed weights, the cache and adapters; no requests.

On the CPU one call of the kernels goes through all layers: the steps of a small model are too short for Python between their
products. The weights lie there a second time, in the order in which they are read; a model too large for that, and any model
elsewhere, goes through ``run_layers``, which says the same in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from idiolect.engine import kernels
from idiolect.engine.cache import BlockCache
from idiolect.engine.lora import HEAD, FrozenAdapter, Place, Run, SnapshotLinears
from idiolect.engine.transformer import GROUPS, Transformer, run_layers

__all__ = ["Batch", "Decoder"]


@dataclass(frozen=True)
class Batch:
    """N new tokens of some sequences, with their ``positions`` [N] int64, adapters' ``runs``, and where earlier tokens lie.

    ``sequence`` [N] int64 names each token's row of ``tables`` [S, B] int32, the sequences' blocks. The hidden states of the
    tokens ``wanted`` [W], ascending, are asked for; ``wanted_runs`` are the adapters' runs among those.
    """

    tokens: np.ndarray
    positions: np.ndarray
    sequence: np.ndarray
    tables: np.ndarray
    runs: Sequence[Run]
    wanted: np.ndarray
    wanted_runs: Sequence[Run]


class Decoder:
    def __init__(self, model: Transformer, cache: BlockCache) -> None:
        self.model, self.cache = model, cache
        if model.packs:
            self._head = kernels.packed(model.head)
            self._scratch = torch.empty(0)
            self._listed: tuple[tuple[list[FrozenAdapter], int], SnapshotLinears, torch.Tensor] | None = None

    def hidden(self, batch: Batch) -> torch.Tensor:
        """The wanted tokens' hidden states after the last norm, [W, H]; all tokens' keys and values are in the cache afterwards."""
        model = self.model
        positions, tokens = (torch.from_numpy(part).to(model.device) for part in (batch.positions, batch.tokens))
        rotary = model.rotary(positions, int(batch.positions.max()) + 1)
        if not model.packs:
            attend = self.cache.attention(batch.positions, batch.sequence, batch.tables)
            hidden = run_layers(model, tokens, rotary, SnapshotLinears(model, batch.runs), attend)
            return hidden[torch.from_numpy(batch.wanted).to(model.device)]
        a, count = model.architecture, len(tokens)
        linears, last = SnapshotLinears(model, batch.runs), SnapshotLinears(model, batch.wanted_runs)
        x, out = torch.nn.functional.embedding(tokens, model.embedding).float(), torch.empty(count, a.hidden, dtype=model.dtype)
        mixed = a.heads * a.head_size
        floats = count * (4 + a.hidden + 3 * mixed + 2 * a.kv_heads * a.head_size + 3 * a.mlp)
        if self._scratch.numel() < floats:
            self._scratch = torch.empty(floats)
        slots = torch.from_numpy(self.cache.slots(batch.positions, batch.sequence, batch.tables))
        tables, sequence = torch.from_numpy(batch.tables), torch.from_numpy(batch.sequence)
        shape = (count, a.layers, a.hidden, a.heads, a.kv_heads, a.head_size, a.mlp)
        angles = (rotary.cosines, rotary.sines, positions)
        places = (slots, tables, tables.shape[1], sequence)
        weights = (self._pointers(linears), model.norm)
        rows = (len(batch.wanted), torch.from_numpy(batch.wanted), *linears.chunks, *last.chunks[:4])
        kernels.call("run_layers", model.dtype, *shape, a.norm_eps, x, *weights, *angles, *places, *rows, self._scratch, out)
        return out[: len(batch.wanted)]

    def logits(self, hidden: torch.Tensor, runs: Sequence[Run]) -> torch.Tensor:
        """[N, H] -> [N, V]."""
        linears = SnapshotLinears(self.model, runs)
        if not self.model.packs:
            return linears.logits(hidden)
        vocabulary, width = self.model.head.shape
        y = torch.empty(hidden.shape[0], vocabulary, dtype=hidden.dtype)
        kernels.call("linear", hidden.dtype, hidden.shape[0], width, vocabulary, hidden, self._head, None, y)
        linears.add(hidden, HEAD, [vocabulary], y)
        return y

    def _pointers(self, linears: SnapshotLinears) -> torch.Tensor:
        """Where everything lies, as the kernels' ``run_layers`` wants it; listed anew when the adapters or the cache change."""
        state = (linears.adapters, self.cache.moved)
        if self._listed is None or self._listed[0] != state:
            rows = [self._layer(layer, linears) for layer in range(self.model.architecture.layers)]
            # The linears own the adapters' lists.
            self._listed = (state, linears, torch.tensor(rows))
        return self._listed[2]

    def _layer(self, layer: int, linears: SnapshotLinears) -> list[int]:
        own, cache = self.model.layers[layer], self.cache
        biases = [own.biases[group] for group in GROUPS]
        places: list[Place] = [(layer, group) for group in GROUPS]
        pairs = [linears.pointers(place) for place in places]
        weights = [self.model.packed(layer, group) for group in GROUPS]
        tensors = [*weights, *biases, own.input_norm, own.mlp_norm, own.qk_norm, cache.keys[layer], cache.values[layer]]
        tensors += [pair and pair[side] for side in (0, 1) for pair in pairs]
        return [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
