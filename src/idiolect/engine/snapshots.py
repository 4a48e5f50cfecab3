"""The frozen weights that samplers read: the latest in memory, older ones in a temporary folder. Knows no sessions.

A training loop takes a snapshot every step and may go back to any of them; memory must not grow with the number of steps.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from collections import Counter, OrderedDict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from idiolect.engine.lora import Adapter, AdapterShape, FrozenAdapter
from idiolect.engine.transformer import Transformer

__all__ = ["Snapshots"]

log = logging.getLogger(__name__)


class Snapshots:
    """Adapters by key. ``add``, ``replace`` and ``hold`` may be called from the worker's thread, the others from the event loop's."""

    def __init__(self, kept: int = 16) -> None:
        self.kept = kept
        self._folder = tempfile.TemporaryDirectory(prefix="idiolect-engine-", ignore_cleanup_errors=True)
        self._ready: OrderedDict[str, FrozenAdapter] = OrderedDict()
        self._stored: dict[str, tuple[Transformer, AdapterShape]] = {}
        self._holders: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, key: str, adapter: Adapter) -> None:
        """Keep ``adapter``, which nobody may change any more, under ``key``; an earlier one of that key stays."""
        with self._lock:
            if key not in self._ready and key not in self._stored:
                self._keep(key, FrozenAdapter(adapter))

    def replace(self, key: str, adapter: Adapter) -> None:
        """As ``add``, but what ``key`` held gives way: who samples from it goes on with the new weights."""
        with self._lock:
            self._remove(key)
            self._keep(key, FrozenAdapter(adapter))

    def frozen(self, key: str) -> FrozenAdapter:
        """The adapter of ``key``, which must have been added. The same object as long as it stays in memory."""
        with self._lock:
            if key not in self._ready:
                model, shape = self._stored[key]
                adapter = Adapter.zeros(model, shape)
                adapter.flat.copy_(load_file(str(self._path(key)))["flat"])
                self._keep(key, FrozenAdapter(adapter))
            self._ready.move_to_end(key)
            return self._ready[key]

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._ready or key in self._stored

    def hold(self, key: str) -> None:
        """One more sampler reads ``key``."""
        with self._lock:
            self._holders[key] += 1

    def release(self, key: str) -> None:
        """One sampler fewer; the adapter goes with the last."""
        with self._lock:
            self._holders[key] -= 1
            if self._holders[key] <= 0:
                del self._holders[key]
                self._remove(key)

    def _remove(self, key: str) -> None:
        self._ready.pop(key, None)
        if self._stored.pop(key, None) is not None:
            self._path(key).unlink(missing_ok=True)

    def _keep(self, key: str, frozen: FrozenAdapter) -> None:
        self._ready[key] = frozen
        while len(self._ready) > self.kept:
            oldest, gone = next(iter(self._ready.items()))
            if oldest not in self._stored:
                try:
                    save_file({"flat": gone.adapter.flat.cpu()}, str(self._path(oldest)))
                except (OSError, SafetensorError):
                    # Without room on the disk it stays: that costs memory, where failing would cost the sampler.
                    log.exception("a snapshot stays in memory, since it cannot be written to disk")
                    self._path(oldest).unlink(missing_ok=True)
                    return
                self._stored[oldest] = (gone.adapter.model, gone.adapter.shape)
            del self._ready[oldest]

    def _path(self, key: str) -> Path:
        return Path(self._folder.name) / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"
