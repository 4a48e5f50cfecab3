"""The compiled arithmetic between matrix products on the CPU, called on torch tensors. Knows shapes and types; nothing of models.

The library is compiled when the package is installed. Where no compiler was there, or this processor is not the one that it was
compiled for, ``available`` is False and ``operations`` and ``cache`` say the same in torch. docs/LOG.md has the measurement that it
stands on. The environment's IDIOLECT_KERNELS is 0 for torch alone, or the path of another build of the library.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

__all__ = ["BLOCK", "TILE", "Row", "available", "call", "fast", "packed", "padded"]

BLOCK = 16
"""Places of a cache block, as in kernels.c."""

TILE = 12
"""Rows of a batch that one thread takes at a time through an adapter."""

_SUFFIX = {torch.float32: "_float32", torch.bfloat16: "_bfloat16"}


@cache
def _library() -> ctypes.CDLL | None:
    chosen = os.environ.get("IDIOLECT_KERNELS")
    if chosen == "0":
        return None
    for path in [Path(chosen)] if chosen else Path(__file__).parent.glob("_native*.so"):
        try:
            # torch has loaded its OpenMP by now; the library's own need of one is met by it, so both share their threads.
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        if library.kernels_supported():
            return library
    return None


def padded(matrix: torch.Tensor) -> torch.Tensor:
    """[rows, n] as float32 with rows filled up with zeros to a multiple of two vectors."""
    return torch.nn.functional.pad(matrix.float(), (0, -matrix.shape[1] % (2 * BLOCK))).contiguous()


def packed(weight: torch.Tensor) -> torch.Tensor:
    """[..., out, in] in the order in which ``linear`` reads it: panels of 32 outputs, filled up with zeros; bfloat16 by pairs of inputs."""
    filled = torch.nn.functional.pad(weight, (0, 0, 0, -weight.shape[-2] % (2 * BLOCK)))
    panels = filled.unflatten(-2, (-1, 2 * BLOCK))
    if weight.dtype == torch.float32:
        return panels.transpose(-2, -1).contiguous()
    return panels.unflatten(-1, (-1, 2)).transpose(-3, -2).contiguous()


def fast(dtype: torch.dtype) -> bool:
    """Whether the processor multiplies ``dtype`` well by the kernels' ``linear``."""
    library = _library()
    return library is not None and (dtype == torch.float32 or bool(library.kernels_bfloat16()))


def available(*tensors: torch.Tensor) -> bool:
    """Whether the kernels can be used, on all of ``tensors``: on the CPU, and of a type they are compiled for."""
    return _library() is not None and all(t.device.type == "cpu" and t.dtype in _SUFFIX for t in tensors)


@cache
def _function(name: str, dtype: torch.dtype):
    function = getattr(_library(), name + _SUFFIX[dtype])
    function.restype = None
    return function


class Row(NamedTuple):
    """A contiguous tensor seen from number ``offset`` of its first row."""

    tensor: torch.Tensor
    offset: int


def call(name: str, dtype: torch.dtype, *arguments: int | float | torch.Tensor | Row | None) -> None:
    """Call a kernel. Whole numbers go as int64, floats as float, contiguous tensors and None as pointers."""
    plain: list[object] = []
    for value in arguments:
        if isinstance(value, Row):
            plain.append(ctypes.c_void_p(value.tensor.data_ptr() + value.offset * value.tensor.element_size()))
            continue
        if isinstance(value, torch.Tensor):
            assert value.is_contiguous(), name
            plain.append(ctypes.c_void_p(value.data_ptr()))
        elif isinstance(value, float):
            plain.append(ctypes.c_float(value))
        else:
            plain.append(ctypes.c_void_p(None) if value is None else ctypes.c_int64(value))
    _function(name, dtype)(*plain)
