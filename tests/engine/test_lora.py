"""A layer's products with an adapter under training: the kernels, the same in torch, and float64 agree, forward and backward."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from checkpoints import tiny_checkpoint
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape, TrainedLinears
from idiolect.engine.transformer import GROUPS
from kernel_forms import drawn, needs_kernels, torch_alone

CASES = {
    "grouped": {"family": "qwen3", "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
    "biased": {"family": "llama", "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1, "intermediate_size": 34},
}
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-6}


def computed(folder: Path, dtype: torch.dtype, rank: int) -> list[torch.Tensor]:
    """Every group's output in the last layer, the gradient of its input, and the adapter's gradient; float64."""
    model = load_transformer(folder, torch.device("cpu"), dtype)
    adapter = Adapter.fresh(model, AdapterShape(rank, unembed=False), seed=0)
    adapter.flat.add_(drawn(1, *adapter.flat.shape) * 0.1)
    gradient = torch.zeros_like(adapter.flat)
    linears, layer, found = TrainedLinears(adapter, gradient), model.architecture.layers - 1, []
    for number, group in enumerate(GROUPS):
        # Rounded to bfloat16, so that every type is given the same numbers.
        x = drawn(2 + number, 37, model.width(group), dtype=torch.bfloat16).to(dtype).requires_grad_()
        y = linears(layer, group, x)
        y.backward(drawn(9 + number, *y.shape, dtype=torch.bfloat16).to(dtype))
        assert x.grad is not None
        found += [y.detach().double(), x.grad.double()]
    return [*found, *(part.double() for part in adapter.named(gradient).values())]


@needs_kernels
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rank", [3, 8])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_both_forms_agree_with_float64(tmp_path: Path, case: str, rank: int, dtype: torch.dtype) -> None:
    settings = dict(CASES[case])
    folder = tiny_checkpoint(tmp_path, str(settings.pop("family")), **settings)
    exact = computed(folder, torch.float64, rank)
    with torch_alone():
        plain = computed(folder, dtype, rank)
    for ours, theirs, expected in zip(computed(folder, dtype, rank), plain, exact, strict=True):
        for value in (ours, theirs):
            assert (value - expected).abs().max() <= TOLERANCE[dtype] * max(1e-30, float(expected.abs().max()))
