"""Supervised fine-tuning: a LoRA adapter learns (request → text) without any prompt.

Knows rows of requests and texts, and the cookbook's training loop. Knows nothing of where the rows came from.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.prompting import tuned_writer
from idiolect.methods.run import open_run
from idiolect.methods.tracking import Tracking
from idiolect.methods.training import Fitting, fit, usual_learning_rate
from idiolect.service.connect import Connection
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings
from idiolect.tasks import rows_with_made_up_facts
from idiolect.workspace import Workspace

__all__ = ["SftConfig", "sft", "shown_rows"]

_VERSIONS = 1000
"""At most so many versions of an own text are made up; a longer training sees them again."""


class SftConfig(BaseModel):
    """LoRA fine-tuning on synthetic data, the person's own texts, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    data: Literal["synthetic", "demonstrations", "both"] = "both"
    """What is learnt from."""
    own_share: float = Field(default=0.7, ge=0, lt=1)
    """The least share of own texts in both; they are repeated for it, and 0 takes each text once."""
    steps: int = Field(default=120, ge=1)
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
    varied: bool = Field(default=True, exclude_if=lambda value: not value)
    """Whether an own text has made-up names, days and numbers, the same in request and text, each time but the first that it is shown."""
    prompted: bool = Field(default=False, exclude_if=lambda value: not value)
    """Whether the style description of prompt.md stands before each request, in training and in drafts."""
    temperature: float = Field(default=TEMPERATURE, ge=0)
    """Sampling temperature of the drafts."""

    def times(self, own: int, made: int) -> int:
        """How often each of ``own`` texts stands among the rows with ``made`` synthetic ones."""
        if not own or not (made or self.varied):
            return 1
        shown = self.steps * self.batch_size
        if not made:
            return min(_VERSIONS, math.ceil(shown / own))
        return max(1, math.ceil(self.own_share / (1 - self.own_share) * made / own))


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
    rows = shown_rows(config, demonstrations, synthetic, settings.seed)
    plain = plain_writer(workspace, settings, name="sft", temperature=config.temperature)
    told = await tuned_writer(connection, workspace, settings, demonstrations, plain, prompted=config.prompted)
    run = open_run(workspace, "sft", {
        **config.model_dump(mode="json"), **({"prompt": told.system_prompt} if config.prompted else {}),
        "seed": settings.seed, "base_model": plain.base_model, "renderer": plain.renderer,
        "rows": len(rows), "rows_sha256": hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest(),
    }, again=again)  # fmt: skip
    if run.finished:
        return run.writer()

    fitting = Fitting(
        base_model=plain.base_model,
        renderer=plain.renderer,
        recipe="idiolect_sft",
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate or usual_learning_rate(plain.base_model),
        rank=config.rank,
        schedule=config.schedule,
        max_length=config.max_length,
        save_every=config.save_every,
        seed=settings.seed,
        system_prompt=told.system_prompt,
    )
    adapter = await fit(connection, run, rows, fitting, tracking=tracking, on_progress=on_progress)
    return run.finish(told.model_copy(update={"adapter": adapter}))


def shown_rows(
    config: SftConfig, demonstrations: Sequence[Demonstration], synthetic: Sequence[Demonstration], seed: int
) -> list[list[str]]:
    """(request, text) rows that the texts of ``config.data`` make; a fine-tuning goes through them as often as its steps allow."""
    own = [(row.input, row.output) for row in demonstrations if row.input and row.output] if config.data != "synthetic" else []
    made = list(synthetic) if config.data != "demonstrations" else []
    # Synthetic texts have the voice as it was described, the person's own all of it: shown as often as need be for their share.
    times = config.times(len(own), len(made))
    shown = [row for number in range(times) for row in rows_with_made_up_facts(own, number if config.varied else 0, seed)]
    rows = [*map(list, shown), *([row.input, row.output] for row in made)]
    if not rows:
        raise InputError(
            "there is nothing to learn from", where=f"data = {config.data}", hint="Run `idiolect import` or `idiolect synthesize`"
        )
    return rows
