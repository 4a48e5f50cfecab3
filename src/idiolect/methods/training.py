"""The cookbook's supervised loop over a file of rows, so that a killed run goes on to the same weights.

Knows rows of requests and answers, and the loop. Knows nothing of where the rows came from or what is learnt.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from idiolect.errors import ServiceError
from idiolect.methods.run import Run
from idiolect.methods.tracking import Tracker, Tracking, tracked
from idiolect.service.connect import Connection, service_errors
from idiolect.settings import pocket_model
from idiolect.workspace import read_json, read_json_lines, write_json, write_json_lines

if TYPE_CHECKING:
    from tinker_cookbook.supervised import train

__all__ = ["Fitting", "correct_checkpoints", "fit", "initial_state", "quiet", "report_steps", "tidy", "usual_learning_rate", "with_key"]

_POCKET_RATE = 2e-3


@dataclass(frozen=True)
class Fitting:
    """What the loop is told."""

    base_model: str
    renderer: str
    recipe: str
    """The run's name in the cookbook's records."""
    steps: int
    batch_size: int
    """Rows a step."""
    learning_rate: float
    rank: int
    schedule: Literal["linear", "cosine", "constant"]
    max_length: int
    """Tokens of a row; longer ones are cut."""
    save_every: int
    seed: int
    together: int = 1
    """So many rows in a row of the file stay beside each other in a batch."""
    system_prompt: str | None = None
    """What stands before every row."""


async def fit(
    connection: Connection,
    run: Run,
    rows: Sequence[Sequence[str]],
    fitting: Fitting,
    *,
    tracking: Tracking | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """Train a new adapter on (request, answer) rows; its ``tinker://…/sampler_weights/…`` path.

    A killed run goes on from its last checkpoint. Raises ``ServiceError`` where the loop ends without a final one.
    """
    training = run.folder / "training"
    training.mkdir(exist_ok=True)
    write_json_lines(run.folder / "data.jsonl", rows)
    batches = math.ceil(len(rows) / fitting.batch_size)
    correct_checkpoints(training / "checkpoints.jsonl", batches, fitting.steps)
    if _final(training) is None:
        initial = await initial_state(connection, run, fitting.base_model, fitting.rank, fitting.seed)
        with tracked(run, tracking) as tracker:
            loop = _cookbook_config(connection, run, fitting, initial, batches, tracker)
            await _train(connection, loop, training / "metrics.jsonl", fitting.steps, on_progress)
    final = _final(training)
    if final is None:
        raise ServiceError("the training ended without a final checkpoint", where=str(training), hint="Run the command again")
    tidy(training, run)
    return final["sampler_path"]


async def initial_state(connection: Connection, run: Run, base_model: str, rank: int, seed: int) -> str:
    """The path of a new adapter made with our seed; the cookbook's loop has no seed of its own."""
    known = run.folder / "initial.json"
    if not known.exists():
        with service_errors(connection.base_url):
            client = await connection.client.create_lora_training_client(base_model=base_model, rank=rank, seed=seed)
            saved = await client.save_state("initial")
        write_json(known, {"path": saved.path})
    return read_json(known)["path"]


def _cookbook_config(connection: Connection, run: Run, fitting: Fitting, initial: str, batches: int, tracker: Tracker) -> train.Config:
    from tinker_cookbook.supervised import train

    from idiolect.methods.rows import RowsBuilder

    return train.Config(
        log_path=str(run.folder / "training"),
        model_name=fitting.base_model,
        recipe_name=fitting.recipe,
        load_checkpoint_path=initial,
        renderer_name=fitting.renderer,
        dataset_builder=RowsBuilder(
            path=str(run.folder / "data.jsonl"),
            model_name=fitting.base_model,
            renderer_name=fitting.renderer,
            batch_size=fitting.batch_size,
            max_length=fitting.max_length,
            seed=fitting.seed,
            together=fitting.together,
            system_prompt=fitting.system_prompt,
        ),
        learning_rate=fitting.learning_rate,
        lr_schedule=fitting.schedule,
        num_epochs=math.ceil(fitting.steps / batches),
        max_steps=fitting.steps,
        lora_rank=fitting.rank,
        base_url=connection.base_url,
        wandb_project=tracker.project,
        wandb_name=tracker.name,
        save_every=fitting.save_every,
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

    reporter = asyncio.create_task(report_steps(metrics, steps, on_progress)) if on_progress else None
    try:
        with quiet(), with_key(connection.api_key), service_errors(connection.base_url):
            await train.main(loop)
    finally:
        if reporter:
            reporter.cancel()
    if on_progress:
        on_progress(steps, steps)


async def report_steps(metrics: Path, steps: int, on_progress: Callable[[int, int], None]) -> None:
    told = -1
    while True:
        done = max((row.get("step", -1) + 1 for row in read_json_lines(metrics, torn_tail=True)), default=0) if metrics.exists() else 0
        if done != told:
            on_progress(min(done, steps), steps)
            told = done
        await asyncio.sleep(0.3)


@contextmanager
def quiet() -> Iterator[None]:
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
def with_key(api_key: str | None) -> Iterator[None]:
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


def correct_checkpoints(path: Path, batches: int, steps: int) -> None:
    """Make the records of a killed run say which batch comes next.

    The cookbook's loop saves a checkpoint after the optimizer step of batch N but records N as the batch to go on
    with, so the step would be done twice. Records torn by the kill, those of a step whose metrics the kill came before, and
    those past which nothing is left to do (the loop would not save a final checkpoint), are left out.
    """
    if not path.exists():
        return
    metrics = path.with_name("metrics.jsonl")
    logged = {row.get("step") for row in read_json_lines(metrics, torn_tail=True)} if metrics.exists() else set()
    records = []
    for record in read_json_lines(path, torn_tail=True):
        if record.get("name") != "final" and not record.get("next_batch"):
            ahead = record.get("epoch", 0) * batches + record["batch"] + 1
            if ahead >= steps or ahead - 1 not in logged:
                continue
            record |= {"epoch": ahead // batches, "batch": ahead % batches, "next_batch": True}
        records.append(record)
    write_json_lines(path, records)


def _final(training: Path) -> dict[str, Any] | None:
    path = training / "checkpoints.jsonl"
    records = list(read_json_lines(path, torn_tail=True)) if path.exists() else []
    return next((record for record in reversed(records) if record.get("name") == "final"), None)


def tidy(training: Path, run: Run) -> None:
    """The run's metrics with each step once, and without the diff that the cookbook takes of whatever repository it stands in."""
    by_step = {row.get("step"): row for row in read_json_lines(training / "metrics.jsonl", torn_tail=True)}
    write_json_lines(run.folder / "metrics.jsonl", [by_step[step] for step in sorted(step for step in by_step if step is not None)])
    write_json_lines(run.folder / "checkpoints.jsonl", read_json_lines(training / "checkpoints.jsonl", torn_tail=True))
    with suppress(FileNotFoundError):
        (training / "code.diff").unlink()
