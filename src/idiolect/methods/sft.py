"""Supervised fine-tuning: a LoRA adapter learns (request → text) without any prompt.

Knows rows of requests and texts, and the cookbook's training loop. Knows nothing of where the rows came from.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.errors import InputError, ServiceError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.run import Run, open_run
from idiolect.methods.tracking import Tracker, Tracking, tracked
from idiolect.service.connect import Connection, service_errors
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, read_json, read_json_lines, write_json, write_json_lines

if TYPE_CHECKING:
    from tinker_cookbook.supervised import train

__all__ = ["SftConfig", "sft"]

_POCKET_RATE = 2e-3


class SftConfig(BaseModel):
    """LoRA fine-tuning on synthetic data, the person's own texts, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    data: Literal["synthetic", "demonstrations", "both"] = "both"
    """What is learnt from."""
    steps: int = Field(default=60, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=8, ge=1)
    """Texts a step."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate; by default 2e-3 for the pocket model, else 10 times the usual one of full fine-tuning at the model's width."""
    rank: int = Field(default=16, ge=1)
    """Rank of the LoRA adapter."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls."""
    max_length: int = Field(default=1024, ge=16)
    """Tokens of a request and its text; longer ones are cut."""
    save_every: int = Field(default=20, ge=1)
    """Steps between checkpoints; a killed run goes on from the last one."""
    temperature: float = Field(default=TEMPERATURE, ge=0)
    """Sampling temperature of the drafts."""


