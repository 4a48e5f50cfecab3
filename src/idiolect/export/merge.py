"""A base model with an adapter added to its weights: W + scale B A (Hu et al. 2021, eq. 3).

Knows checkpoint folders and their tensors. One tensor is in memory at a time, so that large models pass through.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from idiolect.errors import InputError
from idiolect.export.adapter import CONFIG, WEIGHTS, read_config

__all__ = ["Merged", "base_folder", "model_config", "write_merged"]

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
SHARD_BYTES = 4 << 30
_WANTED = ["*.json", "*.safetensors", "tokenizer*", "*.jinja", "merges.txt"]


def base_folder(name: str) -> Path:
    """The folder of a checkpoint, or of a hub model from the hub's cache or the hub. Raises ``InputError``."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(name, allow_patterns=_WANTED))
        except Exception as error:  # the hub client raises many kinds: network, absent, gated, disk
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            hint = "Check the network and the name; a gated model needs HF_TOKEN"
            raise InputError(f"the base model could not be fetched from the hub: {reason}", where=name, hint=hint) from error
    if not list(folder.glob("*.safetensors")):
        raise InputError("holds no *.safetensors", where=str(folder), hint="Name a checkpoint folder with its weights")
    return folder


def model_config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("has no config.json that can be read", where=str(folder), hint="Name a checkpoint folder") from error


class Merged:
    """The tensors of ``base`` plus the adapter in ``adapter`` (None: the base alone), by their names in transformers."""

    def __init__(self, base: Path, adapter: Path | None) -> None:
        self._stack = ExitStack()
        self._files: dict[str, Any] = {}
        try:
            for path in sorted(base.glob("*.safetensors")):
                file = self._stack.enter_context(safe_open(path, "pt"))  # type: ignore[no-untyped-call]
                self._files |= dict.fromkeys(file.keys(), file)
        except (SafetensorError, OSError) as error:
            raise InputError(f"cannot be read: {error}", where=str(base)) from error
        self._pairs = _pairs(adapter) if adapter else {}
        self.untied = HEAD in self._pairs and HEAD not in self._files
        """Whether the adapter changes an unembedding that the base shares with its embedding, so that it becomes a tensor of its own."""
        unknown = sorted(set(self._pairs) - set(self._files) - {HEAD})
        if unknown:
            raise InputError(f"the adapter is for another model: there is no {unknown[0]}", where=str(base))

    def __enter__(self) -> Merged:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def names(self) -> list[str]:
        return [*self._files, *([HEAD] if self.untied else [])]

    def shape(self, name: str) -> list[int]:
        return self._files[self._source(name)].get_slice(self._source(name)).get_shape()

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor in the base's own precision; the sum itself is made in float32."""
        base = self._files[self._source(name)].get_tensor(self._source(name))
        if name not in self._pairs:
            return base
        a, b, scale = self._pairs[name]
        if (b.shape[0], a.shape[1]) != tuple(base.shape):
            raise InputError(f"the adapter is for another model: {name} is {list(base.shape)}, not {[b.shape[0], a.shape[1]]}")
        return torch.addmm(base.float(), b, a, alpha=scale).to(base.dtype)

    def _source(self, name: str) -> str:
        return EMBEDDING if name == HEAD and self.untied else name


def _pairs(folder: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor, float]]:
    """Weight name -> (A [rank, in], B [out, rank], scale), all float32."""
    config = read_config(folder)
    try:
        held = load_file(folder / WEIGHTS)
        scale = float(config["lora_alpha"]) / int(config["r"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"the adapter cannot be read: {error}", where=str(folder / CONFIG)) from error
    found = {}
    for name, a in held.items():
        if name.endswith(".lora_A.weight"):
            b = held[name.replace(".lora_A.", ".lora_B.")]
            found[name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")] = (a.float(), b.float(), scale)
    return found


def write_merged(merged: Merged, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write the tensors as ``model*.safetensors`` of at most ``shard_bytes`` each, with an index where there are several."""
    shards: list[dict[str, str]] = []
    shard: dict[str, torch.Tensor] = {}
    size, total = 0, 0

    def close() -> None:
        file = f"model-{len(shards) + 1:05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        shards.append(dict.fromkeys(shard, file))
        shard.clear()

    for name in merged.names:
        tensor = merged.tensor(name).contiguous()
        if shard and size + tensor.nbytes > shard_bytes:
            close()
            size = 0
        shard[name] = tensor
        size, total = size + tensor.nbytes, total + tensor.nbytes
    close()
    if len(shards) == 1:
        (folder / "model-00001.safetensors").rename(folder / "model.safetensors")
        return
    index = {"metadata": {"total_size": total}, "weight_map": {name: file for shard in shards for name, file in shard.items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
