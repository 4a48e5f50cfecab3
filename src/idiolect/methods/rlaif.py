"""Reinforcement learning from a judge: the policy writes drafts in groups, a judge of pairs says which are better, the wins are the reward.

Knows a judge and checks of drafts, and the cookbook's RL loop. Knows nothing of where the judge came from.

    for each step:                                                     (GRPO without division by the deviation, arXiv 2402.03300)
        for each request x of the batch: y_1 … y_G ~ π(· | prompt, x)
        r_i = Σ_j ±1 over the matches of y_i, a lost or invented fact loses them all;  + 1 or − 1 for the form
        A_i = r_i − mean(r);  ∇ Σ_i A_i · π(y_i) / π_old(y_i)
    every few steps: a look at the development requests; back to the best one at the end
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.errors import InputError, ServiceError
from idiolect.methods.checks import DraftChecks
from idiolect.methods.looks import Examiner, Stopped, Style, evaluator
from idiolect.methods.run import Run, open_run, training_state
from idiolect.methods.tournament import AsyncJudge, Pattern, Referee
from idiolect.methods.tracking import Tracker, Tracking, tracked
from idiolect.methods.training import initial_state, quiet, report_steps, tidy, with_key
from idiolect.methods.watch import Look, best, why_best
from idiolect.service.connect import Connection, service_errors
from idiolect.service.sampling import draft
from idiolect.service.writer import Writer
from idiolect.settings import Settings, pocket_model
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, append_json_line, read_json_lines, write_json

if TYPE_CHECKING:
    from tinker_cookbook.rl import train

    from idiolect.methods.preference_env import Ground

__all__ = ["RlaifConfig", "rlaif"]

_POCKET_RATE = 5e-4
"""At 2e-3 the policy unlearns to copy facts before it has learnt the habits, at 1e-3 on some authors (docs/LOG.md)."""
_RATE = 4e-5


class RlaifConfig(BaseModel):
    """Reinforcement learning with rewards from a judge of pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    steps: int = Field(default=30, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=16, ge=1)
    """Requests a step, each with a group of drafts."""
    group_size: int = Field(default=4, ge=2)
    """Drafts a request."""
    pattern: Pattern = Pattern.BOTH_WAYS
    """Who meets whom in a group."""
    learning_rate: float | None = Field(default=None, gt=0)
    """By default 5e-4 for the pocket model, else 4e-5."""
    rank: int = Field(default=16, ge=1)
    """Rank of a new LoRA adapter; a start that has an adapter goes on with its own."""
    exploration: float = Field(default=1.0, gt=0)
    """Sampling temperature of the training drafts."""
    max_tokens: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """Tokens that a draft may have, in training and afterwards; by default as many as the start's."""
    kl_penalty: float = Field(default=0.1, ge=0)
    """Weight of the penalty for leaving the first policy, per token."""
    length_penalty: float = Field(default=0.0, ge=0)
    """Taken off the reward for each usual length of the person that a draft is longer than the usual one."""
    training_prompt: bool = False
    """Give the training prompts the person's style prompt, which the trained writer then goes without."""
    every: int = Field(default=2, ge=1)
    """Steps between looks at the development requests; each is a checkpoint that can be gone back to."""
    dev_requests: int = Field(default=32, ge=2)
    """Requests that are kept for the looks, the last ones; never more than half."""
    patience: int = Field(default=2, ge=0)
    """Looks with an alarm, one after the other, that end the training; 0 never does."""


