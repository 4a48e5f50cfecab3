"""From a checkpoint folder or hub name to a ``Transformer`` and its tokenizer. Knows file layouts; computes nothing."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from idiolect.engine.architecture import read_architecture
from idiolect.engine.transformer import GROUPS, Layer, Transformer
from idiolect.errors import EngineError

__all__ = ["checkpoint_folder", "load_tokenizer", "load_transformer"]

WANTED = ["config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "vocab.json", "merges.txt"]


def checkpoint_folder(name: str) -> Path:
    """The folder of a local checkpoint, or of a hub model (from the hub's cache if it is there)."""
    local = Path(name).expanduser()
    if local.is_dir():
        return local
    if local.exists():
        raise EngineError("is a file, not a model folder", where=name, hint="Name the folder that holds config.json")
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise EngineError("there is no such model folder", where=name, hint="Name a folder with config.json, or a hub model as owner/name")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
    except Exception as error:  # the hub client raises many kinds: network, absent, gated, disk
        reason = (str(error).strip().splitlines() or [""])[0] or type(error).__name__
        raise EngineError(
            f"could not be fetched from the hub: {reason[:200]}", where=name, hint="Check the name and the network, or name a local folder"
        ) from error


class _Tensors:
    """Tensors by name across one or several safetensors files, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "model.safetensors.index.json"
        files = sorted(folder.glob("*.safetensors"))
        if index.is_file():
            try:
                files = [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
            except (ValueError, KeyError, AttributeError) as error:
                raise EngineError("does not list the weight files", where=str(index)) from error
        if not files:
            raise EngineError("holds no *.safetensors", where=str(folder), hint="Convert the checkpoint to safetensors first")
        self.where: dict[str, Any] = {}
        for file in files:
            try:
                handle = safe_open(str(file), framework="pt")
                self.where.update(dict.fromkeys(handle.keys(), handle))
            except (OSError, SafetensorError) as error:
                raise EngineError(f"cannot be read: {error}", where=str(file), hint="Download it again") from error

    def get(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        tensor = self.find(name)
        if tensor is None:
            raise EngineError(f"has no weight {name!r}", where=str(self.folder), hint="The checkpoint is incomplete")
        if tuple(tensor.shape) != shape:
            raise EngineError(f"has {name!r} of shape {tuple(tensor.shape)}, where config.json means {shape}", where=str(self.folder))
        return tensor

    def find(self, name: str) -> torch.Tensor | None:
        return self.where[name].get_tensor(name) if name in self.where else None


def load_transformer(folder: Path, device: torch.device, dtype: torch.dtype) -> Transformer:
    """Load base weights. Raises ``EngineError`` for anything that is no complete checkpoint of a known family."""
    a = read_architecture(folder)
    tensors = _Tensors(folder)

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(device, dtype).contiguous()

    def wide(norm: torch.Tensor) -> torch.Tensor:
        return norm.to(device, torch.float32).contiguous()

    shapes = {
        "qkv": ([a.heads * a.head_size] + [a.kv_heads * a.head_size] * 2, a.hidden),
        "o": ([a.hidden], a.heads * a.head_size),
        "gate_up": ([a.mlp] * 2, a.hidden),
        "down": ([a.hidden], a.mlp),
    }
    layers: list[Layer] = []
    for index in range(a.layers):
        prefix = f"model.layers.{index}."
        weights: dict[str, torch.Tensor] = {}
        biases: dict[str, torch.Tensor | None] = {}
        for group, parts in GROUPS.items():
            outs, width = shapes[group]
            rows = [tensors.get(f"{prefix}{part}.weight", (out, width)) for part, out in zip(parts, outs, strict=True)]
            weights[group] = moved(torch.cat(rows))
            found = [tensors.find(f"{prefix}{part}.bias") for part in parts]
            biases[group] = moved(torch.cat([b for b in found if b is not None])) if all(b is not None for b in found) else None
        norms = (tensors.get(f"{prefix}{name}.weight", (a.hidden,)) for name in ("input_layernorm", "post_attention_layernorm"))
        input_norm, mlp_norm = (wide(norm) for norm in norms)
        qk_norm = None
        if a.qk_norm:
            q_norm, k_norm = (tensors.get(f"{prefix}self_attn.{name}.weight", (a.head_size,)) for name in ("q_norm", "k_norm"))
            qk_norm = wide(torch.cat((q_norm.expand(a.heads, -1), k_norm.expand(a.kv_heads, -1))))
        layers.append(Layer(weights, biases, input_norm, mlp_norm, qk_norm))
    embedding = moved(tensors.get("model.embed_tokens.weight", (a.vocabulary, a.hidden)))
    norm = wide(tensors.get("model.norm.weight", (a.hidden,)))
    head = embedding if a.tied else moved(tensors.get("lm_head.weight", (a.vocabulary, a.hidden)))
    return Transformer(a, layers, embedding, norm, head)


class TextDecoder:
    """Tokens to text, for stop strings only; special tokens are kept, since they may be what stops."""

    def __init__(self, folder: Path) -> None:
        self._fast: Any = None
        self._slow: Any = None
        if (folder / "tokenizer.json").is_file():
            from tokenizers import Tokenizer

            self._fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from transformers import AutoTokenizer

                self._slow = AutoTokenizer.from_pretrained(str(folder))

    def __call__(self, tokens: list[int]) -> str:
        decoder = self._fast if self._fast is not None else self._slow
        return decoder.decode(tokens, skip_special_tokens=False)


def load_tokenizer(folder: Path) -> TextDecoder:
    try:
        return TextDecoder(folder)
    except Exception as error:  # the tokenizer libraries raise bare Exception
        raise EngineError(f"has no tokenizer that can be read: {str(error)[:200]}", where=str(folder)) from error
