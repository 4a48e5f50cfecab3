"""Files that a kill or a power cut leaves whole or absent. Knows nothing of what they hold."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

__all__ = ["make_folder", "sync_folder", "write_bytes", "write_json", "write_tensors"]


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk: a file's name is not there before, however its bytes are."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    with open(path, "wb") as file:
        file.write(content)
        if lasting:
            file.flush()
            os.fsync(file.fileno())


def write_json(path: Path, value: Any, *, lasting: bool = True) -> None:
    """Put ``value`` in the place of what ``path`` held, in one step; ``lasting`` waits until a power cut cannot undo it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        write_bytes(temporary, json.dumps(value, indent=2).encode(), lasting=lasting)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if lasting:
        sync_folder(path.parent)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    # Copies: safetensors refuses views that share memory.
    save_file({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, str(path), metadata={"format": "pt"})
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
