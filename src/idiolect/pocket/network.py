"""The pocket model's network for training: Qwen3's architecture in plain torch, and its export for transformers.

Knows tensors and the checkpoint format. Knows nothing of text. The engine, not this module, runs the shipped model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from idiolect.errors import InputError
from idiolect.workspace import write_json

__all__ = ["Network", "Shape", "export", "prime_copying", "restore"]

_EMBEDDING_SCALE = 0.3


@dataclass(frozen=True)
class Shape:
    """The architecture's sizes."""

    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 64
    mlp: int = 768
    rope_theta: float = 100_000.0
    context: int = 2048


class Layer(nn.Module):
    """One decoder layer; q, k, v and gate, up are fused, which the small matrices gain from."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.heads * shape.head_size
        self.attention_norm = nn.Parameter(torch.ones(shape.hidden))
        self.mlp_norm = nn.Parameter(torch.ones(shape.hidden))
        self.q_norm = nn.Parameter(torch.ones(shape.head_size))
        self.k_norm = nn.Parameter(torch.ones(shape.head_size))
        self.qkv = nn.Parameter(torch.empty(width + 2 * shape.kv_heads * shape.head_size, shape.hidden))
        self.out = nn.Parameter(torch.empty(shape.hidden, width))
        self.gate_up = nn.Parameter(torch.empty(2 * shape.mlp, shape.hidden))
        self.down = nn.Parameter(torch.empty(shape.hidden, shape.mlp))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        shape, (rows, length, _) = self.shape, x.shape
        q, k, v = functional.linear(_norm(x, self.attention_norm), self.qkv).split(
            [shape.heads * shape.head_size, shape.kv_heads * shape.head_size, shape.kv_heads * shape.head_size], dim=-1
        )
        q = _rotate(_norm(q.view(rows, length, shape.heads, -1), self.q_norm), cos, sin).transpose(1, 2)
        k = _rotate(_norm(k.view(rows, length, shape.kv_heads, -1), self.k_norm), cos, sin).transpose(1, 2)
        v = v.view(rows, length, shape.kv_heads, -1).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + functional.linear(mixed.transpose(1, 2).reshape(rows, length, -1), self.out)
        gate, up = functional.linear(_norm(x, self.mlp_norm), self.gate_up).chunk(2, dim=-1)
        return x + functional.linear(functional.silu(gate) * up, self.down)


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), 1e-6)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Network(nn.Module):
    """Tokens (rows, length) to the hidden states that ``embedding`` turns into logits. Rows are right-padded conversations."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary, shape.hidden))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.final_norm = nn.Parameter(torch.ones(shape.hidden))
        frequencies = shape.rope_theta ** -(torch.arange(0, shape.head_size, 2) / shape.head_size)
        angles = torch.outer(torch.arange(shape.context), frequencies).repeat(1, 2)[:, None, :]
        self.cos, self.sin = angles.cos(), angles.sin()
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.embedding, std=_EMBEDDING_SCALE, generator=generator)
        # The embedding is also the output layer: a small gain keeps the first logits near zero.
        nn.init.constant_(self.final_norm, 0.03)
        for layer in self.decoder:
            nn.init.normal_(layer.qkv, std=0.5 / math.sqrt(shape.hidden), generator=generator)
            nn.init.normal_(layer.gate_up, std=0.5 / math.sqrt(shape.hidden), generator=generator)
            nn.init.zeros_(layer.out)
            nn.init.zeros_(layer.down)
        prime_copying(self, generator)

    @property
    def decoder(self) -> list[Layer]:
        return cast("list[Layer]", list(self.layers))

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = functional.embedding(tokens, self.embedding)
        for layer in self.decoder:
            x = layer(x, self.cos[:length], self.sin[:length])
        return _norm(x, self.final_norm)

    def loss(self, tokens: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean of -log p over the target positions that carry weight; only those get logits."""
        learnt = weights > 0
        logits = functional.linear(self(tokens)[learnt], self.embedding)
        losses = functional.cross_entropy(logits, targets[learnt], reduction="none")
        return (losses * weights[learnt]).sum() / weights[learnt].sum()


@torch.no_grad()
def prime_copying(network: Network, generator: torch.Generator) -> None:
    """Set one head to look at the previous token and one, a layer above, to find what followed the current token before.

    Together they are an induction head (Olsson et al., 2022), the circuit that copies unseen names; found by gradient
    descent alone it costs a small model most of a CPU's training budget. Everything stays trainable.
    """
    shape = network.shape
    size, half, code = shape.head_size, shape.head_size // 2, shape.head_size
    content, constant = shape.hidden - code - 1, shape.hidden - code - 1
    keys, values = shape.heads * size, (shape.heads + shape.kv_heads) * size
    # The residual stream: the token's own code, one constant channel, and room for the previous token's code.
    network.embedding[:, constant] = 8 * _EMBEDDING_SCALE
    network.embedding[:, constant + 1 :] = 0
    basis = torch.linalg.qr(torch.randn(content, code, generator=generator)).Q.T
    frequencies = shape.rope_theta ** -(torch.arange(half) * 2 / size)

    previous, induction = network.decoder[0], network.decoder[1]
    fast = torch.arange(4)
    previous.qkv[:size] = 0
    previous.qkv[keys : keys + size] = 0
    previous.qkv[fast, constant] = torch.cos(frequencies[fast])
    previous.qkv[fast + half, constant] = -torch.sin(frequencies[fast])
    previous.qkv[keys + fast, constant] = 1.0
    previous.q_norm.fill_(2.0)
    previous.k_norm.fill_(2.0)
    previous.qkv[values : values + size] = 0
    previous.qkv[values : values + size, :content] = basis
    previous.out[constant + 1 :, :size] = torch.eye(size) * _EMBEDDING_SCALE

    # Only slow rotary dimensions compare codes, so that distance hardly matters.
    slow = torch.cat([torch.arange(half // 2, half), torch.arange(half // 2, half) + half])
    induction.qkv[:size] = 0
    induction.qkv[keys : keys + size] = 0
    induction.qkv[slow, :content] = basis[: len(slow)]
    induction.qkv[keys + slow, constant + 1 : constant + 1 + len(slow)] = torch.eye(len(slow))
    induction.q_norm.fill_(1.4)
    induction.k_norm.fill_(1.4)
    copied = torch.linalg.qr(torch.randn(content, size, generator=generator)).Q.T
    induction.qkv[values : values + size] = 0
    induction.qkv[values : values + size, :content] = copied
    induction.out[:content, :size] = copied.T * 2 * _EMBEDDING_SCALE


def _named(network: Network) -> dict[str, Tensor]:
    """Views of the network's tensors under transformers' Qwen3 names."""
    shape, state = network.shape, {}
    state["model.embed_tokens.weight"] = network.embedding
    state["model.norm.weight"] = network.final_norm
    widths = [shape.heads * shape.head_size, shape.kv_heads * shape.head_size, shape.kv_heads * shape.head_size]
    for index, layer in enumerate(network.decoder):
        head = f"model.layers.{index}."
        state[head + "input_layernorm.weight"] = layer.attention_norm
        state[head + "post_attention_layernorm.weight"] = layer.mlp_norm
        state[head + "self_attn.q_norm.weight"] = layer.q_norm
        state[head + "self_attn.k_norm.weight"] = layer.k_norm
        for name, weight in zip(("q_proj", "k_proj", "v_proj"), layer.qkv.split(widths), strict=True):
            state[f"{head}self_attn.{name}.weight"] = weight
        state[head + "self_attn.o_proj.weight"] = layer.out
        for name, weight in zip(("gate_proj", "up_proj"), layer.gate_up.chunk(2), strict=True):
            state[f"{head}mlp.{name}.weight"] = weight
        state[head + "mlp.down_proj.weight"] = layer.down
    return state


@torch.no_grad()
def restore(network: Network, folder: Path) -> None:
    """Read what ``export`` wrote. Raises ``InputError`` for a model of another shape."""
    saved, named = load_file(folder / "model.safetensors"), _named(network)
    if {name: tensor.shape for name, tensor in saved.items()} != {name: tensor.shape for name, tensor in named.items()}:
        raise InputError("is a model of another shape", where=str(folder), hint="Start from a model that this training exported")
    for name, tensor in named.items():
        tensor.copy_(saved[name])


def export(network: Network, folder: Path, eos: int) -> None:
    """Write ``config.json`` and ``model.safetensors`` under transformers' Qwen3 names."""
    shape, state = network.shape, _named(network)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    write_json(
        folder / "config.json",
        {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.hidden,
            "intermediate_size": shape.mlp,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_size,
            "hidden_act": "silu",
            "max_position_embeddings": shape.context,
            "rms_norm_eps": 1e-6,
            "rope_theta": shape.rope_theta,
            "tie_word_embeddings": True,
            "attention_bias": False,
            "use_sliding_window": False,
            "eos_token_id": eos,
            "pad_token_id": 0,
            "torch_dtype": "float32",
        },
    )
