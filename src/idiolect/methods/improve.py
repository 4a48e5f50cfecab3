"""Learning from use: DPO on the votes and edits that a person made, from the writer that wrote the drafts.

Knows preference pairs, a writer's run and a training client. Knows nothing of who collects the pairs.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus.preferences import Preference as Choice
from idiolect.errors import InputError
from idiolect.methods.dpo import DpoLoss, Preference, dpo_step, text_of
from idiolect.methods.run import Run, open_run, training_state
from idiolect.service.connect import Connection, service_errors
from idiolect.service.scores import text_logprobs
from idiolect.service.writer import Writer
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, append_json_line, read_json, read_json_lines, write_json

if TYPE_CHECKING:
    import tinker

__all__ = ["ImproveConfig", "improve"]

_POCKET_RATE = 1e-4
_RATE = 1e-5
_MAX_LENGTH = 1024


class ImproveConfig(BaseModel):
    """DPO on the person's own votes and edits."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    steps: int = Field(default=30, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=8, ge=1)
    """Pairs a step."""
    learning_rate: float | None = Field(default=None, gt=0)
    """By default 1e-4 for the pocket model, else 1e-5."""
    beta: float = Field(default=0.1, gt=0)
    """How dear it is to leave the writer that is improved."""
    imitation: float = Field(default=0.2, ge=0)
    """Weight of the preferred text's own log-probability, so that edits are learnt as texts and not only as differences."""
    rank: int = Field(default=16, ge=1)
    """Rank of a new adapter, where the writer has none."""
    save_every: int = Field(default=10, ge=1)
    """Steps between checkpoints; a killed run goes on from the last one."""


async def improve(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    start: Writer,
    choices: Sequence[Choice],
    config: ImproveConfig | None = None,
    *,
    again: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Writer:
    """Train on from ``start``; its prompt and examples stay with the result. A killed run goes on to the same weights.

    Raises ``InputError`` where there is nothing to learn from, or where the adapter's training state is not in this workspace.
    """
    config = config or ImproveConfig()
    pairs = _told(choices)
    if not pairs:
        hint = "Vote or edit in `idiolect studio` first"
        raise InputError("there are no votes and no edits to learn from", where=str(workspace.preferences), hint=hint)
    run = open_run(workspace, "improve", {
        **config.model_dump(mode="json"), "seed": settings.seed, "start": start.model_dump(mode="json"), "pairs": len(pairs),
        "pairs_sha256": hashlib.sha256(json.dumps(pairs, ensure_ascii=False).encode()).hexdigest(),
    }, again=again)  # fmt: skip
    if run.finished:
        return run.writer()
    rate = config.learning_rate or (_POCKET_RATE if start.base_model == pocket_model() else _RATE)
    loss = DpoLoss(beta=config.beta, imitation=config.imitation)
    with service_errors(connection.base_url):
        done, client = await _client(connection, workspace, run, start, config, settings.seed)
        known = await _pairs(connection, run, start, pairs)
        for step in range(done, config.steps):
            batch = random.Random(f"{settings.seed} improve {step}").choices(known, k=config.batch_size)
            run.log(step=step, **await dpo_step(client, batch, loss, rate))
            if on_progress:
                on_progress(step + 1, config.steps)
            if (step + 1) % config.save_every == 0 and step + 1 < config.steps:
                state = (await client.save_state(f"step-{step + 1}")).path
                append_json_line(run.folder / "checkpoints.jsonl", {"step": step + 1, "state": state})
        append_json_line(run.folder / "checkpoints.jsonl", {"step": config.steps, "state": (await client.save_state("final")).path})
        adapter = (await client.save_weights_for_sampler("final")).path
    return run.finish(start.model_copy(update={"name": "improved", "adapter": adapter}))


def _told(choices: Sequence[Choice]) -> list[tuple[str, str, str]]:
    """(request, preferred, rejected) of each choice that says something, without repetitions."""
    told = [(one.request, one.preferred.strip(), one.rejected.strip()) for one in choices]
    return [pair for pair in dict.fromkeys(told) if pair[1] and pair[2] and pair[1] != pair[2]]


async def _client(
    connection: Connection, workspace: Workspace, run: Run, start: Writer, config: ImproveConfig, seed: int
) -> tuple[int, tinker.TrainingClient]:
    """How many steps are done, and the client to go on with."""
    path = run.folder / "checkpoints.jsonl"
    saved = list(read_json_lines(path, torn_tail=True)) if path.exists() else []
    if saved:
        return saved[-1]["step"], await connection.client.create_training_client_from_state_with_optimizer(saved[-1]["state"])
    state = training_state(workspace, start)
    if state is None:
        return 0, await connection.client.create_lora_training_client(start.base_model, rank=config.rank, seed=seed)
    return 0, await connection.client.create_training_client_from_state(state)


async def _pairs(connection: Connection, run: Run, start: Writer, pairs: Sequence[tuple[str, str, str]]) -> list[Preference]:
    """The pairs in tokens, with what the writer that is improved makes of both texts; computed once for a run."""
    path = run.folder / "reference.json"
    asked = [(start.messages(request), text) for request, *texts in pairs for text in texts]
    if not path.exists():
        chats = [[*messages, {"role": "assistant", "content": text}] for messages, text in asked]
        write_json(path, [sum(found) for found in await text_logprobs(connection, start, chats)])
    renderer = connection.renderer(start)
    texts = [text_of(renderer, messages, text, _MAX_LENGTH, known) for (messages, text), known in zip(asked, read_json(path), strict=True)]
    return [Preference(better, worse) for better, worse in zip(texts[::2], texts[1::2], strict=True)]