async def rlaif(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    first: Writer,
    judge: AsyncJudge,
    requests: Sequence[str],
    demonstrations: Sequence[Demonstration],
    config: RlaifConfig | None = None,
    *,
    second: AsyncJudge | None = None,
    style: Style | None = None,
    again: bool = False,
    tracking: Tracking | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Writer:
    """Train from ``first``, and go back to the best look. ``second`` and ``style`` are only watched, never trained on.

    A killed run goes on from its last checkpoint. Raises ``InputError`` for too few requests.
    """
    config = settings.filled("rlaif", config or RlaifConfig())
    first = first.model_copy(update={"max_tokens": config.max_tokens or first.max_tokens})
    training, dev = _split(workspace, requests, config.dev_requests)
    prompt = _training_prompt(workspace, first) if config.training_prompt else None
    run = open_run(workspace, "rlaif", {
        **config.model_dump(mode="json"), "seed": settings.seed, "first": first.model_dump(mode="json"),
        "judge": judge.name, "second": second.name if second else None, "requests": len(training), "prompt": prompt,
        "requests_sha256": hashlib.sha256(json.dumps([training, dev], ensure_ascii=False).encode()).hexdigest(),
    }, again=again)  # fmt: skip
    if run.finished:
        return run.writer()

    checks = DraftChecks(demonstrations, min_words=load_task(settings.task, workspace).checks.min_words)
    bare = first.model_copy(update={"name": "rlaif", "system_prompt": None, "examples": ()}) if prompt else first
    examiner = Examiner(
        connection, writer=bare, first=first, requests=dev, checks=checks, judge=judge, second=second, style=style,
        path=run.folder / "looks.jsonl", seed=settings.seed, patience=config.patience,
    )  # fmt: skip
    ground = await _ground(connection, run, first, prompt, training, Referee(judge, config.pattern, config.length_penalty), checks, config)
    initial = training_state(workspace, first) or await initial_state(connection, run, first.base_model, config.rank, settings.seed)
    with tracked(run, tracking) as tracker:
        loop = _cookbook_config(connection, run, ground, examiner, training, initial, config, settings.seed, tracker)
        await _train(connection, run, loop, config.steps, on_progress)
    await _last_look(connection, run, examiner, config.steps)
    return _finish(run, examiner.looks, first, bare)


def _split(workspace: Workspace, requests: Sequence[str], dev: int) -> tuple[list[str], list[str]]:
    """Training requests, and the last ones for development; no request is in both."""
    distinct = list(dict.fromkeys(request.strip() for request in requests if request.strip()))
    count = min(dev, len(distinct) // 2)
    if count < 2:
        raise InputError(
            f"{len(distinct)} requests are too few to train on and to look at", where=str(workspace.synthetic),
            hint="Run `idiolect synthesize`, or import more texts",
        )  # fmt: skip
    return distinct[:-count], distinct[-count:]


def _training_prompt(workspace: Workspace, first: Writer) -> str | None:
    """The style prompt of the workspace, or that of the start."""
    written = workspace.prompt.read_text(encoding="utf-8").strip() if workspace.prompt.is_file() else ""
    return written or first.system_prompt


async def _ground(
    connection: Connection, run: Run, first: Writer, prompt: str | None, requests: Sequence[str], referee: Referee, checks: DraftChecks,
    config: RlaifConfig,
) -> Ground:  # fmt: skip
    from idiolect.methods.preference_env import Ground

    references = await _references(connection, run, first, requests) if config.pattern is Pattern.REFERENCE else {}
    told = first.model_copy(update={"system_prompt": prompt}) if prompt else first
    return Ground(told, connection.renderer(first), referee, checks, config.group_size, references)


async def _references(connection: Connection, run: Run, first: Writer, requests: Sequence[str]) -> dict[str, str]:
    """The first policy's draft for each request, written once a run."""
    path = run.folder / "references.jsonl"
    known = {row["request"]: row["text"] for row in read_json_lines(path, torn_tail=True)} if path.exists() else {}
    left = [request for request in requests if request not in known]
    for one in await draft(connection, first, left, seed=0):
        append_json_line(path, {"request": one.request, "text": one.text})
        known[one.request] = one.text
    return known


def _cookbook_config(
    connection: Connection, run: Run, ground: Ground, examiner: Examiner, requests: Sequence[str], initial: str, config: RlaifConfig,
    seed: int, tracker: Tracker,
) -> train.Config:  # fmt: skip
    from tinker_cookbook.rl import train

    from idiolect.methods.preference_env import RubricPreferenceDataset, RubricPreferenceDatasetBuilder

    first = examiner.first
    folder = run.folder / "training"
    start = max((record["batch"] for record in _checkpoints(run)), default=0)
    dataset = RubricPreferenceDataset(requests, ground, config.batch_size, config.steps, seed)
    reference = train.KLReferenceConfig(base_model=first.base_model, load_checkpoint_path=first.adapter)
    return train.Config(
        log_path=str(folder),
        model_name=first.base_model,
        recipe_name="idiolect_rlaif",
        renderer_name=first.renderer,
        load_checkpoint_path=initial,
        dataset_builder=RubricPreferenceDatasetBuilder(dataset=dataset),
        evaluator_builders=[evaluator(examiner, start, config.every, partial(_sampler_of, run))],
        learning_rate=config.learning_rate or (_POCKET_RATE if first.base_model == pocket_model() else _RATE),
        max_tokens=first.max_tokens,
        temperature=config.exploration,
        lora_rank=config.rank,
        kl_penalty_coef=config.kl_penalty,
        kl_reference_config=reference if config.kl_penalty else None,
        eval_every=config.every,
        save_every=config.every,
        ttl_seconds=None,
        base_url=connection.base_url,
        wandb_project=tracker.project,
        wandb_name=tracker.name,
        # Its logs of rollouts would hold what the person was asked to write.
        num_groups_to_log=0,
        rollout_json_export=False,
    )


async def _train(connection: Connection, run: Run, loop: train.Config, steps: int, on_progress: Callable[[int, int], None] | None) -> None:
    from tinker_cookbook.rl import train

    metrics = Path(loop.log_path) / "metrics.jsonl"
    reporter = asyncio.create_task(report_steps(metrics, steps, on_progress)) if on_progress else None
    try:
        with quiet(), _no_bars(train), with_key(connection.api_key), service_errors(connection.base_url), suppress(Stopped):
            await train.main(loop)
    finally:
        if reporter:
            reporter.cancel()
    tidy(Path(loop.log_path), run)
    if on_progress:
        on_progress(steps, steps)


@contextmanager
def _no_bars(loop: Any) -> Iterator[None]:
    """Keep the cookbook's own bars off the person's screen, where ours stands."""
    bar = loop.tqdm
    loop.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        loop.tqdm = bar


async def _last_look(connection: Connection, run: Run, examiner: Examiner, steps: int) -> None:
    """The loop looks before each step, so what the last one brought is looked at here, unless the watch ended the training."""
    path = _sampler_of(run, steps)
    if path is not None:
        with suppress(Stopped):
            await examiner.look(await connection.sampler(examiner.writer.model_copy(update={"adapter": path})), steps, path)


def _finish(run: Run, looks: Sequence[Look], first: Writer, bare: Writer) -> Writer:
    if not looks:
        raise ServiceError("the training ended without a look at the policy", where=str(run.folder), hint="Run the command again")
    chosen = best(looks)
    alarmed = sorted({name for look in looks for name in look.alarms})
    told = {"chosen_step": chosen.step, "last_step": looks[-1].step, "alarms": alarmed, "why": why_best(looks)}
    write_json(run.folder / "watch.json", told)
    # Where no step was better than the start, the start is what is given back, prompt and all.
    adapter, writer = (chosen.sampler_path, bare) if chosen.step else (first.adapter, first)
    return run.finish(writer.model_copy(update={"name": "rlaif", "adapter": adapter}))


def _checkpoints(run: Run) -> list[dict[str, Any]]:
    path = run.folder / "training" / "checkpoints.jsonl"
    return [record for record in read_json_lines(path, torn_tail=True) if record.get("state_path")] if path.exists() else []


def _sampler_of(run: Run, step: int) -> str | None:
    """The sampler's weights that were saved after ``step`` steps."""
    return next((record["sampler_path"] for record in reversed(_checkpoints(run)) if record["batch"] == step), None)
