"""Continuous batching: sampling requests join and leave a running batch at every step. Knows nothing of HTTP or files.

A prompt is computed once for all its samples, and a beginning that prompts have in common once for all of them. Sequences of
different adapters share the base model's matrix products.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from idiolect.engine.cache import BLOCK, BlockCache, Full, Table
from idiolect.engine.decoding import Batch, Decoder
from idiolect.engine.lora import FrozenAdapter, Run
from idiolect.engine.picking import Choice, pick, uniforms
from idiolect.engine.prompt_scores import Alternatives, Named
from idiolect.engine.transformer import Transformer
from idiolect.errors import EngineError

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

    number: int = field(default_factory=itertools.count().__next__)
    """In order of arrival."""

    @property
    def scored_from(self) -> int:
        """The first position whose hidden state is needed to score the prompt; its last position where nothing is scored."""
        last = len(self.prompt) - 1
        starts = [max(0, last - self.scored)] if self.prompt_logprobs or self.top_prompt else []
        starts += [0] if self.alternatives is not None else []
        starts += [int(self.named.rows[0])] if self.named is not None else []
        return min(starts, default=last)


@dataclass(eq=False)
class _Row:
    """A sequence being sampled: its blocks, where they are listed (``slot``), and the token that is computed next."""

    job: SampleJob
    result: Sampled
    draws: np.ndarray
    slot: int
    table: Table
    next_token: int = 0
    position: int = 0
    """Where ``next_token`` goes."""


@dataclass
class _Segment:
    """Tokens of one sequence that a step computes, from ``position`` on, and the ``rows`` that choose a token after them."""

    rows: list[_Row]
    tokens: Sequence[int]
    position: int

    @property
    def job(self) -> SampleJob:
        return self.rows[0].job

    @property
    def asked(self) -> int:
        """How many of the last tokens' hidden states are needed."""
        return len(self.job.prompt) - self.job.scored_from if self.job.prompt_values is None else 1


