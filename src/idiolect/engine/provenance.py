"""What was sampled to be trained on later, and finding it again through a datum's provenance. Knows nothing of models or requests.

A session trains only on what it sampled itself. Records live for a day after their last use, and only in memory.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from idiolect.engine.training import Example, Span
from idiolect.errors import InputError

__all__ = ["Recorded", "Records"]

DAY = 24 * 60 * 60.0
HINT = "Sample with record_stability_info=True, in the session that trains, and attach it with Datum.with_provenance"


@dataclass(frozen=True)
class Recorded:
    """One sampled sequence: its ``prompt`` [P] and ``tokens`` [T], int64, and the ``logprobs`` [T] they were sampled with, float32."""

    prompt: np.ndarray
    tokens: np.ndarray
    logprobs: np.ndarray

    @property
    def size(self) -> int:
        return self.prompt.nbytes + self.tokens.nbytes + self.logprobs.nbytes


class Records:
    """All records by session and sequence. Those unused for longest go first, after ``lifetime`` seconds or beyond ``limit`` bytes."""

    def __init__(self, limit: int = 512 << 20, lifetime: float = DAY, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.lifetime, self.clock = limit, lifetime, clock
        self.size = 0
        self._known: OrderedDict[tuple[str, str], tuple[float, Recorded]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, session: str, sequence: str, record: Recorded) -> None:
        with self._lock:
            self._forget((session, sequence))
            self._known[session, sequence] = (self.clock(), record)
            self.size += record.size
            self._forget_old()

    def find(self, session: str, sequence: str) -> Recorded | None:
        """The record, which is thereby used; None if there is none, or no longer."""
        with self._lock:
            self._forget_old()
            if (session, sequence) not in self._known:
                return None
            record = self._known.pop((session, sequence))[1]
            self._known[session, sequence] = (self.clock(), record)
            return record

    def drop(self, session: str) -> None:
        """Forget a session's records."""
        with self._lock:
            for key in [key for key in self._known if key[0] == session]:
                self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        if key in self._known:
            self.size -= self._known.pop(key)[1].size

    def _forget_old(self) -> None:
        while self._known:
            key = next(iter(self._known))
            if self.size <= self.limit and self._known[key][0] + self.lifetime > self.clock():
                return
            self._forget(key)

    def attributed(self, session: str, example: Example, where: str) -> Example:
        """``example`` with the ``logprobs`` its targets were sampled with, and ``sampled``, 1 where a target was sampled.

        The tokens are compared with the record's. Targets that are a prompt's are not: their loss is none, so what stands there
        says nothing. Raises InputError, naming ``where``.
        """
        targets = example.inputs["target_tokens"]
        if not example.target_spans:
            raise InputError("has no provenance", where=where, hint=HINT)
        for name, spans, length in (
            ("model_input", example.input_spans, len(example.tokens)),
            ("loss_fn_inputs", example.target_spans, len(targets)),
        ):
            covered = sum(span.length for span in spans)
            if covered != length or any(span.length < 0 for span in spans):
                raise InputError(f"the provenance of its {name} covers {covered} tokens of {length}", where=where)
        start = 0
        for span in example.input_spans:
            self._compare(session, span, example.tokens[start : start + span.length], where)
            start += span.length
        logprobs, sampled = torch.zeros(len(targets)), torch.zeros(len(targets))
        start = 0
        for span in example.target_spans:
            own = slice(start, start + span.length)
            if span.sampled:
                record = self._compare(session, span, targets[own], where)
                logprobs[own] = torch.from_numpy(record.logprobs[span.offset : span.offset + span.length])
                sampled[own] = 1
            start += span.length
        if (example.inputs["advantages"][sampled == 0] != 0).any():
            raise InputError("has advantages other than 0 on tokens that were not sampled", where=where)
        return replace(example, inputs={**example.inputs, "logprobs": logprobs, "sampled": sampled})

    def _compare(self, session: str, span: Span, tokens: torch.Tensor, where: str) -> Recorded:
        record = self.find(session, span.sequence)
        if record is None:
            raise InputError(f"this session holds no record of the sequence {span.sequence[:80]!r}", where=where, hint=HINT)
        part, whole = ("sampled tokens", record.tokens) if span.sampled else ("prompt", record.prompt)
        end = span.offset + span.length
        if span.offset < 0 or end > len(whole):
            raise InputError(
                f"names the {part} {span.offset} to {end} of {span.sequence[:80]!r}, which has {len(whole)}", where=where, hint=HINT
            )
        if not np.array_equal(whole[span.offset : end], tokens.numpy()):
            raise InputError(f"has other tokens than the {part} of {span.sequence[:80]!r} that it names", where=where)
        return record
