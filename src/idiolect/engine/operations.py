"""What stands between a decoder's matrix products: residual sums, norms, rotary positions, SwiGLU, target logprobs.

Each has two forms that agree: the kernels' on the CPU, with its gradient written out, and torch's everywhere else. The residual
stream and the norms are float32 whatever the type of the matrix products. Axes: N tokens, H hidden, D head size, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from idiolect.engine import kernels

__all__ = ["Rotary", "add_norm", "attention", "rows_at", "swiglu", "target_logprobs", "target_logprobs_backward", "turned_heads"]


@dataclass(frozen=True)
class Rotary:
    """``cosines`` and ``sines`` [places, D / 2], float32, and the ``positions`` [N], int64, of the tokens in hand."""

    cosines: torch.Tensor
    sines: torch.Tensor
    positions: torch.Tensor


def add_norm(
    x: torch.Tensor, y: torch.Tensor | None, weight: torch.Tensor, eps: float, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x + y, the RMS norm of that in ``dtype``). ``x`` [N, H] float32 may be overwritten unless a gradient is wanted."""
    if not kernels.available(x, weight):
        x = x if y is None else x + y.float()
        return x, (functional.rms_norm(x, (x.shape[1],), None, eps) * weight).to(dtype)
    if torch.is_grad_enabled():
        return _AddNorm.apply(x, y, weight, eps, dtype)  # pyright: ignore[reportReturnType]
    out = torch.empty(x.shape, dtype=dtype)
    kernels.call("add_norm", dtype, *x.shape, x, y, weight, eps, x, out, None)
    return x, out


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, weight, eps, dtype):  # pyright: ignore[reportIncompatibleMethodOverride]
        total, out, inverse = torch.empty_like(x), torch.empty(x.shape, dtype=dtype), torch.empty(x.shape[0])
        kernels.call("add_norm", dtype, *x.shape, x, y, weight, eps, total, out, inverse)
        ctx.save_for_backward(total, weight, inverse)
        return total, out

    @staticmethod
    def backward(ctx, dx, dout):  # pyright: ignore[reportIncompatibleMethodOverride]
        total, weight, inverse = ctx.saved_tensors
        # The sum is this node's alone, so it is added to in place.
        dx = torch.zeros_like(total) if dx is None else dx.contiguous()
        dy = torch.empty(dx.shape, dtype=dout.dtype) if ctx.needs_input_grad[1] else None
        kernels.call("add_norm_backward", dout.dtype, *dx.shape, total, weight, inverse, dout.contiguous(), dx, dy)
        return dx, dy, None, None, None


