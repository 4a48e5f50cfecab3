"""Synthetic data in the person's voice: the prompt that makes a teacher of a model, and the teacher's texts.

Knows prompting and synthesis, and puts them in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from idiolect.corpus import Demonstration
from idiolect.errors import InputError, ServiceError
from idiolect.methods.prompting import PromptingConfig, style_prompt, teacher_writer
from idiolect.service.connect import Connection
from idiolect.settings import Settings, pocket_model
from idiolect.synthesis import SynthesisConfig, synthesize
from idiolect.tasks import Task, load_task
from idiolect.workspace import Workspace, read_json, write_json

__all__ = ["can_teach", "synthetic_data", "synthetic_if_possible"]


def can_teach(settings: Settings, task: Task) -> bool:
    """Whether the teacher can write such texts at all: the pocket model has learnt e-mails and nothing else."""
    return settings.teacher != pocket_model() or task.name == "email"


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
    """Synthetic demonstrations and the report of what was dropped; what is done already is not done again.

    A ``config`` that is given is kept beside them, and holds wherever none is: a training takes as many as were last asked for.
    """
    asked = workspace.synthetic / "config.json"
    if config is None:
        config = SynthesisConfig(**read_json(asked)) if asked.is_file() else SynthesisConfig()
    prompting, task = prompting or PromptingConfig(), load_task(settings.task, workspace)
    if not can_teach(settings, task):
        raise InputError(
            f"the pocket model cannot make up {task.many}: it has learnt e-mails only", where="idiolect.toml, field model.teacher",
            hint="Name a general model there, or learn from your own texts alone: idiolect sft --data demonstrations",
        )  # fmt: skip
    told = (lambda done, total: progress("Describing the style", done, total)) if progress else None
    style = await style_prompt(connection, workspace, settings, demonstrations, prompting, on_progress=told)
    teacher = await teacher_writer(connection, workspace, settings, demonstrations, style, prompting)
    made = await synthesize(
        connection,
        workspace,
        task,
        teacher,
        demonstrations,
        heldout,
        config=settings.filled("synthesis", config),
        seed=settings.seed,
        instructed=settings.instructed,
        progress=progress,
    )
    write_json(asked, config.model_dump(mode="json", exclude_unset=True))
    return made


async def synthetic_if_possible(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    heldout: Sequence[Demonstration],
    *,
    progress: Callable[[str, int, int], None],
) -> list[Demonstration]:
    """The same, or none where the teacher cannot make up any; ``progress`` is told that the person's own texts have to do."""
    task = load_task(settings.task, workspace)
    if not can_teach(settings, task):
        progress(f"The pocket model cannot make up {task.many}; going by the person's own texts alone", 1, 1)
        return []
    try:
        made, _ = await synthetic_data(connection, workspace, settings, demonstrations, heldout, progress=progress)
    except ServiceError as error:
        if not error.what.startswith("the teacher wrote nothing"):
            raise
        progress(f"{error.what}; going by the person's own texts alone", 1, 1)
        return []
    return made
