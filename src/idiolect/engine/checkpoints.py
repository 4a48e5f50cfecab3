"""Checkpoints on disk: adapters in peft's layout, optimizer moments beside them, all safetensors. Knows paths and files only.

STATE/<run>/run.json                         what the run is
STATE/<run>/weights/<name>/                  adapter_model.safetensors, adapter_config.json, optimizer.safetensors, checkpoint.json
STATE/<run>/sampler_weights/<name>/          the same without the optimizer

A folder is filled under a temporary name and then renamed, so a name either holds a whole checkpoint or does not exist.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from idiolect.engine.lora import ALPHA, HEAD, Adapter, AdapterShape
from idiolect.engine.training import TrainedModel
from idiolect.engine.transformer import GROUPS, Transformer
from idiolect.errors import InputError

__all__ = ["Checkpoints", "Place"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,127}")
KINDS = {"weights": "training", "sampler_weights": "sampler"}


@dataclass(frozen=True)
class Place:
    """``tinker://run/kind/name``. Only made from checked parts, so it never leaves the state folder."""

    run: str
    kind: str
    name: str

    @classmethod
    def made(cls, run: str, kind: str, name: str) -> Place:
        if not RUN.fullmatch(run) or kind not in KINDS or not NAME.fullmatch(name):
            raise InputError(
                f"{name[:80]!r} is no name for a checkpoint of {kind[:40]!r}",
                hint="Use up to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
            )
        return cls(run, kind, name)

    @classmethod
    def parsed(cls, path: str) -> Place:
        parts = path[len("tinker://") :].split("/") if path.startswith("tinker://") else []
        if len(parts) != 3:
            raise InputError(f"{path[:200]!r} is no checkpoint path", hint="It reads tinker://run/weights/name")
        return cls.made(*parts)

    def __str__(self) -> str:
        return f"tinker://{self.run}/{self.kind}/{self.name}"


