"""Adapters that peft trained elsewhere, brought into our form as checkpoints to sample from and to train on. Knows no requests.

Our adapters have one rank, one scale and whole groups of projections. A foreign one is brought there without changing what it
computes: smaller ranks are filled with zeros, B takes up the difference in scale, and projections it does not cover get A = B = 0.
Gradients of such zeros are zero, so training goes on with exactly the parts that the adapter has.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.lora import HEAD, Adapter, AdapterShape
from idiolect.engine.places import NAME
from idiolect.engine.training import TrainedModel
from idiolect.engine.transformer import GROUPS, Transformer
from idiolect.errors import InputError

__all__ = ["base_of", "import_adapter", "read_adapter"]

PREFIX = "base_model.model."
UNKNOWN = {"use_dora": False, "lora_bias": False, "fan_in_fan_out": False, "modules_to_save": None, "trainable_token_indices": None}
"""Settings of peft that change what an adapter computes, and the only values we can follow."""

STARTS = (None, True, False, "gaussian", "orthogonal", "eva")
"""peft's ways to begin an adapter that leave the base model as it is."""


def import_adapter(store: Checkpoints, folder: Path, name: str, base: str, model: Transformer) -> Place:
    """Make the adapter in ``folder`` the checkpoint ``tinker://<name>/weights/imported``, an earlier one of that name giving way.

    Raises ``InputError`` for what is no LoRA adapter of ``model``, or has parts that ours cannot have.
    """
    if not NAME.fullmatch(name) or "." in name:
        raise InputError(f"{name[:80]!r} is no name for an adapter", hint="Use letters, digits, dashes and underscores")
    adapter = read_adapter(folder, model)
    place = Place.made(name, "weights", "imported")
    facts = {"session": None, "project": None, "base_model": base, "created": datetime.now(UTC).isoformat(), "rank": adapter.shape.rank}
    store.start_run(name, {**facts, "user_metadata": {"imported_from": str(folder)}})
    store.save(place, TrainedModel(adapter), base, overwrite=True, ttl=None, metadata=None)
    return place


def base_of(folder: Path) -> str:
    """The base model that an adapter's settings name; empty if none."""
    return str(_config(folder).get("base_model_name_or_path") or "")


def read_adapter(folder: Path, model: Transformer) -> Adapter:
    """The adapter that peft saved in ``folder``, in our form. Raises ``InputError``."""
    config = _config(folder)
    tensors = _tensors(folder, model)
    parts = sorted({name.rsplit(".lora_", 1)[0] for name in tensors})
    shape = _shape(tensors, parts, folder, model)
    adapter = Adapter.zeros(model, shape)
    for part in parts:
        if f"{part}.lora_A" not in adapter.places:
            raise InputError(f"covers {part}, which the engine's adapters do not", where=str(folder))
        a, b = (tensors.get(f"{part}.lora_{letter}.weight") for letter in "AB")
        if a is None or b is None:
            raise InputError(f"holds only one of the two matrices of {part}", where=str(folder))
        own_a, own_b = adapter.part(f"{part}.lora_A"), adapter.part(f"{part}.lora_B")
        rank = a.shape[0]
        if tuple(a.shape) != (rank, own_a.shape[1]) or tuple(b.shape) != (own_b.shape[0], rank):
            raise InputError(f"does not fit this base model: {part} has the shapes {list(a.shape)} and {list(b.shape)}", where=str(folder))
        own_a[:rank].copy_(a)
        own_b[:, :rank].copy_(b.float() * (_scale(config, part, rank) / shape.scale))
    if not torch.isfinite(adapter.flat).all():
        raise InputError("holds numbers that are not finite", where=str(folder))
    return adapter


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if config["peft_type"] != "LORA":
            raise InputError(f"is an adapter of type {config['peft_type']!r}", where=str(path), hint="The engine takes LoRA adapters")
        config["lora_alpha"] = float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "Name the folder that peft's save_pretrained wrote"
        raise InputError(f"is no adapter's settings: {type(error).__name__} {error}", where=str(path), hint=hint) from error
    for key, only in UNKNOWN.items():
        if config.get(key) not in (None, only, [], {}):
            raise InputError(f"uses {key}, which the engine does not follow", where=str(path), hint="Merge it, or train without it")
    if config.get("init_lora_weights", True) not in STARTS:
        raise InputError(
            f"was begun as {config['init_lora_weights']!r}, which changes the base model too",
            where=str(path),
            hint="Convert it with peft: save_pretrained(..., path_initial_model_for_weight_conversion=...)",
        )
    if config.get("bias", "none") != "none":
        raise InputError("trains biases, which the engine does not follow", where=str(path))
    return config


def _tensors(folder: Path, model: Transformer) -> dict[str, torch.Tensor]:
    """A and B by our names with ".weight" behind them."""
    path = folder / "adapter_model.safetensors"
    try:
        held = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), hint="Save the adapter as safetensors") from error
    found = {}
    for name, tensor in held.items():
        short = name.removeprefix(PREFIX)
        if short in (f"{HEAD}.weight", f"{HEAD}.base_layer.weight", "model.embed_tokens.weight"):
            # peft adds the base's embeddings when the head is covered; trained ones would be lost here.
            original = model.embedding if "embed" in short else model.head
            if tensor.shape == original.shape and torch.equal(tensor.to(original), original):
                continue
        if not re.fullmatch(r".+\.lora_[AB]\.weight", short):
            raise InputError(f"holds {name}, which the engine's adapters do not", where=str(path))
        found[short] = tensor
    if not found:
        raise InputError("holds no adapter", where=str(path))
    return found


def _shape(tensors: dict[str, torch.Tensor], parts: list[str], folder: Path, model: Transformer) -> AdapterShape:
    ranks = [tensor.shape[0] for name, tensor in tensors.items() if name.endswith("lora_A.weight") and tensor.ndim == 2]
    rank = max(ranks, default=0)
    if not 1 <= rank <= min(1024, 4 * model.architecture.hidden):
        raise InputError(f"has rank {rank}", where=str(folder), hint="The engine takes ranks of 1 to 1024")
    ends = {group: tuple(GROUPS[group]) for group in GROUPS}

    def covers(*groups: str) -> bool:
        return any(part.endswith(ends[group]) for part in parts for group in groups)

    return AdapterShape(rank, covers("qkv", "o"), covers("gate_up", "down"), HEAD in parts)


def _scale(config: dict[str, Any], part: str, rank: int) -> float:
    """What peft multiplies B A x by: alpha / r, or alpha / sqrt(r) of rank-stabilized LoRA (Kalajdzievski 2023)."""
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", part):
            alpha = float(value)
            break
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