class Sampler:
    """The running batch of one base model. A prompt and a token of a running sequence are both segments of a step's batch."""

    def __init__(self, model: Transformer, *, rows: int = 128, cache_bytes: int | None = None) -> None:
        self.model, self.row_limit = model, rows
        held = _quarter_of_memory() if cache_bytes is None else cache_bytes
        self.cache = BlockCache(model, held // BlockCache.bytes_per_block(model))
        self.decoder = Decoder(model, self.cache)
        self.waiting: deque[SampleJob] = deque()
        self.paused: deque[_Row] = deque()
        """Sequences whose blocks were taken for older ones; they are computed anew when there is room."""
        self.rows: list[_Row] = []
        self._tables = np.zeros((rows, 64), dtype=np.int32)
        self._slots = list(range(rows))[::-1]

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.rows or self.paused)

    @torch.inference_mode()
    def step(self) -> None:
        """One token for every running sequence, and the first for what is admitted. An error fails the jobs concerned only."""
        concerned = [row.job for row in self.rows]
        try:
            running = self._running()
            admitted = self._admit(concerned)
            if running or admitted:
                self._advance(running, admitted)
        except Exception as error:
            for job in concerned:
                _refuse(job, error)
            self._start_over()

    def _start_over(self) -> None:
        """Empty the cache, in which failed jobs may have left anything; the other sequences are computed anew."""
        self.paused = deque(row for row in [*self.rows, *self.paused] if not row.job.cancelled)
        self.rows.clear()
        self.cache.clear()
        self._slots = list(range(self.row_limit))[::-1]

    def _running(self) -> list[_Segment]:
        """The next token of each running sequence. Where no block is left, the newest sequences wait."""
        for row in list(self.rows):
            while row in self.rows and len(row.table.blocks) * BLOCK <= row.position:
                try:
                    self._grow(row, row.position + 1)
                except Full:
                    self._make_room()
        return [_Segment([row], (row.next_token,), row.position) for row in self.rows]

    def _make_room(self) -> None:
        newest = max(self.rows, key=lambda row: row.job.number)
        self.rows.remove(newest)
        self._give_back(newest)
        if self.rows:
            self.paused.appendleft(newest)
        else:
            _refuse(newest.job, EngineError("one sequence alone needs more memory than the engine has for its keys and values"))

    def _give_back(self, row: _Row) -> None:
        self.cache.end(row.table)
        self._slots.append(row.slot)

    def _grow(self, row: _Row, places: int) -> None:
        self.cache.extend(row.table, places)
        self._list(row)

    def _list(self, row: _Row) -> None:
        count = len(row.table.blocks)
        if count > self._tables.shape[1]:
            self._tables = np.pad(self._tables, ((0, 0), (0, max(count, 2 * self._tables.shape[1]) - self._tables.shape[1])))
        self._tables[row.slot, :count] = row.table.blocks

    def _admit(self, concerned: list[SampleJob]) -> list[_Segment]:
        """What fits now, in order of arrival: sequences that were paused, then jobs with as many of their samples as there is room.

        ``concerned`` gets the jobs before anything is done for them.
        """
        admitted: list[_Segment] = []
        # A block for each running sequence stays in reserve, so that what is admitted is not paused at once.
        spare, tokens = self.cache.available() - len(self.rows), 0
        while (self.paused or self.waiting) and self._slots and tokens < PREFILL_TOKENS:
            row = self.paused[0] if self.paused else None
            job = row.job if row else self.waiting[0]
            if job.cancelled:
                (self.paused if row else self.waiting).popleft()
                continue
            known = [*job.prompt, *row.result.tokens] if row else job.prompt
            samples = 1 if row else min(len(self._slots), job.samples - job.started)
            blocks = len(known) // BLOCK + 1
            samples = min(samples, spare - blocks + 1)
            if samples < 1:
                if not self.rows and not admitted:
                    _refuse(job, EngineError(f"{len(known)} tokens need more memory than the engine has for their keys and values"))
                    continue
                break
            concerned.append(job)
            segment = self._segment(job, known, row, samples)
            if row:
                self.paused.popleft()
            elif job.started == job.samples:
                self.waiting.popleft()
            admitted.append(segment)
            spare -= blocks + samples
            tokens += len(segment.tokens)
        return admitted

    def _segment(self, job: SampleJob, known: list[int], row: _Row | None, samples: int) -> _Segment:
        """The part of ``known`` that no block holds yet, with its rows."""
        shared = len(known) - 1 if job.results else job.scored_from
        table = self.cache.begin(job.adapter.number if job.adapter else 0, known, shared)
        cached = len(table.blocks) * BLOCK
        self.cache.extend(table, len(known))
        for start in range(cached, len(known) // BLOCK * BLOCK, BLOCK):
            self.cache.publish(table, table.blocks[start // BLOCK], known[start : start + BLOCK])
        if row:
            row.table, row.slot = table, self._slots.pop()
            rows = [row]
        else:
            if not job.results:
                job.cached = cached
            rows = [self._row(job, table) for _ in range(samples)]
        self._list(rows[0])
        return _Segment(rows, known[cached:], cached)

    def _row(self, job: SampleJob, table: Table) -> _Row:
        """A new sample; all of a segment have the prompt's table until it is computed."""
        job.started += 1
        job.results.append(Sampled())
        draws = uniforms(job.seed, job.prompt, len(job.results) - 1, job.max_tokens)
        return _Row(job, job.results[-1], draws, self._slots.pop(), table)

    def _advance(self, running: list[_Segment], admitted: list[_Segment]) -> None:
        # By adapter, so that each one's tokens are one run.
        segments = sorted(running + admitted, key=lambda segment: segment.job.adapter.number if segment.job.adapter else 0)
        lengths = [len(segment.tokens) for segment in segments]
        stops = np.cumsum(lengths)
        starts = stops - lengths
        tokens = np.array([token for segment in segments for token in segment.tokens], dtype=np.int64)
        positions = np.arange(len(tokens)) + np.repeat(np.array([segment.position for segment in segments]) - starts, lengths)
        sequence = np.repeat(np.array([segment.rows[0].slot for segment in segments]), lengths)
        adapters = [segment.job.adapter for segment in segments]
        runs = _runs(adapters, starts, stops)
        # A step without prompts has one token a segment, and wants them all.
        wanted, begins, ends, wanted_runs = stops - 1, starts, stops, runs
        if admitted:
            # Of a prompt that is scored the states from the first scored token on, of every segment the last token's.
            asked = np.array([segment.asked for segment in segments])
            wanted = np.concatenate([np.arange(stop - count, stop) for stop, count in zip(stops, asked, strict=True)])
            ends = np.cumsum(asked)
            begins = ends - asked
            wanted_runs = _runs(adapters, begins, ends)
        hidden = self.decoder.hidden(Batch(tokens, positions, sequence, self._tables, runs, wanted, wanted_runs))
        for segment, begin, end in zip(segments, begins, ends, strict=True) if admitted else ():
            if segment.job.prompt_values is None:
                self._score_prompt(segment.job, hidden[begin:end], len(segment.job.prompt) - segment.asked)
        if len(hidden) > len(segments):
            hidden = hidden[torch.from_numpy(ends - 1).to(hidden.device)]
        numbers = np.arange(len(segments))
        logits = self.decoder.logits(hidden, _runs(adapters, numbers, numbers + 1) if admitted else runs)
        if admitted:
            logits = logits[torch.tensor([n for n, segment in enumerate(segments) for _ in segment.rows], device=logits.device)]
            self._share(admitted)
        rows = [row for segment in segments for row in segment.rows]
        self._choose(logits, rows)
        broken = [row.job for row in rows if not math.isfinite(row.result.logprobs[-1])]
        for job in broken:
            hint = "The adapter has diverged: sample from an earlier checkpoint, or train with a lower learning rate"
            _refuse(job, EngineError("the model's logits are not finite", hint=hint))
        self.rows = self._still_running(rows)
        if broken:
            self._start_over()

    def _share(self, admitted: list[_Segment]) -> None:
        """Give each sample of a prompt its own table, which shares the prompt's full blocks."""
        copies = []
        for segment in admitted:
            places = segment.position + len(segment.tokens)
            for row in segment.rows[1:]:
                row.table, copy = self.cache.fork(segment.rows[0].table, places)
                copies += [copy] if copy else []
                self._list(row)
            for row in segment.rows:
                row.position = places - 1
        self.cache.copy(copies)

    def _score_prompt(self, job: SampleJob, hidden: torch.Tensor, position: int) -> None:
        """What the job wants to know of its prompt; ``hidden`` [T, H] are its states from ``position`` on.

        Tokens that are not scored, and always position 0, get NaN.
        """
        count = len(job.prompt)
        job.prompt_values = np.full(count, np.nan, dtype=np.float32)
        top = min(job.top_prompt, self.model.architecture.vocabulary)
        if top:
            job.prompt_top = (np.zeros((count, top), dtype=np.int32), np.full((count, top), -99999.0, dtype=np.float32))
        targets = torch.tensor(job.prompt, device=hidden.device)
        block = max(1, LOGITS_AT_ONCE // self.model.architecture.vocabulary)
        for start in range(job.scored_from, count - 1, block):
            stop = min(count - 1, start + block)
            logits = self.decoder.logits(hidden[start - position : stop - position], [Run(job.adapter, 0, stop - start)]).float()
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

    def _choose(self, logits: torch.Tensor, rows: list[_Row]) -> None:
        draws = torch.tensor([float(row.draws[len(row.result.tokens)]) for row in rows], device=logits.device)
        top = max(row.job.top_sampled for row in rows)
        best = None
        if top:
            wide = logits.float()
            values, indices = wide.topk(min(top, logits.shape[1]), dim=-1)
            best = (indices.cpu().numpy().astype(np.int32), (values - wide.logsumexp(dim=-1, keepdim=True)).cpu().numpy())
        tokens, logprobs = pick(logits, [row.job.choice for row in rows], draws)
        for number, (row, token, logprob) in enumerate(zip(rows, tokens.tolist(), logprobs.tolist(), strict=True)):
            row.result.tokens.append(token)
            row.result.logprobs.append(logprob)
            row.next_token = token
            row.position += 1
            if best is not None and row.job.top_sampled:
                width = row.job.top_sampled
                row.result.top.append((best[0][number][:width], best[1][number][:width]))

    def _still_running(self, rows: list[_Row]) -> list[_Row]:
        """Rows without those that have ended, whose blocks and slots are given back."""
        kept = []
        for row in rows:
            try:
                running = not (row.job.cancelled or self._ended(row))
            except Exception as error:
                # What decodes and what answers are the job's own.
                _refuse(row.job, error)
                running = False
            if running:
                kept.append(row)
            else:
                self._give_back(row)
        return kept

    @staticmethod
    def _ended(row: _Row) -> bool:
        job, result = row.job, row.result
        result.stopped = _stops(row)
        ended = result.stopped or len(result.tokens) >= job.max_tokens
        job.ended += ended
        if ended and job.ended == job.samples:
            job.done(job)
        return ended


def _refuse(job: SampleJob, error: Exception) -> None:
    if not job.cancelled:
        job.cancelled = True
        job.failed(error)


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


def _runs(adapters: Sequence[FrozenAdapter | None], starts: np.ndarray, stops: np.ndarray) -> list[Run]:
    """Adjacent segments of one adapter as runs."""
    runs: list[Run] = []
    for adapter, start, stop in zip(adapters, starts.tolist(), stops.tolist(), strict=True):
        if runs and runs[-1].adapter is adapter:
            start = runs.pop().start
        runs.append(Run(adapter, start, stop))
    return runs


def _quarter_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