def turned_heads(
    qkv: torch.Tensor, heads: int, kv_heads: int, norm: torch.Tensor | None, eps: float, rotary: Rotary
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries [N, heads, D], keys [N, kv_heads, D] and values of ``qkv`` [N, (heads + 2 kv_heads) * D], by torch alone.

    Queries and keys are normed by ``norm`` [heads + kv_heads, D] (Qwen3) if there is one, and turned by their positions.
    """
    turned = heads + kv_heads
    parts = qkv.view(qkv.shape[0], turned + kv_heads, -1)
    qk, v = parts[:, :turned].float(), parts[:, turned:]
    if norm is not None:
        qk = functional.rms_norm(qk, (qk.shape[2],), None, eps) * norm
    cosines, sines = rotary.cosines[rotary.positions].unsqueeze(1), rotary.sines[rotary.positions].unsqueeze(1)
    first, second = qk.chunk(2, dim=-1)
    qk = torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1).to(qkv.dtype)
    q, k = qk.split((heads, kv_heads), dim=1)
    return q, k, v


def attention(
    qkv: torch.Tensor,
    heads: int,
    kv_heads: int,
    norm: torch.Tensor | None,
    eps: float,
    rotary: Rotary,
    starts: torch.Tensor,
    asked: torch.Tensor | None = None,
) -> torch.Tensor:
    """Causal attention within each sequence, tokens ``starts[s]`` to ``starts[s + 1]`` of ``qkv``, as [N, heads * D]; by the kernels.

    With ``asked`` only the rows from each sequence's token ``asked[s]`` on are meant, and the others have no gradient.
    """
    return _Attention.apply(qkv, heads, kv_heads, norm, eps, rotary, starts, asked)  # pyright: ignore[reportReturnType]


class _Attention(torch.autograd.Function):
    """As ``turned_heads`` and then softmax(q k' / sqrt(D)) v; the weights are computed anew on the way back (Dao et al. 2022)."""

    @staticmethod
    def forward(ctx, qkv, heads, kv_heads, norm, eps, rotary, starts, asked):  # pyright: ignore[reportIncompatibleMethodOverride]
        count, dtype = qkv.shape[0], qkv.dtype
        size = qkv.shape[1] // (heads + 2 * kv_heads)
        q, k, out = (torch.empty((count, n * size), dtype=dtype) for n in (heads, kv_heads, heads))
        inverse = None if norm is None else torch.empty(count, heads + kv_heads)
        angles = (rotary.cosines, rotary.sines, rotary.positions)
        kernels.call("turn_heads", dtype, count, heads, kv_heads, size, qkv, norm, eps, *angles, q, k, inverse)
        v, normalizers = kernels.Row(qkv, (heads + kv_heads) * size), torch.empty(count, heads)
        shape = (len(starts) - 1, starts, torch.zeros_like(starts[1:]) if asked is None else asked, heads, kv_heads, size)
        kernels.call("attention", dtype, *shape, q, k, v, qkv.shape[1], out, normalizers)
        ctx.save_for_backward(qkv, q, k, out, normalizers, inverse, norm, *angles)
        ctx.shape = shape
        return out

    @staticmethod
    def backward(ctx, dout):  # pyright: ignore[reportIncompatibleMethodOverride]
        qkv, q, k, out, normalizers, inverse, norm, *angles = ctx.saved_tensors
        *_, heads, kv_heads, size = ctx.shape
        # Zeros, since queries that were not asked are passed over.
        dqkv, dq, dk = torch.empty_like(qkv), torch.zeros_like(q), torch.empty_like(k)
        v, dv = (kernels.Row(whole, (heads + kv_heads) * size) for whole in (qkv, dqkv))
        arguments = (q, k, v, qkv.shape[1], out, normalizers, dout.contiguous(), dq, dk, dv)
        kernels.call("attention_backward", qkv.dtype, *ctx.shape, *arguments)
        shape = (qkv.shape[0], heads, kv_heads, size)
        kernels.call("turn_heads_backward", qkv.dtype, *shape, qkv, norm, *angles, inverse, dq, dk, dqkv)
        return dqkv, None, None, None, None, None, None, None


def rows_at(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """The rows of ``x`` at ``places``, which differ; the gradient of those that are dropped is zero."""
    return _RowsAt.apply(x, places)  # pyright: ignore[reportReturnType]


class _RowsAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, places):  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(places)
        ctx.shape = x.shape
        return x.index_select(0, places)

    @staticmethod
    def backward(ctx, gradient):  # pyright: ignore[reportIncompatibleMethodOverride]
        (places,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.shape).index_copy_(0, places, gradient), None


def swiglu(gate_up: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up of [N, 2 M], as [N, M]."""
    if kernels.available(gate_up):
        return _SwiGLU.apply(gate_up)  # pyright: ignore[reportReturnType]
    gate, up = gate_up.chunk(2, dim=-1)
    return functional.silu(gate) * up


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate_up):  # pyright: ignore[reportIncompatibleMethodOverride]
        out = torch.empty((gate_up.shape[0], gate_up.shape[1] // 2), dtype=gate_up.dtype)
        kernels.call("swiglu", gate_up.dtype, *out.shape, gate_up, out)
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    def backward(ctx, dout):  # pyright: ignore[reportIncompatibleMethodOverride]
        (gate_up,) = ctx.saved_tensors
        back = torch.empty_like(gate_up)
        kernels.call("swiglu_backward", gate_up.dtype, *dout.shape, gate_up, dout.contiguous(), back)
        return back


def target_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log sum exp [N] and the logprobs [N, K] of ``targets`` [N, K] under ``logits`` [N, V], float32."""
    if kernels.available(logits):
        normalizers, values = torch.empty(logits.shape[0]), torch.empty(targets.shape)
        kernels.call("target_logprobs", logits.dtype, *logits.shape, targets.shape[1], logits, targets.contiguous(), normalizers, values)
        return normalizers, values
    wide = logits.float()
    normalizers = wide.logsumexp(dim=-1)
    return normalizers, wide.gather(1, targets) - normalizers.unsqueeze(1)


def target_logprobs_backward(logits: torch.Tensor, targets: torch.Tensor, normalizers: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """d loss / d logits [N, V] for ``slopes`` [N, K] = d loss / d logprob; ``logits`` may be overwritten.

    d logprob_k / d logits = onehot(target_k) - softmax(logits).
    """
    if kernels.available(logits, slopes):
        arguments = (logits, targets.contiguous(), normalizers.contiguous(), slopes.contiguous())
        kernels.call("target_logprobs_backward", logits.dtype, *logits.shape, targets.shape[1], *arguments)
        return logits
    back = (logits.float() - normalizers.unsqueeze(1)).exp_().mul_(-slopes.sum(dim=1, keepdim=True))
    return back.scatter_add_(1, targets, slopes).to(logits.dtype)
