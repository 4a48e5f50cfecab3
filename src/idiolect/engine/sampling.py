"""Continuous batching: sampling requests join and leave a running batch at every step. Knows nothing of HTTP or files.

A prompt is computed once for all its samples, and once for identical prompts that arrive together. Rows of different adapters
share the base model's matrix products.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from idiolect.engine.cache import Cache
from idiolect.engine.lora import FrozenAdapter, SnapshotLinears
from idiolect.engine.picking import Choice, pick, uniforms
from idiolect.engine.prompt_scores import Alternatives, Named
from idiolect.engine.transformer import Packing, Transformer, packed_attention, run_layers

__all__ = ["SampleJob", "Sampled", "Sampler"]

PREFILL_TOKENS = 8192
LOGITS_AT_ONCE = 32 * 1024 * 1024


@dataclass
class Sampled:
    """One sequence: ``tokens``, their ``logprobs``, and whether a stop ended it (else the length did)."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    stopped: bool = False


@dataclass
class SampleJob:
    """One request. ``done`` is called on the worker's thread with the job, once every sample has ended."""

    prompt: list[int]
    adapter: FrozenAdapter | None
    samples: int
    max_tokens: int
    choice: Choice
    seed: int
    stop_tokens: frozenset[int]
    stop_strings: tuple[str, ...]
    decode: Callable[[list[int]], str] | None
    prompt_logprobs: bool
    scored: int
    """How many of the prompt's last tokens are scored, if any are."""
    top_prompt: int
    top_sampled: int
    named: Named | None = None
    alternatives: Alternatives | None = None
    done: Callable[[SampleJob], None] = lambda job: None
    failed: Callable[[Exception], None] = lambda error: None
    results: list[Sampled] = field(default_factory=list)
    prompt_values: np.ndarray | None = None
    prompt_top: tuple[np.ndarray, np.ndarray] | None = None
    cached: int = 0
    """Tokens of the prompt that did not have to be computed because another prompt's were at hand."""
    cancelled: bool = False
    started: int = 0
    ended: int = 0

    @property
    def places(self) -> int:
        return len(self.prompt) + self.max_tokens

    @property
    def scored_from(self) -> int:
        """The first position whose hidden state is needed to score the prompt; its last position where nothing is scored."""
        last = len(self.prompt) - 1
        starts = [max(0, last - self.scored)] if self.prompt_logprobs or self.top_prompt else []
        starts += [0] if self.alternatives is not None else []
        starts += [int(self.named.rows[0])] if self.named is not None else []
        return min(starts, default=last)


@dataclass
class _Row:
    job: SampleJob
    result: Sampled
    draws: np.ndarray
    next_token: int
    position: int
    """Where ``next_token`` goes."""


