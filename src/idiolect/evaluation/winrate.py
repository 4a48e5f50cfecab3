"""How often a writer's draft reads more like the person than the baseline's does.

Knows style scores of pairs of drafts. There is no trained judge here: on simulated people the truth decides, on real
ones the verifier, and the results say which.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["wins"]

_TIE = 1e-9


def wins(scores: Sequence[float | None], baseline: Sequence[float | None]) -> list[float | None]:
    """For each request 1 for a better draft than the baseline's, 0 for a worse one, 0.5 for a tie; None where either can't be told."""
    return [_win(a, b) for a, b in zip(scores, baseline, strict=True)]


def _win(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    return 0.5 if abs(a - b) <= _TIE else float(a > b)