class Checkpoints:
    def __init__(self, state: Path) -> None:
        self.state = state
        try:
            state.mkdir(parents=True, exist_ok=True)
            for leftover in state.glob("*/*/.new-*"):
                shutil.rmtree(leftover, ignore_errors=True)
        except OSError as error:
            raise InputError(f"cannot hold checkpoints: {error.strerror}", where=str(state), hint="Name another --state folder") from error

    def folder(self, place: Place) -> Path:
        # A colon is no character for a file name everywhere; run names hold no "=" otherwise.
        return self.state / place.run.replace(":", "=") / place.kind / place.name

    def exists(self, place: Place) -> bool:
        return (self.folder(place) / "checkpoint.json").is_file()

    def start_run(self, run: str, facts: dict[str, Any]) -> None:
        folder = self.state / run.replace(":", "=")
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / ".run.json"
        temporary.write_text(json.dumps({"run": run, **facts}, indent=2))
        temporary.replace(folder / "run.json")

    def run(self, run: str) -> dict[str, Any]:
        path = self.state / run.replace(":", "=") / "run.json"
        if not RUN.fullmatch(run) or not path.is_file():
            raise InputError(f"there is no training run {run[:128]!r}")
        return json.loads(path.read_text())

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        found = [json.loads(path.read_text()) for path in self.state.glob("*/run.json")]
        return sorted(found, key=lambda run: run["created"], reverse=True)

    def save(
        self, place: Place, model: TrainedModel, base: str, *, overwrite: bool, ttl: int | None, metadata: dict[str, str] | None
    ) -> None:
        """Write a checkpoint (with the optimizer if ``place`` is for training). Raises ``InputError`` if the name is taken."""
        target = self.folder(place)
        if self.exists(place) and not overwrite:
            raise InputError(f"{place} exists already", hint="Choose another name, or save with overwrite=True")
        now = datetime.now(UTC)
        facts = {
            "path": str(place),
            "base_model": base,
            "rank": model.adapter.shape.rank,
            "train_attn": model.adapter.shape.attention,
            "train_mlp": model.adapter.shape.mlp,
            "train_unembed": model.adapter.shape.unembed,
            "steps": model.steps,
            "gradient": bool(model.gradient.any()),
            "time": now.isoformat(),
            "expires": (now + timedelta(seconds=ttl)).isoformat() if ttl else None,
            "user_metadata": metadata,
        }
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
            try:
                _write(new, model, facts, optimizer=place.kind == "weights")
                if target.exists():
                    old = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
                    target.rename(old / "old")
                    new.rename(target)
                    shutil.rmtree(old, ignore_errors=True)
                else:
                    new.rename(target)
            finally:
                shutil.rmtree(new, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{place} could not be written: {error}", hint="Free some space on the engine's disk") from error

    def facts(self, place: Place) -> dict[str, Any]:
        path = self.folder(place) / "checkpoint.json"
        if not path.is_file():
            raise InputError(f"there is no checkpoint {place}", hint="Check the path and the engine's --state folder")
        facts = json.loads(path.read_text())
        if facts["expires"] and datetime.fromisoformat(facts["expires"]) < datetime.now(UTC):
            raise InputError(f"the checkpoint {place} has expired")
        return facts

    def size(self, place: Place) -> int:
        return sum(file.stat().st_size for file in self.folder(place).iterdir())

    def of_run(self, run: str) -> list[Place]:
        """A run's checkpoints, oldest first."""
        found = []
        for kind in KINDS:
            for path in (self.state / run.replace(":", "=") / kind).glob("[!.]*/checkpoint.json"):
                found.append((path.stat().st_mtime_ns, Place(run, kind, path.parent.name)))
        return [place for _, place in sorted(found, key=lambda pair: pair[0])]

    def delete(self, place: Place) -> None:
        if not self.exists(place):
            raise InputError(f"there is no checkpoint {place}")
        old = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder(place).parent))
        self.folder(place).rename(old / "old")
        shutil.rmtree(old, ignore_errors=True)

    def load_adapter(self, place: Place, model: Transformer) -> Adapter:
        facts = self.facts(place)
        shape = AdapterShape(facts["rank"], facts["train_attn"], facts["train_mlp"], facts["train_unembed"])
        adapter = Adapter.zeros(model, shape)
        _read(self.folder(place) / "adapter_model.safetensors", adapter.named())
        return adapter

    def load_optimizer(self, place: Place, model: TrainedModel) -> None:
        """Fill the moments, the step count and the gradient gathered so far. Raises ``InputError`` if the checkpoint has none."""
        path = self.folder(place) / "optimizer.safetensors"
        if not path.is_file():
            raise InputError(f"{place} holds no optimizer state", hint="Load it without the optimizer, or name a weights checkpoint")
        facts = self.facts(place)
        _read(path, _optimizer(model, gradient=facts.get("gradient", False)))
        model.steps = int(facts["steps"])


def _write(folder: Path, model: TrainedModel, facts: dict[str, Any], *, optimizer: bool) -> None:
    adapter = model.adapter
    _save(adapter.named(), folder / "adapter_model.safetensors")
    if optimizer:
        _save(_optimizer(model, gradient=facts["gradient"]), folder / "optimizer.safetensors")
    modules = [part.rsplit(".", 1)[1] for group in adapter.shape.groups() for part in GROUPS[group]]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": facts["base_model"],
        "r": adapter.shape.rank,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": modules + ([HEAD] if adapter.shape.unembed else []),
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))
    (folder / "checkpoint.json").write_text(json.dumps(facts, indent=2))


def _optimizer(model: TrainedModel, *, gradient: bool) -> dict[str, torch.Tensor]:
    """The parts of the optimizer's state by name; the gradient only where some is gathered, as between steps there is none."""
    kinds = ("mean", "square", "gradient") if gradient else ("mean", "square")
    return {f"{kind}.{name}": part for kind in kinds for name, part in model.adapter.named(getattr(model, kind)).items()}


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    # Copies: safetensors refuses views that share memory.
    save_file({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, str(path), metadata={"format": "pt"})


def _read(path: Path, wanted: dict[str, torch.Tensor]) -> None:
    try:
        held = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    for name, target in wanted.items():
        if name not in held or held[name].shape != target.shape:
            raise InputError(f"{path.parent.name}/{path.name} does not fit this base model ({name})")
        target.copy_(held[name])
