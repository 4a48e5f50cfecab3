"""The one thread that computes. Knows when what runs; nothing of what a job means.

Jobs run in the order they came. Between two jobs the samplers get as much time as the last job took (and at least a short
turn), so a long training queue does not starve sampling and many samplers do not starve training.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import torch

from idiolect.engine.sampling import SampleJob, Sampler

__all__ = ["Worker"]

TURN = 0.05
"""The samplers' least share between two jobs, seconds."""

Job = Callable[[], None]

log = logging.getLogger(__name__)


class Worker:
    def __init__(self, samplers: list[Sampler], threads: int) -> None:
        """``threads`` is how many work on a product."""
        self.samplers, self.threads = samplers, threads
        self._jobs: deque[Job] = deque()
        self._stop = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Finish the job in hand and end; what is still queued is dropped."""
        with self._news:
            self._stop = True
            self._news.notify()
        self._thread.join(timeout)

    def submit(self, job: Job) -> None:
        """Queue a job; it must not raise."""
        with self._news:
            self._jobs.append(job)
            self._news.notify()

    def sample(self, sampler: Sampler, job: SampleJob) -> None:
        """Hand a request to a sampler. It joins the running batch at its next step."""
        with self._news:
            sampler.waiting.append(job)
            self._news.notify()

    def _run(self) -> None:
        torch.set_num_threads(self.threads)
        while True:
            with self._news:
                while not self._stop and not self._jobs and not any(sampler.busy for sampler in self.samplers):
                    self._news.wait()
                if self._stop:
                    return
                job = self._jobs.popleft() if self._jobs else None
            began = time.monotonic()
            if job is not None:
                try:
                    job()
                except Exception:
                    log.exception("a job of the engine failed without saying so to its client")
            now = time.monotonic()
            self._sample_until(now + max(TURN, now - began))

    def _sample_until(self, end: float) -> None:
        while not self._stop and time.monotonic() < end:
            busy = [sampler for sampler in self.samplers if sampler.busy]
            if not busy:
                return
            for sampler in busy:
                sampler.step()
