"""A model as GGUF, the one file that llama.cpp and Ollama load: settings, tokenizer, chat template and weights.

Knows that format through the ``gguf`` package, for the architectures qwen2, qwen3 and llama with byte-level BPE. Weights keep the
base's precision.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Regex, Tokenizer, pre_tokenizers

from idiolect.errors import InputError
from idiolect.export.merge import Merged, model_config
from idiolect.export.prompt import ChatForm

__all__ = ["pre_tokenizer", "write_gguf"]

_ARCHITECTURES = ("qwen2", "qwen3", "llama")
_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
_TYPES = {
    torch.float32: (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    torch.float16: (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    torch.bfloat16: (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PIECES = {
    "qwen2": rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}",
    "llama-bpe": rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}",
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}
"""llama.cpp knows ways to cut text into words by name only: name -> its pattern."""


def write_gguf(path: Path, base: Path, merged: Merged, form: ChatForm, *, name: str, probes: Sequence[str]) -> None:
    """Write the model to ``path``. ``probes`` are texts on which llama.cpp must see the same tokens.

    Raises ``InputError`` for a model or tokenizer that llama.cpp would not read as we do.
    """
    config = model_config(base)
    kind = str(config.get("model_type"))
    if kind not in _ARCHITECTURES:
        said = f"GGUF is written for {', '.join(_ARCHITECTURES)}, not for {kind!r}"
        raise InputError(said, where=str(base / "config.json"), hint="Export with --format merged and use llama.cpp's own converter")
    writer = gguf.GGUFWriter(path, kind)
    _settings(writer, config, name)
    _vocabulary(writer, base, int(config["vocab_size"]), form, probes)
    dtype = merged.tensor(merged.names[0]).dtype
    if dtype not in _TYPES:
        raise InputError(f"weights of {dtype} are not written as GGUF", where=str(base))
    writer.add_file_type(_TYPES[dtype][1])
    rope = _rope_factors(config)
    extra = {} if rope is None else {"rope_freqs.weight": torch.from_numpy(rope)}
    names = {source: _renamed(source) for source in merged.names}
    for source, target in names.items():
        _announce(writer, target, merged.shape(source), _kept(target, dtype))
    for target, tensor in extra.items():
        _announce(writer, target, list(tensor.shape), torch.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for source, target in names.items():
        writer.write_tensor_data(_bytes(_turned(merged.tensor(source), source, config).to(_kept(target, dtype))))
    for tensor in extra.values():
        writer.write_tensor_data(_bytes(tensor))
    writer.close()


def _settings(writer: gguf.GGUFWriter, config: dict[str, Any], name: str) -> None:
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "linear", "llama3"):
        raise InputError(f"scales positions by {kind!r}, which is not written as GGUF", where="config.json, field rope_scaling")
    if config.get("use_sliding_window"):
        raise InputError("uses sliding-window attention, which is not written as GGUF", where="config.json, field use_sliding_window")
    writer.add_name(name)
    writer.add_context_length(int(config.get("max_position_embeddings", 2048)))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    writer.add_vocab_size(int(config["vocab_size"]))
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))


def _vocabulary(writer: gguf.GGUFWriter, base: Path, size: int, form: ChatForm, probes: Sequence[str]) -> None:
    path = base / "tokenizer.json"
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    model = held.get("model", {})
    if model.get("type") != "BPE" or "ByteLevel" not in json.dumps(held.get("pre_tokenizer")):
        raise InputError("holds no byte-level BPE, the only tokenizer that is written as GGUF", where=str(path))
    kind = pre_tokenizer(path, probes)
    tokens = {number: (piece, gguf.TokenType.NORMAL) for piece, number in model["vocab"].items()}
    for added in held.get("added_tokens", []):
        tokens[added["id"]] = (added["content"], gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED)
    listed = [tokens.get(number, (f"[PAD{number}]", gguf.TokenType.UNUSED)) for number in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.add_token_list([piece for piece, _ in listed])
    writer.add_token_types([kind for _, kind in listed])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_chat_template(form.template)
    numbers = {piece: number for number, (piece, _) in tokens.items()}
    settings = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))

    def named(which: str) -> int | None:
        value = settings.get(which)
        return numbers.get(value.get("content") if isinstance(value, dict) else value)

    # The chat's end mark ends a draft, whatever the base model calls its end.
    end = next((numbers[stop] for stop in form.stop if stop in numbers), named("eos_token"))
    if end is not None:
        writer.add_eos_token_id(end)
    if (pad := named("pad_token")) is not None:
        writer.add_pad_token_id(pad)
    begin = named("bos_token")
    if begin is not None:
        writer.add_bos_token_id(begin)
    first = Tokenizer.from_file(str(path)).encode("a").ids[:1]
    writer.add_add_bos_token(begin is not None and first == [begin])


def pre_tokenizer(path: Path, probes: Sequence[str]) -> str:
    """llama.cpp's name for the way in which a tokenizer cuts text into words.

    A pattern that it does not know may still be one of those in effect: pieces that our words never hold together are never merged,
    so coarser words give the same tokens. That is tried on ``probes``; raises ``InputError`` where none gives the same.
    """
    tokenizer = Tokenizer.from_file(str(path))
    text = json.dumps(json.loads(path.read_text(encoding="utf-8"))["pre_tokenizer"])
    patterns = {json.loads(f'"{pattern}"') for pattern in re.findall(r'"Regex": "((?:[^"\\]|\\.)*)"', text)}
    if not patterns and '"use_regex": true' in text:
        return "gpt-2"
    for name, pattern in _PIECES.items():
        if pattern in patterns:
            return name
    wanted = [tokenizer.encode(text, add_special_tokens=False).ids for text in probes]
    for name, pattern in _PIECES.items():
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        if [tokenizer.encode(text, add_special_tokens=False).ids for text in probes] == wanted:
            return name
    hint = "Export with --format merged instead"
    raise InputError("cuts text into words in a way that llama.cpp does not know", where=str(path), hint=hint)


def _renamed(name: str) -> str:
    match = re.fullmatch(r"(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)", name)
    target = _NAMES.get(match[2]) if match else None
    if match is None or target is None:
        raise InputError(f"holds {name}, which is not written as GGUF", where="the base model")
    return f"{f'blk.{match[1]}.' if match[1] else ''}{target}.{match[3]}"


def _turned(tensor: torch.Tensor, name: str, config: dict[str, Any]) -> torch.Tensor:
    """Llama's query and key rows in llama.cpp's order: a position turns neighbouring numbers there, and halves of a head here."""
    part = re.search(r"\.(q|k)_proj\.", name)
    if config["model_type"] != "llama" or part is None:
        return tensor
    heads = int(config["num_attention_heads"])
    heads = heads if part[1] == "q" else int(config.get("num_key_value_heads") or heads)
    rows = tensor.shape[0]
    return tensor.view(heads, 2, rows // heads // 2, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape).contiguous()


def _rope_factors(config: dict[str, Any]) -> np.ndarray | None:
    """What each frequency is divided by in Llama 3.1's long contexts, [head / 2] float32; None where nothing is scaled so."""
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    if rope.get("rope_type", rope.get("type")) != "llama3":
        return None
    head = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    theta = float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    low, high, factor = float(rope["low_freq_factor"]), float(rope["high_freq_factor"]), float(rope["factor"])
    turns = float(rope["original_max_position_embeddings"]) / (2 * math.pi * theta ** (np.arange(0, head, 2, dtype=np.float64) / head))
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def _kept(target: str, dtype: torch.dtype) -> torch.dtype:
    """Norms and biases are vectors, which llama.cpp wants in float32."""
    return torch.float32 if target.endswith((".bias", "norm.weight")) else dtype


def _announce(writer: gguf.GGUFWriter, name: str, shape: list[int], dtype: torch.dtype) -> None:
    writer.add_tensor_info(name, shape, np.dtype(np.float32), math.prod(shape) * dtype.itemsize, _TYPES[dtype][0])


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    return tensor.contiguous().view(torch.uint8).numpy()
