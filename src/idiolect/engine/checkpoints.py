"""Checkpoints on disk: adapters in peft's layout, optimizer moments beside them, all safetensors. Knows paths and files only.

STATE/<run>/run.json                         what the run is
STATE/<run>/<kind>/<name>/checkpoint.json    what the checkpoint is, and which version of its files counts
STATE/<run>/<kind>/<name>/<version>/         adapter_model.safetensors, adapter_config.json; for kind weights optimizer.safetensors

A version is written whole and synced before checkpoint.json is replaced in one step, so that a name holds its previous checkpoint or
the new one, whenever the engine is killed. What a kill leaves behind is cleared at the next start.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from idiolect.engine.durable import make_folder, sync_folder, write_bytes, write_json, write_tensors
from idiolect.engine.lora import ALPHA, HEAD, Adapter, AdapterShape
from idiolect.engine.places import KINDS, RUN, Place
from idiolect.engine.training import TrainedModel
from idiolect.engine.transformer import GROUPS, Transformer
from idiolect.errors import InputError

__all__ = ["FACTS", "Checkpoints", "Facts", "Place", "adapter_config", "described", "expiry"]

FACTS = "checkpoint.json"
OF_RUN = {"run", "base_model", "created", "rank", "user_metadata"}
OF_CHECKPOINT = {"path", "base_model", "rank", "train_attn", "train_mlp", "train_unembed", "steps", "time", "expires", "user_metadata"}
LONGEST_TTL = 10 * 366 * 24 * 3600

Facts = dict[str, Any]

log = logging.getLogger(__name__)


def expiry(ttl: int | None) -> str | None:
    """When what lives ``ttl`` seconds from now expires; None never does."""
    if ttl is None:
        return None
    if not 0 < ttl <= LONGEST_TTL:
        raise InputError(f"a time to live of {ttl} seconds is not possible", hint="Give 1 second to 10 years, or none")
    return (datetime.now(UTC) + timedelta(seconds=ttl)).isoformat()


def _expired(facts: Facts) -> bool:
    return bool(facts["expires"]) and datetime.fromisoformat(facts["expires"]) < datetime.now(UTC)


def _read_json(path: Path) -> Facts | None:
    """What a run.json or checkpoint.json says; None if it is not there or garbled."""
    needed = OF_CHECKPOINT if path.name == FACTS else OF_RUN
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and needed <= value.keys() else None


class Checkpoints:
    """Called from the event loop's thread and the worker's. Who reads a version's files holds the lock, so that nobody removes them."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._lock = threading.RLock()
        try:
            state.mkdir(parents=True, exist_ok=True)
            claim = _claimed(state / ".lock")
            if claim is not None:
                weakref.finalize(self, os.close, claim)
                self._clear()
        except OSError as error:
            raise InputError(f"cannot hold checkpoints: {error.strerror}", where=str(state), hint="Name another --state folder") from error

    def _clear(self) -> None:
        """Remove what a killed engine left half written."""
        for home in self.state.glob("*/*/*"):
            if home.parent.name not in KINDS or not home.is_dir():
                continue
            facts = _read_json(home / FACTS)
            if facts is None and not (home / FACTS).exists():
                shutil.rmtree(home, ignore_errors=True)
            elif facts is not None and "version" in facts:
                for leftover in home.iterdir():
                    if leftover.name not in (FACTS, facts["version"]):
                        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    # Runs

    def _run_folder(self, run: str) -> Path:
        # A colon is no character for a file name everywhere; run names hold no "=" otherwise.
        return self.state / run.replace(":", "=")

    def start_run(self, run: str, facts: Facts) -> None:
        try:
            make_folder(self._run_folder(run))
            write_json(self._run_folder(run) / "run.json", {"run": run, **facts})
        except OSError as error:
            raise InputError(f"the run could not be written: {error}", where=run, hint="Free some space on the engine's disk") from error

    def run(self, run: str) -> Facts:
        facts = _read_json(self._run_folder(run) / "run.json") if RUN.fullmatch(run) else None
        if facts is None:
            raise InputError(f"there is no training run {run[:128]!r}")
        return facts

    def runs(self) -> list[Facts]:
        """All runs, newest first."""
        found = [facts for path in self.state.glob("*/run.json") if (facts := _read_json(path)) is not None]
        return sorted(found, key=lambda run: run["created"], reverse=True)

    # What is held

    def home(self, place: Place) -> Path:
        return self._run_folder(place.run) / place.kind / place.name

    def folder(self, place: Place) -> Path:
        """Where the files of a checkpoint's current version lie."""
        return self.home(place) / self.facts(place).get("version", "")

    def exists(self, place: Place) -> bool:
        facts = _read_json(self.home(place) / FACTS)
        return facts is not None and not _expired(facts)

    def facts(self, place: Place) -> Facts:
        facts = _read_json(self.home(place) / FACTS)
        if facts is None:
            raise InputError(f"there is no checkpoint {place}", hint="Check the path and the engine's --state folder")
        if _expired(facts):
            raise InputError(f"the checkpoint {place} has expired")
        return facts

    def of_run(self, run: str) -> list[Facts]:
        """A run's checkpoints that have not expired, oldest first."""
        paths = (path for kind in KINDS for path in (self._run_folder(run) / kind).glob(f"[!.]*/{FACTS}"))
        found = [facts for path in paths if (facts := _read_json(path)) is not None and not _expired(facts)]
        return sorted(found, key=lambda facts: facts["time"])

    # Changes

    def save(
        self, place: Place, model: TrainedModel, base: str, *, overwrite: bool, ttl: int | None, metadata: dict[str, str] | None
    ) -> None:
        """Write a checkpoint (with the optimizer if ``place`` is for training). Raises ``InputError`` if the name is taken."""
        gathered = bool(model.gradient.any())
        state = {"steps": model.steps, "gradient": gathered}
        facts = {**described(model.adapter, base), **state, "expires": expiry(ttl), "user_metadata": metadata}

        def fill(folder: Path) -> None:
            write_tensors(folder / "adapter_model.safetensors", model.adapter.named())
            if place.kind == "weights":
                write_tensors(folder / "optimizer.safetensors", _optimizer(model, gradient=gathered))
            write_bytes(folder / "adapter_config.json", json.dumps(adapter_config(model.adapter, base), indent=2).encode())

        self.put(place, facts, fill, overwrite=overwrite)

    def copy(self, source: Place, target: Place, ttl: int | None) -> None:
        """Give a checkpoint a second name of its own; neither the source's expiry nor its being public goes with it."""
        facts, folder = self.facts(source), self.folder(source)

        def fill(new: Path) -> None:
            for file in sorted(folder.iterdir()):
                if file.name == FACTS:
                    continue
                try:
                    os.link(file, new / file.name)  # files of a version never change
                except OSError:
                    shutil.copyfile(file, new / file.name)

        self.put(target, {**facts, "expires": expiry(ttl), "public": False}, fill, overwrite=False)

    def put(self, place: Place, facts: Facts, fill: Callable[[Path], None], *, overwrite: bool) -> Facts:
        """Have ``fill`` write a new version's files into a folder and make that version the checkpoint ``place``."""
        if not overwrite and self.exists(place):
            raise InputError(f"{place} exists already", hint="Choose another name, or save with overwrite=True")
        home = self.home(place)
        version = secrets.token_hex(8)
        try:
            make_folder(home)
            new = home / version
            new.mkdir()
            fill(new)
            sync_folder(new)
            sync_folder(home)
            size = sum(file.stat().st_size for file in new.iterdir())
            facts = {"public": False, **facts, "path": str(place), "time": datetime.now(UTC).isoformat(), "size": size, "version": version}
            with self._lock:
                old = _read_json(home / FACTS) or {}
                write_json(home / FACTS, facts)
                if "version" in old:
                    shutil.rmtree(home / old["version"], ignore_errors=True)
        except (OSError, SafetensorError) as error:
            if (_read_json(home / FACTS) or {}).get("version") != version:
                shutil.rmtree(home / version, ignore_errors=True)
            _remove_if_empty(home)
            raise InputError(f"{place} could not be written: {error}", hint="Free some space on the engine's disk") from error
        return facts

    def change(self, place: Place, **changed: Any) -> None:
        """Change what is said of a checkpoint: ``expires``, ``public``."""
        with self._lock:
            facts = self.facts(place)
            try:
                write_json(self.home(place) / FACTS, {**facts, **changed})
            except OSError as error:
                raise InputError(f"{place} could not be written: {error}", hint="Free some space on the engine's disk") from error

    def delete(self, place: Place) -> None:
        with self._lock:
            home = self.home(place)
            facts = _read_json(home / FACTS)
            if facts is None:
                raise InputError(f"there is no checkpoint {place}")
            (home / FACTS).unlink()
            shutil.rmtree(home / facts["version"] if "version" in facts else home, ignore_errors=True)
            _remove_if_empty(home)

    def delete_expired(self) -> None:
        for path in self.state.glob(f"*/*/*/{FACTS}"):
            facts = _read_json(path)
            if facts is not None and _expired(facts):
                try:
                    self.delete(Place.parsed(facts["path"]))
                except (InputError, OSError):
                    log.exception("an expired checkpoint could not be deleted")

    # Reading

    def load_adapter(self, place: Place, model: Transformer) -> Adapter:
        facts = self.facts(place)
        if facts.get("encrypted"):
            raise InputError(f"{place} is encrypted", hint="Download and decrypt it, or load the checkpoint it was exported from")
        shape = AdapterShape(facts["rank"], facts["train_attn"], facts["train_mlp"], facts["train_unembed"])
        adapter = Adapter.zeros(model, shape)
        with self._lock:
            _read(self.folder(place) / "adapter_model.safetensors", adapter.named(), place)
        return adapter

    def load_optimizer(self, place: Place, model: TrainedModel) -> None:
        """Fill the moments, the step count and the gradient gathered so far. Raises ``InputError`` if the checkpoint has none."""
        path = self.folder(place) / "optimizer.safetensors"
        if not path.is_file():
            raise InputError(
                f"{place} holds no optimizer state, so training cannot resume from it",
                hint="Resume from a checkpoint of save_state (tinker://run/weights/name), or start anew from these weights with "
                "create_training_client_from_state",
            )
        with self._lock:
            facts = self.facts(place)
            _read(path, _optimizer(model, gradient=facts.get("gradient", False)), place)
        model.steps = int(facts["steps"])


