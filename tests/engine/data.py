"""Training data for the engine's tests."""

from __future__ import annotations

import numpy as np
from tinker import types

TOKENS = [11 + (7 * i) % 300 for i in range(60)]


def datum(tokens: list[int], *, prompt: int = 2) -> types.Datum:
    """Predict ``tokens`` after the first ``prompt``."""
    weights = np.ones(len(tokens) - 1, dtype=np.float32)
    weights[: prompt - 1] = 0
    inputs = {"target_tokens": np.array(tokens[1:]), "weights": weights}
    return types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)


def batch(shift: int = 0) -> list[types.Datum]:
    return [datum(TOKENS[shift : shift + length]) for length in (9, 24, 25, 40)]


def prompt(length: int = 6) -> types.ModelInput:
    return types.ModelInput.from_ints(TOKENS[:length])
