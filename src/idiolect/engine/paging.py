"""The models under training: those used last in memory, the others on disk until they are used again. Knows no requests.

A model's weights, gathered gradient and moments go to disk and come back bit for bit, so that paging changes nothing but time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from idiolect.engine.training import TrainedModel

__all__ = ["TrainedModels"]

log = logging.getLogger(__name__)


class TrainedModels:
    """Models by run. Used by the worker's thread only.

    ``limit`` bounds the bytes in memory, but the model in use always stays. A disk that is full lets models stay too: that costs
    memory, where failing would cost the run.
    """

    def __init__(self, state: Path, limit: int) -> None:
        self.limit = limit
        _clear(state)
        self._folder = tempfile.TemporaryDirectory(prefix=f".paged-{os.getpid()}-", dir=state, ignore_cleanup_errors=True)
        self._all: OrderedDict[str, TrainedModel] = OrderedDict()
        self._away: set[str] = set()

    def put(self, run: str, trained: TrainedModel) -> None:
        self.drop(run)
        self._all[run] = trained
        self._page_out()

    def get(self, run: str) -> TrainedModel | None:
        """The model of ``run``, in memory; None if there is none."""
        trained = self._all.get(run)
        if trained is None:
            return None
        self._all.move_to_end(run)
        if run in self._away:
            held = load_file(str(self._path(run)))
            for name, value in _tensors(trained).items():
                _set(trained, name, held[name].to(value.device))
            self._forget_page(run)
            self._page_out()
        return trained

    def drop(self, run: str) -> None:
        self._all.pop(run, None)
        self._forget_page(run)

    def _page_out(self) -> None:
        *others, _ = (run for run in self._all if run not in self._away)
        for run in others:
            if sum(_size(trained) for trained in self._all.values()) <= self.limit:
                return
            trained = self._all[run]
            values = _tensors(trained)
            try:
                save_file({name: value.cpu() for name, value in values.items()}, str(self._path(run)))
            except (OSError, SafetensorError):
                log.exception("a model under training stays in memory, since it cannot be written to disk")
                self._path(run).unlink(missing_ok=True)
                return
            for name, value in values.items():
                _set(trained, name, torch.empty(0, dtype=value.dtype, device=value.device))
            self._away.add(run)

    def _forget_page(self, run: str) -> None:
        if run in self._away:
            self._away.discard(run)
            self._path(run).unlink(missing_ok=True)

    def _path(self, run: str) -> Path:
        return Path(self._folder.name) / f"{hashlib.sha256(run.encode()).hexdigest()}.safetensors"


def _clear(state: Path) -> None:
    """Remove the pages of engines that were killed."""
    for folder in state.glob(".paged-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdecimal() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False  # a number that was given out anew
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _tensors(trained: TrainedModel) -> dict[str, torch.Tensor]:
    """All that fills memory, by name: the adapter's numbers and whatever tensors the model holds of the same layout."""
    found = {name: value for name, value in vars(trained).items() if isinstance(value, torch.Tensor)}
    return {"adapter": trained.adapter.flat, **found}


def _set(trained: TrainedModel, name: str, value: torch.Tensor) -> None:
    if name == "adapter":
        trained.adapter.flat = value
    else:
        setattr(trained, name, value)


def _size(trained: TrainedModel) -> int:
    return sum(value.nbytes for value in _tensors(trained).values())
