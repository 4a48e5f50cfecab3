"""What a checkpoint's ``config.json`` says: shapes, position encoding, end tokens. Knows nothing of the weights' values."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from idiolect.errors import EngineError

__all__ = ["Architecture", "read_architecture"]

FAMILIES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}


@dataclass(frozen=True)
class Architecture:
    """Shapes of a decoder of the Qwen2, Qwen3 or Llama family; all counts in units, not bytes."""

    family: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    norm_eps: float
    context: int
    tied: bool
    qk_norm: bool
    rope: dict[str, Any]
    end_tokens: tuple[int, ...]

    def inverse_frequencies(self) -> torch.Tensor:
        """The rotary angles a position, shape [head_size / 2], float32, with Llama 3's or linear scaling where configured."""
        exponents = torch.arange(0, self.head_size, 2, dtype=torch.int64).float() / self.head_size
        inverse = 1.0 / (float(self.rope.get("rope_theta", 10000.0)) ** exponents)
        kind = self.rope.get("rope_type", self.rope.get("type", "default"))
        if kind == "linear":
            return inverse / float(self.rope["factor"])
        if kind == "llama3":
            return _llama3_scaled(inverse, self.rope)
        return inverse


def _llama3_scaled(inverse: torch.Tensor, rope: dict[str, Any]) -> torch.Tensor:
    """Llama 3.1's scaling: long wavelengths are stretched by ``factor``, short ones kept, those between blended."""
    factor, low, high = float(rope["factor"]), float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    old_context = float(rope["original_max_position_embeddings"])
    wavelength = 2 * math.pi / inverse
    blend = (old_context / wavelength - low) / (high - low)
    middle = (1 - blend) * inverse / factor + blend * inverse
    scaled = torch.where(wavelength > old_context / low, inverse / factor, middle)
    return torch.where(wavelength < old_context / high, inverse, scaled)


def read_architecture(folder: Path) -> Architecture:
    """Read ``config.json`` (and ``generation_config.json`` for end tokens). Raises ``EngineError`` for what cannot be run."""
    config = _read_json(folder / "config.json")
    family = config.get("model_type")
    if family not in FAMILIES:
        raise EngineError(
            f"holds a model of type {family!r}", where=str(folder), hint=f"The engine runs these types: {', '.join(sorted(FAMILIES))}"
        )
    if config.get("use_sliding_window") or "sliding_attention" in (config.get("layer_types") or ()):
        raise EngineError("uses sliding-window attention, which the engine does not run", where=str(folder), hint="Choose another model")
    if config.get("hidden_act", "silu") != "silu":
        raise EngineError(f"uses the activation {config['hidden_act']!r}, which the engine does not run", where=str(folder))
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    rope.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "linear", "llama3"):
        raise EngineError(
            f"scales positions by {kind!r}", where=str(folder / "config.json"), hint="The engine runs default, linear and llama3"
        )
    try:
        heads = int(config["num_attention_heads"])
        return Architecture(
            family=family,
            vocabulary=int(config["vocab_size"]),
            hidden=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_size=int(config.get("head_dim") or config["hidden_size"] // heads),
            mlp=int(config["intermediate_size"]),
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            context=int(config.get("max_position_embeddings", 2048)),
            tied=bool(config.get("tie_word_embeddings", False)),
            qk_norm=family == "qwen3",
            rope=rope,
            end_tokens=_end_tokens(folder, config),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"lacks or garbles a model setting ({error})", where=str(folder / "config.json")) from error


def _end_tokens(folder: Path, config: dict[str, Any]) -> tuple[int, ...]:
    found: list[int] = []
    sources = [config]
    if (folder / "generation_config.json").is_file():
        sources.insert(0, _read_json(folder / "generation_config.json"))
    for source in sources:
        value = source.get("eos_token_id")
        found += value if isinstance(value, list) else [value] if isinstance(value, int) else []
    return tuple(dict.fromkeys(int(token) for token in found))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = "Name a folder with config.json, *.safetensors and tokenizer.json, or a model on the hub"
        raise EngineError(f"is no model folder: it has no {path.name}", where=str(path.parent), hint=hint) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EngineError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(value, dict):
        raise EngineError("does not hold a JSON object", where=str(path))
    return value
