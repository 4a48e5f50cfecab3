"""The base model as it is: what every method must beat.

Knows the settings and the task. Knows nothing of the person.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from idiolect.methods.run import open_run
from idiolect.service.connect import Connection, renderer_name
from idiolect.service.sampling import draft
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings, pocket_model, renderer_of
from idiolect.tasks import load_task
from idiolect.workspace import Workspace

__all__ = ["BaselineConfig", "baseline", "impersonal", "plain_texts", "plain_writer"]


class BaselineConfig(BaseModel):
    """The base model without any word about the person."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    temperature: float = TEMPERATURE
    """Sampling temperature of the drafts."""


def plain_writer(workspace: Workspace, settings: Settings, *, name: str, temperature: float, model: str | None = None) -> Writer:
    """A model, by default the policy: with the task's instruction where it is a general one, with nothing where it is the pocket model."""
    task = load_task(settings.task, workspace)
    model = model or settings.policy
    return Writer(
        name=name,
        base_model=model,
        renderer=renderer_name(model, settings.renderer if model == settings.policy else renderer_of(model)),
        system_prompt=task.instruction if model != pocket_model() else None,
        max_tokens=task.checks.max_tokens,
        temperature=temperature,
    )


def impersonal(workspace: Workspace, settings: Settings, writer: Writer) -> Writer:
    """The writer without anything that it knows of the person."""
    instruction = load_task(settings.task, workspace).instruction if writer.base_model != pocket_model() else None
    return writer.model_copy(update={"name": "plain", "adapter": None, "system_prompt": instruction, "examples": (), "shown": None})


def baseline(workspace: Workspace, settings: Settings, config: BaselineConfig | None = None) -> Writer:
    """The baseline's writer, in a run folder of its own."""
    config = config or BaselineConfig()
    writer = plain_writer(workspace, settings, name="baseline", temperature=config.temperature)
    run = open_run(workspace, "baseline", {**config.model_dump(mode="json"), "writer": writer.model_dump(mode="json")})
    return run.writer() if run.finished else run.finish(writer)


async def plain_texts(connection: Connection, workspace: Workspace, settings: Settings, requests: Sequence[str]) -> list[str]:
    """The baseline's draft for each request: what is not the person's."""
    return [one.text for one in await draft(connection, baseline(workspace, settings), requests, seed=settings.seed)]