class Sampler:
    """The running batch of one base model."""

    def __init__(self, model: Transformer, *, rows: int = 128, cache_bytes: int = 2 << 30) -> None:
        self.model, self.row_limit = model, rows
        self.place_limit = max(1, cache_bytes // Cache.bytes_per_place(model))
        self.waiting: deque[SampleJob] = deque()
        self.rows: list[_Row] = []
        self.cache = Cache(model)

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.rows)

    @torch.inference_mode()
    def step(self) -> None:
        """Admit what fits, then one token for every row. An error fails the jobs concerned and leaves the sampler usable."""
        admitted: list[tuple[SampleJob, int]] = []
        try:
            admitted = self._admit()
            if admitted:
                self._prefill(admitted)
            if self.rows:
                self._decode()
        except Exception as error:
            jobs = {id(job): job for job in [row.job for row in self.rows] + [job for job, _ in admitted]}
            self.rows.clear()
            for job in jobs.values():
                job.cancelled = True
                job.failed(error)
            self.waiting = deque(job for job in self.waiting if not job.cancelled)

    def _admit(self) -> list[tuple[SampleJob, int]]:
        """Jobs (with how many of their samples) that fit now, in order of arrival; at least one when nothing runs."""
        admitted: list[tuple[SampleJob, int]] = []
        count, longest, tokens = len(self.rows), max((row.job.places for row in self.rows), default=0), 0
        while self.waiting and tokens < PREFILL_TOKENS:
            job = self.waiting[0]
            if job.cancelled:
                self.waiting.popleft()
                continue
            places = max(longest, job.places)
            room = min(self.row_limit, self.place_limit // places) - count
            if room < 1 and (count or admitted):
                break
            samples = max(1, min(room, job.samples - job.started))
            if admitted and tokens + len(job.prompt) > PREFILL_TOKENS:
                break
            admitted.append((job, samples))
            job.started += samples
            count, longest, tokens = count + samples, places, tokens + len(job.prompt)
            if job.started < job.samples:
                break
            self.waiting.popleft()
        return admitted

    def _prefill(self, admitted: list[tuple[SampleJob, int]]) -> None:
        groups: dict[tuple[int, tuple[int, ...]], list[tuple[SampleJob, int]]] = {}
        for job, samples in admitted:
            groups.setdefault((id(job.adapter), tuple(job.prompt)), []).append((job, samples))
        # By adapter, so that each adapter's tokens are one slice; then by length, so that attention pads little.
        ordered = sorted(groups.values(), key=lambda group: (id(group[0][0].adapter), len(group[0][0].prompt)))
        prompts = [group[0][0].prompt for group in ordered]
        device = self.model.device
        packing = Packing([len(prompt) for prompt in prompts], device)
        tokens = torch.tensor([token for prompt in prompts for token in prompt], device=device)
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        linears = SnapshotLinears(self.model, _slices([g[0][0].adapter for g in ordered], packing.starts))
        rotary = self.model.rotary(packing.positions, packing.longest)
        attend = packed_attention(packing, lambda layer, k, v: kept.append((k, v)))
        hidden = run_layers(self.model, tokens, rotary, linears, attend)
        last = torch.tensor(packing.starts[1:], device=device) - 1
        ends = SnapshotLinears(self.model, _slices([g[0][0].adapter for g in ordered], list(range(len(ordered) + 1)))).logits(hidden[last])
        fresh: list[_Row] = []
        sources: list[int] = []
        self.cache.reserve(len(self.rows) + sum(n for _, n in admitted), max([packing.longest + 1, self.cache.places]))
        for number, group in enumerate(ordered):
            start, stop = packing.starts[number], packing.starts[number + 1]
            for place, (job, samples) in enumerate(group):
                if not job.results:
                    job.cached = len(job.prompt) if place else 0
                    self._score_prompt(job, hidden[start:stop])
                for _ in range(samples):
                    row = len(self.rows) + len(fresh)
                    for layer, (keys, values) in enumerate(kept):
                        self.cache.put(layer, row, keys[start:stop], values[start:stop])
                    index = len(job.results)
                    job.results.append(Sampled())
                    draws = uniforms(job.seed, job.prompt, index, job.max_tokens)
                    fresh.append(_Row(job, job.results[-1], draws, 0, len(job.prompt) - 1))
                    sources.append(number)
        first = len(self.rows)
        self.rows += fresh
        self._choose(ends[torch.tensor(sources, device=device)], fresh)
        self._drop_ended(first)

    def _score_prompt(self, job: SampleJob, hidden: torch.Tensor) -> None:
        """What the job wants to know of its prompt. Tokens that are not scored, and always position 0, get NaN."""
        count = len(job.prompt)
        job.prompt_values = np.full(count, np.nan, dtype=np.float32)
        top = min(job.top_prompt, self.model.architecture.vocabulary)
        if top:
            job.prompt_top = (np.zeros((count, top), dtype=np.int32), np.full((count, top), -99999.0, dtype=np.float32))
        targets = torch.tensor(job.prompt, device=hidden.device)
        block = max(1, LOGITS_AT_ONCE // self.model.architecture.vocabulary)
        linears = SnapshotLinears(self.model, [(job.adapter, slice(None))] if job.adapter else [])
        for start in range(job.scored_from, count - 1, block):
            stop = min(count - 1, start + block)
            logits = linears.logits(hidden[start:stop])
            normalizers = logits.logsumexp(dim=-1)
            for asked in (job.named, job.alternatives):
                if asked is not None:
                    asked.score(start, logits, normalizers)
            chosen = logits.gather(1, targets[start + 1 : stop + 1].unsqueeze(1)).squeeze(1) - normalizers
            job.prompt_values[start + 1 : stop + 1] = chosen.cpu().numpy()
            if job.prompt_top is not None:
                best = logits.topk(top, dim=-1)
                job.prompt_top[0][start + 1 : stop + 1] = best.indices.cpu().numpy()
                job.prompt_top[1][start + 1 : stop + 1] = (best.values - normalizers.unsqueeze(1)).cpu().numpy()
        unasked = max(0, count - 1 - job.scored)
        job.prompt_values[: unasked + 1] = np.nan
        if job.prompt_top is not None:
            job.prompt_top[0][: unasked + 1], job.prompt_top[1][: unasked + 1] = 0, -99999.0

    def _decode(self) -> None:
        rows, device = self.rows, self.model.device
        longest = max(row.position for row in rows) + 1
        self.cache.reserve(len(rows), longest)
        tokens = torch.tensor([row.next_token for row in rows], device=device)
        positions = torch.tensor([row.position for row in rows], device=device)
        linears = SnapshotLinears(self.model, _indexes([row.job.adapter for row in rows], device))
        rotary = self.model.rotary(positions, longest)
        hidden = run_layers(self.model, tokens, rotary, linears, self.cache.step_attention(positions, longest))
        self._choose(linears.logits(hidden), rows)
        self._drop_ended(0)

    def _choose(self, logits: torch.Tensor, rows: list[_Row]) -> None:
        draws = torch.tensor([float(row.draws[len(row.result.tokens)]) for row in rows], device=logits.device)
        top = max(row.job.top_sampled for row in rows)
        best = None
        if top:
            values, indices = logits.topk(min(top, logits.shape[1]), dim=-1)
            best = (indices.cpu().numpy().astype(np.int32), (values - logits.logsumexp(dim=-1, keepdim=True)).cpu().numpy())
        tokens, logprobs = pick(logits, [row.job.choice for row in rows], draws)
        for number, (row, token, logprob) in enumerate(zip(rows, tokens.tolist(), logprobs.tolist(), strict=True)):
            row.result.tokens.append(token)
            row.result.logprobs.append(logprob)
            row.next_token = token
            row.position += 1
            if best is not None and row.job.top_sampled:
                width = row.job.top_sampled
                row.result.top.append((best[0][number][:width], best[1][number][:width]))

    def _drop_ended(self, first: int) -> None:
        """Take ended rows out, moving the last row into each gap."""
        number = len(self.rows) - 1
        while number >= first:
            row = self.rows[number]
            row.result.stopped = _stops(row)
            if row.result.stopped or row.job.cancelled or len(row.result.tokens) >= row.job.max_tokens:
                last = self.rows.pop()
                if last is not row:
                    self.cache.move(len(self.rows), number, last.position)
                    self.rows[number] = last
                row.job.ended += 1
                if row.job.ended == row.job.samples and not row.job.cancelled:
                    row.job.done(row.job)
            number -= 1


def _stops(row: _Row) -> bool:
    job = row.job
    if row.next_token in job.stop_tokens:
        return True
    if not job.stop_strings or job.decode is None:
        return False
    # Each token is at least one byte, so the stop, if the newest token completed it, lies within its length in bytes;
    # the few tokens more keep characters whole that span tokens.
    reach = max(len(stop.encode()) for stop in job.stop_strings) + 4
    text = job.decode(row.result.tokens[-reach:])
    return any(stop in text for stop in job.stop_strings)


def _slices(adapters: list[FrozenAdapter | None], starts: list[int]) -> list[tuple[FrozenAdapter, slice | torch.Tensor]]:
    """Adjacent sequences of one adapter as slices of the flat tokens."""
    found: list[tuple[FrozenAdapter, slice | torch.Tensor]] = []
    begin = 0
    for number, adapter in enumerate(adapters):
        if number + 1 == len(adapters) or adapters[number + 1] is not adapter:
            if adapter is not None:
                found.append((adapter, slice(starts[begin], starts[number + 1])))
            begin = number + 1
    return found


def _indexes(adapters: list[FrozenAdapter | None], device: torch.device) -> list[tuple[FrozenAdapter, slice | torch.Tensor]]:
    """The rows of each adapter; a slice where all rows have the same one."""
    by_adapter: dict[int, list[int]] = {}
    for row, adapter in enumerate(adapters):
        by_adapter.setdefault(id(adapter), []).append(row)
    found: list[tuple[FrozenAdapter, slice | torch.Tensor]] = []
    for rows in by_adapter.values():
        adapter = adapters[rows[0]]
        if adapter is not None:
            found.append((adapter, slice(None) if len(rows) == len(adapters) else torch.tensor(rows, device=device)))
    return found
