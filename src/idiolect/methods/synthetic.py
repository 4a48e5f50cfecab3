"""Synthetic data in the person's voice: the prompt that makes a teacher of a model, and the teacher's texts.

Knows prompting and synthesis, and puts them in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from idiolect.corpus import Demonstration
from idiolect.methods.prompting import PromptingConfig, style_prompt, teacher_writer
from idiolect.service.connect import Connection
from idiolect.settings import Settings
from idiolect.synthesis import SynthesisConfig, synthesize
from idiolect.tasks import load_task
from idiolect.workspace import Workspace

__all__ = ["synthetic_data"]


async def synthetic_data(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    heldout: Sequence[Demonstration],
    config: SynthesisConfig | None = None,
    *,
    prompting: PromptingConfig | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[list[Demonstration], dict[str, Any]]:
    """Synthetic demonstrations and the report of what was dropped; what is done already is not done again."""
    prompting = prompting or PromptingConfig()
    told = (lambda done, total: progress("Describing the style", done, total)) if progress else None
    style = await style_prompt(connection, workspace, settings, demonstrations, prompting, on_progress=told)
    teacher = await teacher_writer(connection, workspace, settings, demonstrations, style, prompting.examples)
    return await synthesize(
        connection,
        workspace,
        load_task(settings.task, workspace),
        teacher,
        demonstrations,
        heldout,
        config=settings.filled("synthesis", config or SynthesisConfig()),
        seed=settings.seed,
        instructed=settings.instructed,
        progress=progress,
    )
