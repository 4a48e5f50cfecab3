"""``idiolect init``: a new workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, report
from idiolect.errors import InputError
from idiolect.settings import Models, Preset, Settings
from idiolect.tasks import packaged_tasks, read_task
from idiolect.workspace import Workspace, read_text, write_atomic

__all__ = ["init"]


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    preset: Annotated[Preset, typer.Option(help="pocket runs anywhere; handout and local name larger models.")] = "pocket",
    model: Annotated[str | None, typer.Option(help="A hub name or checkpoint folder, for the preset local.")] = None,
    task: Annotated[
        str, typer.Option(help=f"What is written: {', '.join(packaged_tasks())}, or a task file of your own (TOML).")
    ] = "email",
    author: Annotated[str, typer.Option(help="Whose voice it is; by default the folder's name.")] = "",
    me: Annotated[list[str] | None, typer.Option(help="The person's e-mail address; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a workspace for one person."""
    workspace = Workspace(folder.expanduser().resolve())
    if workspace.settings.exists():
        raise InputError("is a workspace already", where=str(folder), hint="Edit its idiolect.toml, or choose another folder")
    if workspace.root.exists() and not workspace.root.is_dir():
        raise InputError("is a file", where=str(folder), hint="Choose another name")
    chosen = "local" if model and preset == "pocket" else preset
    if chosen == "local" and not model:
        raise InputError("the preset local needs a model", where="--model", hint="Name a hub model or a checkpoint folder")
    name, own = _task(task)
    settings = Settings(author=author or workspace.root.name, me=tuple(me or ()), task=name, preset=chosen, model=Models(policy=model))
    if own is not None:
        write_atomic(workspace.root / f"{name}.toml", own)
    settings.save(workspace.settings)
    source = "SOURCE --me ADDRESS" if name == "email" else "FILE (JSON, JSONL or CSV with the fields input and output)"
    made = {"workspace": str(workspace.root), "task": name}
    report(as_json, made, f"Made {workspace.settings}\nNext: cd {folder} && idiolect import {source}")


def _task(given: str) -> tuple[str, str | None]:
    """A packaged task's name, or the name and the text of a task file, which the workspace gets a copy of.

    Raises ``InputError`` for what is neither, and for a file with a wrong field.
    """
    path = Path(given).expanduser()
    if path.suffix != ".toml":
        if given not in packaged_tasks():
            hint = f"Choose one of {', '.join(packaged_tasks())}, or name a task file NAME.toml (docs/tasks.md)"
            raise InputError(f"there is no task {given!r}", where="--task", hint=hint)
        return given, None
    read_task(path)
    return path.stem, read_text(path)
