"""What the verbs have in common: their options, the workspace they work in, and how they report.

Knows typer and the settings. Knows nothing of what a verb does.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from idiolect.cli.progress import Progress, stage
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.methods.tracking import REMINDER, Tracking
from idiolect.service import Connection, Model, renderer_name
from idiolect.settings import Settings, load_env_files
from idiolect.synthesis import complete_demonstrations
from idiolect.tasks import load_task
from idiolect.workspace import Workspace

__all__ = [
    "Again",
    "AsJson",
    "DryRun",
    "Folder",
    "demonstrations_of",
    "open_workspace",
    "ready_demonstrations",
    "remind",
    "report",
    "with_config",
]

Folder = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace's folder.", show_default="this folder")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, with how many tokens, and what that costs.")]
Again = Annotated[bool, typer.Option("--again", help="Do it anew even if it is done already.")]


def with_config(*models: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb an option for each field of its configs; its first parameters are then the configs.

    Name, type, default and help of an option are those of the field, whose docstring is the only place that says them. What the
    person did not ask for stays unset in the config (``model_fields_set``), so that a preset may fill it in.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(verb, eval_str=True).parameters.values())[len(models) :]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[field.annotation, typer.Option(help=field.description)],  # type: ignore[valid-type]
            )
            for model in models
            for name, field in model.model_fields.items()
        ]

        def wrapper(context: typer.Context | None = None, **values: Any) -> None:
            asked = _asked_for(values, context)
            configs = [_checked(model, {name: values.pop(name) for name in model.model_fields}, asked) for model in models]
            verb(*configs, **values)

        wrapper.__name__, wrapper.__doc__ = verb.__name__, verb.__doc__
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        wrapper.__signature__ = inspect.Signature([context, *parameters, *options])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in (context, *parameters, *options)}
        return wrapper

    return decorate


def _asked_for(values: dict[str, Any], context: typer.Context | None) -> set[str]:
    """Which of a verb's parameters the command line names; all of them where the verb is called from Python."""
    if context is None:
        return set(values)
    return {name for name in values if (source := context.get_parameter_source(name)) and source.name != "DEFAULT"}


def _checked(model: type[BaseModel], chosen: dict[str, Any], asked: set[str]) -> BaseModel:
    try:
        return model(**{name: value for name, value in chosen.items() if name in asked})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise InputError(f"{first['msg']}, not {first['input']!r}", where=option) from error


def open_workspace(folder: Path) -> tuple[Workspace, Settings]:
    """The workspace in a folder and its settings, after its ``.env`` and this folder's were read.

    Raises ``InputError`` where the folder is no workspace.
    """
    workspace = Workspace(folder.expanduser().resolve())
    if not workspace.settings.exists() and not workspace.demonstrations.exists():
        raise InputError("is not a workspace", where=str(folder), hint="Run `idiolect init DIR`, or name one with --workspace")
    load_env_files(workspace.root, Path())
    return workspace, Settings.load(workspace.settings)


def demonstrations_of(workspace: Workspace) -> list[Demonstration]:
    rows = load_demonstrations(workspace.demonstrations)
    if not rows:
        raise InputError("there are no demonstrations", where=str(workspace.demonstrations), hint="Run `idiolect import` first")
    return rows


async def ready_demonstrations(connection: Connection, workspace: Workspace, settings: Settings, progress: Progress) -> list[Demonstration]:
    """The workspace's demonstrations, each with a request: texts without one get it from the policy first."""
    policy = Model(settings.policy, renderer_name(settings.policy, settings.renderer))
    task = load_task(settings.task, workspace)
    told = stage(progress, "Writing requests for the texts")
    await complete_demonstrations(
        connection, workspace, policy, seed=settings.seed, task=task, instructed=settings.instructed, on_progress=told
    )
    return demonstrations_of(workspace)


def remind(tracking: Tracking) -> None:
    """Say, where a run is logged to Weights & Biases, what only the person can do there."""
    if tracking.wandb:
        print(REMINDER, file=sys.stderr)


def report(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print the result on stdout: as JSON for programs, else as text."""
    print(json.dumps(values, ensure_ascii=False) if as_json else text)
