"""What the server knows: base models, sessions, models under training, samplers. Knows no HTTP.

Methods are called on the event loop, so that registering a request is atomic; what computes is handed to the worker.
"""

from __future__ import annotations

import logging
import secrets
import time
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
from idiolect.engine.paging import TrainedModels
from idiolect.engine.provenance import Records
from idiolect.engine.sampling import Sampler
from idiolect.engine.sessions import Gone, Missing, Session, Sessions, texts
from idiolect.engine.snapshots import Snapshots
from idiolect.engine.training import TrainedModel
from idiolect.engine.transformer import Transformer
from idiolect.engine.worker import Worker
from idiolect.errors import IdiolectError, InputError

__all__ = ["Base", "Engine", "Gone", "Missing", "Run", "SamplingSession", "Session", "automatic_name", "checked_shape"]

REMEMBERED = 4096
"""Sequence numbers of a model, and idempotency keys of the server, whose answers are repeated when asked for again."""

MAX_RANK = 1024

log = logging.getLogger(__name__)


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
class Run:
    """A model under training. Requests carry sequence numbers from 1 and run in their order, however they arrive."""

    id: str
    base: Base
    session: Session
    shape: AdapterShape | None = None
    """What its adapter covers, once it has weights."""
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
    def __init__(
        self, bases: list[Base], checkpoints: Checkpoints, worker: Worker, futures: Futures, *, session_timeout: float, memory: int
    ) -> None:
        """``session_timeout`` in seconds; ``memory`` bounds the bytes that models under training fill before they are paged out."""
        self.bases = {base.name: base for base in bases}
        self.checkpoints, self.worker, self.futures = checkpoints, worker, futures
        self.sessions = Sessions(checkpoints.state, session_timeout)
        self.runs: dict[str, Run] = {}
        self.models = TrainedModels(checkpoints.state, memory)
        self.samplers: dict[str, SamplingSession] = {}
        self.snapshots = Snapshots()
        self.records = Records()

    # What exists

    def base(self, name: str) -> Base:
        if name not in self.bases:
            raise Missing(f"the model {name[:200]!r} is not served here", hint=f"Served models: {', '.join(self.bases)}")
        return self.bases[name]

    def session(self, identity: str) -> Session:
        return self.sessions.get(identity)

    def run(self, identity: str) -> Run:
        if identity not in self.runs:
            raise Missing(f"there is no model {identity[:128]!r} under training", hint=self._way_on(identity))
        return self.runs[identity]

    def _way_on(self, identity: str) -> str:
        """What a client can do whose model is no longer in memory."""
        try:
            self.checkpoints.run(identity)
        except InputError:
            return "Check its name"
        saved = [facts["path"] for facts in self.checkpoints.of_run(identity) if "/weights/" in facts["path"]]
        if not saved:
            return "Its session or the engine has ended, and it was never saved: train it anew"
        return f"Its session or the engine has ended: go on from {saved[-1]} with create_training_client_from_state_with_optimizer"

    def sampler(self, identity: str) -> SamplingSession:
        if identity not in self.samplers:
            self._revive(identity)
        return self.samplers[identity]

    def _revive(self, identity: str) -> None:
        """Make a sampler again that was made before a restart. Raises ``Missing`` if it cannot be the same one."""
        hint = "Make a new sampling client"
        session = self.sessions.all.get(identity.split(":")[0])
        if session is None or session.ended or identity not in session.lasting:
            raise Missing("there is no such sampling session; it or the engine has ended", hint=hint)
        held = session.lasting[identity]
        base, path, version = self.base(str(held["base"])), held["path"], held["version"]
        snapshot = None
        if path is not None:
            _, snapshot = self.snapshot_of(Place.parsed(path))
            if snapshot != version:
                raise Missing(f"{path} was saved anew while the engine was restarted, and this sampler had the earlier weights", hint=hint)
            self.snapshots.hold(snapshot)
        self.samplers[identity] = SamplingSession(identity, base, path, snapshot, session.id)

    def new_session(self, metadata: dict[str, Any] | None, display_name: str | None, project: str | None = None) -> Session:
        return self.sessions.new(metadata, display_name, project)

    # Endings

    def finish(self, identity: str, status: dict[str, Any] | None) -> None:
        """End a session and free its models and samplers; saved checkpoints stay. A second ending changes nothing."""
        session = self.sessions.all.get(identity)
        if session is None or session.ended:
            return
        session.status = status
        self.sessions.keep(session)
        for run in session.runs:
            if run in self.runs:
                self.release(self.runs[run])
        for sampler in session.samplers:
            held = self.samplers.pop(sampler, None)
            if held is not None and held.snapshot is not None:
                self.snapshots.release(held.snapshot)
        self.records.drop(identity)

    def release(self, run: Run) -> None:
        """Free a model. Requests of it that wait for earlier ones fail; those already queued fail when their turn comes."""
        self.runs.pop(run.id, None)
        for number in list(run.early):
            run.early.pop(number)
            self.futures.fail(run.answered[number], "the model was unloaded before this request's turn came", "user")
        self.worker.submit(lambda: self.models.drop(run.id))

    def tend(self) -> None:
        """End what was not heard of for too long; to be called now and then."""
        for session in self.sessions.silent():
            log.warning("session %s was not heard of for %g seconds and is ended", session.id, self.sessions.timeout)
            self.finish(session.id, None)

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

    def in_order(self, run: Run, number: int | None, job: Callable[[], dict[str, Any] | bytes], size: int = 0) -> Future:
        """Queue ``job`` as request ``number`` of ``run``, which holds ``size`` bytes. A number seen before gets the same future and
        runs nothing. The number that is expected next is taken however much waits: others may be waiting for it."""
        number = run.expected if number is None else number
        if number in run.answered:
            return run.answered[number]
        if number < max(1, run.expected):
            raise Gone(f"request {number} of this model was answered long ago")
        if number > run.expected + REMEMBERED:
            raise InputError(f"request {number} is too far ahead; {run.expected} is expected next")
        future = self.futures.new(size=size, always=number == run.expected, model_id=run.id)
        run.session.seen = time.monotonic()
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
        run = Run(self.new_run_name(session, number), base, session)
        self._write_run(session, run.id, base.name, texts(metadata), None)
        self.runs[run.id] = run
        return run

    def new_run_name(self, session: Session, number: int) -> str:
        if not 0 <= number < 2**31:
            raise InputError(f"model_seq_id {number} is out of range")
        identity = f"{session.id}:train:{number}"
        if identity in session.runs:
            raise Gone(f"model {number} of this session was made before, and is no longer under training", hint=self._way_on(identity))
        return identity

    def _write_run(self, session: Session, identity: str, base: str, metadata: dict[str, str], rank: int | None) -> None:
        facts = {"session": session.id, "project": session.project, "base_model": base, "created": datetime.now(UTC).isoformat()}
        self.checkpoints.start_run(identity, {**facts, "user_metadata": metadata, "rank": rank})
        session.runs.append(identity)
        self.sessions.keep(session)

    def create(self, run: Run, shape: AdapterShape, seed: int | None) -> dict[str, Any]:
        """On the worker: give a new run fresh weights."""
        drawn = secrets.randbelow(2**31) if seed is None else seed
        self._give(run, TrainedModel(Adapter.fresh(run.base.model, shape, drawn)))
        return {"model_id": run.id, "type": "create_model"}

    def load(self, run: Run, place: Place, *, optimizer: bool) -> dict[str, Any]:
        """On the worker: give a run a checkpoint's weights, with the optimizer's state or a fresh one."""
        with torch.no_grad():
            trained = TrainedModel(self.checkpoints.load_adapter(place, run.base.model))
            if optimizer:
                self.checkpoints.load_optimizer(place, trained)
        self._give(run, trained)
        return {"path": str(place), "model_id": run.id, "type": "load_weights"}

    def _give(self, run: Run, trained: TrainedModel) -> None:
        if run.id not in self.runs:
            raise InputError("this model was unloaded, or its session ended, before it had weights")
        run.shape = trained.adapter.shape
        self.models.put(run.id, trained)
        self.checkpoints.start_run(run.id, {**self.checkpoints.run(run.id), "rank": run.shape.rank})

    def trained(self, run: Run) -> TrainedModel:
        """On the worker: the model of a run, brought back into memory if it was paged out."""
        if run.id not in self.runs:
            raise InputError("this model has been unloaded, or its session has ended", hint=self._way_on(run.id))
        trained = self.models.get(run.id)
        if trained is None:
            raise InputError("this model could not be created, so nothing can be done with it")
        return trained

    def copied(self, source: Place, session: Session | None, number: int, project: str | None, ttl: int | None) -> Place:
        """A checkpoint's copy under a run of its own: the session's ``number``, or a new one of ``project``."""
        facts = self.checkpoints.facts(source)
        run = f"{uuid.uuid4().hex}:train:0" if session is None else self.new_run_name(session, number)
        place = Place.made(run, source.kind, source.name)
        self.checkpoints.copy(source, place, ttl)
        if session is not None:
            self._write_run(session, run, facts["base_model"], {}, facts["rank"])
            return place
        described = {"session": None, "project": project, "base_model": facts["base_model"], "created": datetime.now(UTC).isoformat()}
        self.checkpoints.start_run(run, {**described, "user_metadata": {}, "rank": facts["rank"]})
        return place

    # Samplers

    def new_sampler(self, session: Session, number: int, base: Base, path: str | None, snapshot: str | None) -> SamplingSession:
        """Sampler ``number`` of a session. A number that comes again gets the same sampler, if it is asked for the same."""
        if not 0 <= number < 2**31:
            raise InputError(f"sampling_session_seq_id {number} is out of range")
        made = SamplingSession(f"{session.id}:sample:{number}", base, path, snapshot, session.id)
        known = self.samplers.get(made.id)
        if known is not None:
            if (known.base.name, known.path) != (base.name, path):
                raise InputError(f"sampling session {number} of this session reads other weights", hint="Count sampling sessions up")
            return known
        if snapshot is not None:
            self.snapshots.hold(snapshot)
        self.samplers[made.id] = made
        session.samplers.append(made.id)
        if snapshot is None or path is not None:
            session.lasting[made.id] = {"base": base.name, "path": path, "version": snapshot}
            self.sessions.keep(session)
        return made

    def publish(self, run: Run, number: int | None, *, inflight: bool) -> SamplingSession:
        """On the worker: a sampler of the run's weights as they are, or of those that all its ``inflight`` samplers share."""
        number = secrets.randbelow(2**31) if number is None else number
        adapter = self.trained(run).adapter.snapshot()
        key = f"{run.id}:inflight" if inflight else f"{run.session.id}:sample:{number}"
        if inflight:
            self.snapshots.replace(key, adapter)
        else:
            self.snapshots.add(key, adapter)
        return self.new_sampler(run.session, number, run.base, None, key)

    def frozen(self, sampler: SamplingSession) -> FrozenAdapter | None:
        return None if sampler.snapshot is None else self.snapshots.frozen(sampler.snapshot)

    def snapshot_of(self, place: Place) -> tuple[Base, str]:
        """A saved checkpoint as a snapshot, shared by all who sample from it until it is overwritten."""
        facts = self.checkpoints.facts(place)
        base = self.base(facts["base_model"])
        key = f"{place}@{facts.get('version', facts['time'])}"
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
