"""What the server knows: base models, sessions, models under training, samplers. Knows no HTTP.

Methods are called on the event loop, so that registering a request is atomic; what computes is handed to the worker.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.futures import Future, Futures
from idiolect.engine.loading import TextDecoder, checkpoint_folder, load_tokenizer, load_transformer
from idiolect.engine.lora import Adapter, AdapterShape, FrozenAdapter
from idiolect.engine.provenance import Records
from idiolect.engine.sampling import Sampler
from idiolect.engine.snapshots import Snapshots
from idiolect.engine.training import TrainedModel
from idiolect.engine.transformer import Transformer
from idiolect.engine.worker import Worker
from idiolect.errors import IdiolectError, InputError

__all__ = ["Base", "Engine", "Gone", "Missing", "Run", "SamplingSession", "Session"]

REMEMBERED = 4096
"""Sequence numbers of a model, and idempotency keys of the server, whose answers are repeated when asked for again."""

MAX_RANK = 1024

log = logging.getLogger(__name__)


class Missing(InputError):
    """The client names what the engine does not know: HTTP 404."""


class Gone(InputError):
    """The client names what has ended: HTTP 410."""


@dataclass
class Base:
    """A base model that is served, under the ``name`` it was given on the command line."""

    name: str
    folder: Path
    model: Transformer
    sampler: Sampler
    _decoder: TextDecoder | None = None

    @classmethod
    def load(cls, name: str, device: torch.device, dtype: torch.dtype) -> Base:
        folder = checkpoint_folder(name)
        model = load_transformer(folder, device, dtype)
        return cls(name, folder, model, Sampler(model))

    def decoder(self) -> TextDecoder:
        if self._decoder is None:
            self._decoder = load_tokenizer(self.folder)
        return self._decoder


@dataclass
class Session:
    id: str
    metadata: dict[str, Any] | None
    display_name: str | None
    runs: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    finished: bool = False


@dataclass
class Run:
    """A model under training. Requests carry sequence numbers from 1 and run in their order, however they arrive."""

    id: str
    base: Base
    session: Session
    trained: TrainedModel | None = None
    expected: int = 1
    early: dict[int, Callable[[], None]] = field(default_factory=dict)
    answered: OrderedDict[int, Future] = field(default_factory=OrderedDict)


@dataclass
class SamplingSession:
    id: str
    base: Base
    path: str | None
    snapshot: str | None
    """Key of its adapter among the snapshots; None samples from the base model."""
    session: str | None = None
    """The session that may train on what is recorded here."""


class Engine:
    def __init__(self, bases: list[Base], checkpoints: Checkpoints, worker: Worker, futures: Futures) -> None:
        self.bases = {base.name: base for base in bases}
        self.checkpoints, self.worker, self.futures = checkpoints, worker, futures
        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, Run] = {}
        self.samplers: dict[str, SamplingSession] = {}
        self.snapshots = Snapshots()
        self.records = Records()

    # What exists

    def base(self, name: str) -> Base:
        if name not in self.bases:
            raise Missing(f"the model {name[:200]!r} is not served here", hint=f"Served models: {', '.join(self.bases)}")
        return self.bases[name]

    def session(self, identity: str) -> Session:
        if identity not in self.sessions:
            raise Missing("there is no such session; the engine may have been restarted", hint="Make a new ServiceClient")
        if self.sessions[identity].finished:
            raise Gone("this session has been finished")
        return self.sessions[identity]

    def run(self, identity: str) -> Run:
        if identity not in self.runs:
            hint = "After a restart of the engine, go on from a saved checkpoint"
            raise Missing(f"there is no model {identity[:128]!r} under training", hint=hint)
        return self.runs[identity]

    def sampler(self, identity: str) -> SamplingSession:
        if identity not in self.samplers:
            raise Missing("there is no such sampling session; the engine may have been restarted", hint="Make a new sampling client")
        return self.samplers[identity]

    def new_session(self, metadata: dict[str, Any] | None, display_name: str | None) -> Session:
        session = Session(uuid.uuid4().hex, metadata, display_name)
        self.sessions[session.id] = session
        return session

    def finish(self, identity: str) -> None:
        """End a session and free its models and samplers; saved checkpoints stay."""
        session = self.sessions.get(identity)
        if session is None:
            return
        session.finished = True
        for run in session.runs:
            self.runs.pop(run, None)
        for sampler in session.samplers:
            self.samplers.pop(sampler, None)
            self.snapshots.drop(sampler)
        self.records.drop(identity)

    # Work

    def work(self, future: Future, job: Callable[[], dict[str, Any] | bytes]) -> None:
        """Have the worker run ``job`` and answer ``future`` with what it returns or why it failed."""
        self.worker.submit(lambda: self._answer(future, job))

    def _answer(self, future: Future, job: Callable[[], dict[str, Any] | bytes]) -> None:
        try:
            result = job()
        except IdiolectError as error:
            self.futures.fail(future, str(error), "user")
        except Exception as error:
            log.exception("a request failed")
            self.futures.fail(future, f"the engine failed: {type(error).__name__}: {error}", "server")
        else:
            if isinstance(result, bytes):
                self.futures.resolve(future, protobuf=result)
            else:
                self.futures.resolve(future, json=result)

    def in_order(self, run: Run, number: int | None, job: Callable[[], dict[str, Any] | bytes]) -> Future:
        """Queue ``job`` as request ``number`` of ``run``. A number seen before gets the same future and runs nothing."""
        number = run.expected if number is None else number
        if number in run.answered:
            return run.answered[number]
        if number < max(1, run.expected):
            raise Gone(f"request {number} of this model was answered long ago")
        if number > run.expected + REMEMBERED:
            raise InputError(f"request {number} is too far ahead; {run.expected} is expected next")
        future = self.futures.new(model_id=run.id)
        run.answered[number] = future
        while len(run.answered) > 2 * REMEMBERED:
            run.answered.popitem(last=False)
        run.early[number] = lambda: self.work(future, job)
        while run.expected in run.early:
            run.early.pop(run.expected)()
            run.expected += 1
        return future

    def new_run(self, session: Session, number: int, base: Base, metadata: dict[str, Any] | None) -> Run:
        """Register run ``number`` of a session; its weights come with the job that creates it."""
        if not 0 <= number < 2**31:
            raise InputError(f"model_seq_id {number} is out of range")
        identity = f"{session.id}:train:{number}"
        run = Run(identity, base, session)
        self.runs[identity] = run
        session.runs.append(identity)
        self._metadata(run, metadata)
        return run

    def _metadata(self, run: Run, metadata: dict[str, Any] | None) -> None:
        run_facts = {"session": run.session.id, "base_model": run.base.name, "created": datetime.now(UTC).isoformat()}
        texts = {str(key): str(value) for key, value in (metadata or {}).items()}
        self.checkpoints.start_run(run.id, {**run_facts, "user_metadata": texts, "rank": None})

    def create(self, run: Run, shape: AdapterShape, seed: int | None) -> dict[str, Any]:
        """On the worker: give a new run fresh weights."""
        drawn = secrets.randbelow(2**31) if seed is None else seed
        run.trained = TrainedModel(Adapter.fresh(run.base.model, shape, drawn))
        self._remember_rank(run, shape)
        return {"model_id": run.id, "type": "create_model"}

    def load(self, run: Run, place: Place, *, optimizer: bool) -> dict[str, Any]:
        """On the worker: give a run a checkpoint's weights, with the optimizer's state or a fresh one."""
        with torch.no_grad():
            adapter = self.checkpoints.load_adapter(place, run.base.model)
            trained = TrainedModel(adapter)
            if optimizer:
                self.checkpoints.load_optimizer(place, trained)
        run.trained = trained
        self._remember_rank(run, adapter.shape)
        return {"path": str(place), "model_id": run.id, "type": "load_weights"}

    def _remember_rank(self, run: Run, shape: AdapterShape) -> None:
        facts = self.checkpoints.run(run.id)
        facts.pop("run")
        self.checkpoints.start_run(run.id, {**facts, "rank": shape.rank})

    @staticmethod
    def trained(run: Run) -> TrainedModel:
        if run.trained is None:
            raise InputError("this model could not be created, so nothing can be done with it")
        return run.trained

    # Samplers

    def new_sampler(self, session: Session, number: int, base: Base, path: str | None, snapshot: str | None) -> SamplingSession:
        made = SamplingSession(f"{session.id}:sample:{number}", base, path, snapshot, session.id)
        self.samplers[made.id] = made
        session.samplers.append(made.id)
        return made

    def frozen(self, sampler: SamplingSession) -> FrozenAdapter | None:
        return None if sampler.snapshot is None else self.snapshots.frozen(sampler.snapshot)

    def snapshot_of(self, place: Place) -> tuple[Base, str]:
        """A saved checkpoint as a snapshot, shared by all who sample from it until it is overwritten."""
        facts = self.checkpoints.facts(place)
        base = self.base(facts["base_model"])
        key = f"{place}@{self.checkpoints.folder(place).stat().st_mtime_ns}"
        if key not in self.snapshots:
            with torch.no_grad():
                self.snapshots.add(key, self.checkpoints.load_adapter(place, base.model))
        return base, key


def checked_shape(rank: int, attention: bool, mlp: bool, unembed: bool) -> AdapterShape:
    if not 1 <= rank <= MAX_RANK:
        raise InputError(f"a LoRA rank of {rank} is not possible", hint=f"Choose 1 to {MAX_RANK}")
    if not (attention or mlp or unembed):
        raise InputError("the LoRA covers no layer", hint="Train at least one of attention, MLP and unembedding")
    return AdapterShape(rank, attention, mlp, unembed)


def automatic_name(number: int) -> str:
    return f"step-{number:06d}"
