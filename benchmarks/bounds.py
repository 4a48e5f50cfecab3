"""What this machine could do at best: how long the bare matrix products of a step take, and how fast memory is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from idiolect.engine.architecture import Architecture, read_architecture

__all__ = ["decode_bound", "median_seconds", "product_seconds", "train_bound"]


def median_seconds(work: Callable[[], object], count: int = 5, warm: int = 1) -> float:
    for _ in range(warm):
        work()
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def _product(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """Seconds of [rows, inner] x [inner, columns], after weights that were not just used."""
    x = torch.randn(rows, inner).to(dtype)
    # As many weights as fall out of the caches between two uses in a model.
    weights = [torch.randn(columns, inner).to(dtype) for _ in range(max(1, min(24, (64 << 20) // (columns * inner * 4))))]
    seconds = median_seconds(lambda: [torch.nn.functional.linear(x, weight) for weight in weights])
    return seconds / len(weights)


def product_seconds(dtype: torch.dtype) -> float:
    """Seconds of one product of middling size."""
    return _product(256, 256, 1536, dtype)


def _shapes(a: Architecture) -> list[tuple[int, int]]:
    """(inner, columns) of a layer's projections."""
    mixed, kv = a.heads * a.head_size, a.kv_heads * a.head_size
    return [(a.hidden, mixed + 2 * kv), (mixed, a.hidden), (a.hidden, 2 * a.mlp), (a.mlp, a.hidden)]


def train_bound(folder: str, dtype: torch.dtype, batch: int, length: int, rank: int) -> float:
    """Seconds of the products of one LoRA step: forward, back through the frozen base, and the adapters' own three."""
    a = read_architecture(Path(folder))
    rows, total = batch * length, 0.0
    for (inner, columns), parts in zip(_shapes(a), (3, 1, 2, 1), strict=True):
        base = _product(rows, inner, columns, dtype) + _product(rows, columns, inner, dtype)
        # Each part's B has its own columns; together they are as many as the group's.
        low = 3 * (_product(rows, inner, parts * rank, dtype) + parts * _product(rows, rank, columns // parts, dtype))
        total += a.layers * (base + low)
    q = torch.randn(batch * a.heads, length, a.head_size).to(dtype)
    # Two products forward and five back, half of each lost to causality.
    total += a.layers * 3.5 * median_seconds(lambda: q @ q.transpose(1, 2))
    return total + _product(rows, a.hidden, a.vocabulary, dtype) + _product(rows, a.vocabulary, a.hidden, dtype)


def decode_bound(folder: str, dtype: torch.dtype, rows: int, places: float) -> float:
    """Seconds of a decoding step of ``rows`` sequences of ``places`` tokens: its products, or reading weights and cache."""
    a = read_architecture(Path(folder))
    products = a.layers * sum(_product(rows, inner, columns, dtype) for inner, columns in _shapes(a))
    products += _product(rows, a.hidden, a.vocabulary, dtype)
    size = torch.empty(0, dtype=dtype).element_size()
    weights = size * (a.layers * sum(inner * columns for inner, columns in _shapes(a)) + a.hidden * a.vocabulary)
    cache = rows * places * a.layers * 2 * a.kv_heads * a.head_size * size
    block = torch.ones(32 << 20)
    bandwidth = block.numel() * 4 / median_seconds(block.sum)
    return max(products, (weights + cache) / bandwidth)