def described(adapter: Adapter, base: str) -> Facts:
    shape = adapter.shape
    covers = {"train_attn": shape.attention, "train_mlp": shape.mlp, "train_unembed": shape.unembed}
    return {"base_model": base, "rank": shape.rank, **covers}


def adapter_config(adapter: Adapter, base: str) -> dict[str, Any]:
    """What peft reads beside the weights."""
    modules = [part.rsplit(".", 1)[1] for group in adapter.shape.groups() for part in GROUPS[group]]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.shape.rank,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": modules + ([HEAD] if adapter.shape.unembed else []),
        "inference_mode": True,
    }


def _claimed(path: Path) -> int | None:
    """A handle that holds the folder's lock, or None if another engine has it: its half-written files are not ours to clear."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        os.close(handle)
        return None
    return handle


def _optimizer(model: TrainedModel, *, gradient: bool) -> dict[str, torch.Tensor]:
    """The parts of the optimizer's state by name; the gradient only where some is gathered, as between steps there is none."""
    kinds = ("mean", "square", "gradient") if gradient else ("mean", "square")
    return {f"{kind}.{name}": part for kind in kinds for name, part in model.adapter.named(getattr(model, kind)).items()}


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _read(path: Path, wanted: dict[str, torch.Tensor], place: Place) -> None:
    try:
        held = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{place}: {path.name} cannot be read: {error}") from error
    for name, target in wanted.items():
        if name not in held or held[name].shape != target.shape:
            raise InputError(f"{place}: {path.name} does not fit this base model ({name})")
        target.copy_(held[name])
