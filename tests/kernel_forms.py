"""The two forms of the engine's arithmetic, and a model without a checkpoint, for tests that compare them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from idiolect.engine import kernels
from idiolect.engine.architecture import Architecture
from idiolect.engine.transformer import Layer, Transformer

COMPILED = kernels.available(torch.zeros(1))
needs_kernels = pytest.mark.skipif(not COMPILED, reason="the kernels are not compiled here, or not for this processor")


@contextmanager
def torch_alone() -> Iterator[None]:
    """Within this the kernels count as not compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "available", lambda *tensors: False)
        yield


def drawn(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def attending_model(heads: int, kv_heads: int, size: int, *, qk_norm: bool, dtype: torch.dtype = torch.float32) -> Transformer:
    """One layer that can do nothing but attend."""
    rope = {"rope_theta": 10000.0}
    architecture = Architecture("qwen3", 8, 8, 1, heads, kv_heads, size, 8, 1e-6, 512, True, qk_norm, rope, ())
    ones = torch.ones(8)
    norm = 1 + 0.2 * drawn(1, heads + kv_heads, size) if qk_norm else None
    embedding = torch.zeros(8, 8, dtype=dtype)
    return Transformer(architecture, [Layer({}, {}, ones, ones, norm)], embedding, ones, embedding)
