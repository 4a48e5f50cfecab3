"""What the verbs have in common: their options, the workspace they work in, and how they report.

Knows typer and the settings. Knows nothing of what a verb does.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from idiolect.cli.progress import Progress, stage
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.service import Connection, Model, renderer_name
from idiolect.settings import Settings
from idiolect.synthesis import complete_demonstrations
from idiolect.tasks import load_task
from idiolect.workspace import Workspace

__all__ = ["Again", "AsJson", "Folder", "demonstrations_of", "open_workspace", "ready_demonstrations", "report", "with_config"]

Folder = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace's folder.", show_default="this folder")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Again = Annotated[bool, typer.Option("--again", help="Do it anew even if it is done already.")]


def with_config(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb an option for each field of a config; its first parameter is then the config.

    Name, type, default and help of an option are those of the field, whose docstring is the only place that says them.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(verb, eval_str=True).parameters.values()
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[field.annotation, typer.Option(help=field.description)],  # type: ignore[valid-type]
            )
            for name, field in model.model_fields.items()
        ]

        def wrapper(**values: Any) -> None:
            chosen = {name: values.pop(name) for name in model.model_fields}
            verb(_checked(model, chosen), **values)

        wrapper.__name__, wrapper.__doc__ = verb.__name__, verb.__doc__
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        wrapper.__signature__ = inspect.Signature([*parameters, *options])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in (*parameters, *options)}
        return wrapper

    return decorate


def _checked(model: type[BaseModel], chosen: dict[str, Any]) -> BaseModel:
    try:
        return model(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise InputError(f"{first['msg']}, not {first['input']!r}", where=option) from error


def open_workspace(folder: Path) -> tuple[Workspace, Settings]:
    """The workspace in a folder and its settings. Raises ``InputError`` where the folder is none."""
    workspace = Workspace(folder.expanduser().resolve())
    if not workspace.settings.exists() and not workspace.demonstrations.exists():
        raise InputError("is not a workspace", where=str(folder), hint="Run `idiolect init DIR`, or name one with --workspace")
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


def report(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print the result on stdout: as JSON for programs, else as text."""
    print(json.dumps(values, ensure_ascii=False) if as_json else text)