async def sft(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    synthetic: Sequence[Demonstration],
    config: SftConfig | None = None,
    *,
    again: bool = False,
    tracking: Tracking | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Writer:
    """Train an adapter on the chosen rows. A killed run goes on from its last checkpoint to the same weights."""
    config = settings.filled("sft", config or SftConfig())
    rows = _rows(config, demonstrations, synthetic)
    plain = plain_writer(workspace, settings, name="sft", temperature=config.temperature)
    run = open_run(workspace, "sft", {
        **config.model_dump(mode="json"), "seed": settings.seed, "base_model": plain.base_model, "renderer": plain.renderer,
        "rows": len(rows), "rows_sha256": hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest(),
    }, again=again)  # fmt: skip
    if run.finished:
        return run.writer()

    training = run.folder / "training"
    training.mkdir(exist_ok=True)
    write_json_lines(run.folder / "data.jsonl", rows)
    batches = math.ceil(len(rows) / config.batch_size)
    _correct_checkpoints(training / "checkpoints.jsonl", batches, config.steps)
    if _final(training) is None:
        initial = await _initial_state(connection, run, plain.base_model, config.rank, settings.seed)
        with tracked(run, tracking) as tracker:
            loop = _cookbook_config(connection, run, plain, config, settings.seed, initial, batches, tracker)
            await _train(connection, loop, training / "metrics.jsonl", config.steps, on_progress)
    final = _final(training)
    if final is None:
        raise ServiceError("the training ended without a final checkpoint", where=str(training), hint="Run the command again")
    _tidy(training, run)
    # The adapter has learnt the voice, so it writes without instruction and prompt.
    return run.finish(plain.model_copy(update={"adapter": final["sampler_path"], "system_prompt": None}))


def _rows(config: SftConfig, demonstrations: Sequence[Demonstration], synthetic: Sequence[Demonstration]) -> list[list[str]]:
    own = [row for row in demonstrations if row.input and row.output] if config.data != "synthetic" else []
    made = list(synthetic) if config.data != "demonstrations" else []
    rows = [[row.input, row.output] for row in (*own, *made)]
    if not rows:
        raise InputError(
            "there is nothing to learn from", where=f"data = {config.data}", hint="Run `idiolect import` or `idiolect synthesize`"
        )
    return rows


async def _initial_state(connection: Connection, run: Run, base_model: str, rank: int, seed: int) -> str:
    """The path of a new adapter made with our seed; the cookbook's loop has no seed of its own."""
    known = run.folder / "initial.json"
    if not known.exists():
        with service_errors(connection.base_url):
            client = await connection.client.create_lora_training_client(base_model=base_model, rank=rank, seed=seed)
            saved = await client.save_state("initial")
        write_json(known, {"path": saved.path})
    return read_json(known)["path"]


def _cookbook_config(
    connection: Connection, run: Run, plain: Writer, config: SftConfig, seed: int, initial: str, batches: int, tracker: Tracker
) -> train.Config:
    from tinker_cookbook.supervised import train

    from idiolect.methods.rows import RowsBuilder

    return train.Config(
        log_path=str(run.folder / "training"),
        model_name=plain.base_model,
        recipe_name="idiolect_sft",
        load_checkpoint_path=initial,
        renderer_name=plain.renderer,
        dataset_builder=RowsBuilder(
            path=str(run.folder / "data.jsonl"),
            model_name=plain.base_model,
            renderer_name=plain.renderer,
            batch_size=config.batch_size,
            max_length=config.max_length,
            seed=seed,
        ),
        learning_rate=config.learning_rate or usual_learning_rate(plain.base_model),
        lr_schedule=config.schedule,
        num_epochs=math.ceil(config.steps / batches),
        max_steps=config.steps,
        lora_rank=config.rank,
        base_url=connection.base_url,
        wandb_project=tracker.project,
        wandb_name=tracker.name,
        save_every=config.save_every,
        eval_every=0,
        # With a step in flight a checkpoint would hold one more step than its record says.
        submit_ahead=0,
    )


def usual_learning_rate(base_model: str) -> float:
    """The cookbook's rule for LoRA on Qwen models, 5e-5 · 10 · (2000 / width)^0.0775, for folders as well.

    The rule was fitted to models a thousand times the pocket model's size; its rate comes from development authors.
    """
    if base_model == pocket_model():
        return _POCKET_RATE
    config = Path(base_model) / "config.json"
    if config.is_file():
        return 5e-5 * 10 * (2000 / read_json(config)["hidden_size"]) ** 0.0775
    from tinker_cookbook.hyperparam_utils import get_lr

    return get_lr(base_model)


async def _train(
    connection: Connection, loop: train.Config, metrics: Path, steps: int, on_progress: Callable[[int, int], None] | None
) -> None:
    from tinker_cookbook.supervised import train

    reporter = asyncio.create_task(_report(metrics, steps, on_progress)) if on_progress else None
    try:
        with _quiet(), _key(connection.api_key), service_errors(connection.base_url):
            await train.main(loop)
    finally:
        if reporter:
            reporter.cancel()
    if on_progress:
        on_progress(steps, steps)


async def _report(metrics: Path, steps: int, on_progress: Callable[[int, int], None]) -> None:
    told = -1
    while True:
        done = max((row.get("step", -1) + 1 for row in read_json_lines(metrics, torn_tail=True)), default=0) if metrics.exists() else 0
        if done != told:
            on_progress(min(done, steps), steps)
            told = done
        await asyncio.sleep(0.3)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the cookbook's log lines and deprecation warnings off the person's screen; it replaces the root handlers."""
    root = logging.getLogger()
    handlers, level, disabled = root.handlers[:], root.level, logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            yield
        finally:
            for handler in root.handlers[:]:
                if handler not in handlers:
                    root.removeHandler(handler)
                    handler.close()
            root.handlers[:] = handlers
            root.setLevel(level)
            logging.disable(disabled)


@contextmanager
def _key(api_key: str | None) -> Iterator[None]:
    """The cookbook's loop makes its own client, which reads the key from the environment."""
    before = os.environ.get("TINKER_API_KEY")
    if api_key:
        os.environ["TINKER_API_KEY"] = api_key
    try:
        yield
    finally:
        if api_key and before is None:
            del os.environ["TINKER_API_KEY"]
        elif before is not None:
            os.environ["TINKER_API_KEY"] = before


def _correct_checkpoints(path: Path, batches: int, steps: int) -> None:
    """Make the records of a killed run say which batch comes next.

    The cookbook's loop saves a checkpoint after the optimizer step of batch N but records N as the batch to go on
    with, so the step would be done twice. Records torn by the kill, and those past which nothing is left to do
    (the loop would not save a final checkpoint), are left out.
    """
    if not path.exists():
        return
    records = []
    for record in read_json_lines(path, torn_tail=True):
        if record.get("name") != "final" and not record.get("next_batch"):
            ahead = record.get("epoch", 0) * batches + record["batch"] + 1
            if ahead >= steps:
                continue
            record |= {"epoch": ahead // batches, "batch": ahead % batches, "next_batch": True}
        records.append(record)
    write_json_lines(path, records)


def _final(training: Path) -> dict[str, Any] | None:
    path = training / "checkpoints.jsonl"
    records = list(read_json_lines(path, torn_tail=True)) if path.exists() else []
    return next((record for record in reversed(records) if record.get("name") == "final"), None)


def _tidy(training: Path, run: Run) -> None:
    """The run's metrics with each step once, and without the diff that the cookbook takes of whatever repository it stands in."""
    by_step = {row.get("step"): row for row in read_json_lines(training / "metrics.jsonl", torn_tail=True)}
    write_json_lines(run.folder / "metrics.jsonl", [by_step[step] for step in sorted(step for step in by_step if step is not None)])
    write_json_lines(run.folder / "checkpoints.jsonl", read_json_lines(training / "checkpoints.jsonl", torn_tail=True))
    with suppress(FileNotFoundError):
        (training / "code.diff").unlink()
