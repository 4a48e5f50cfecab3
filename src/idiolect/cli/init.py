"""``idiolect init``: a new workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, report
from idiolect.errors import InputError
from idiolect.settings import Models, Preset, Settings
from idiolect.workspace import Workspace

__all__ = ["init"]


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    preset: Annotated[Preset, typer.Option(help="pocket runs anywhere; handout and local name larger models.")] = "pocket",
    model: Annotated[str | None, typer.Option(help="A hub name or checkpoint folder, for the preset local.")] = None,
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
    settings = Settings(author=author or workspace.root.name, me=tuple(me or ()), preset=chosen, model=Models(policy=model))
    settings.save(workspace.settings)
    report(
        as_json, {"workspace": str(workspace.root)}, f"Made {workspace.settings}\nNext: cd {folder} && idiolect import SOURCE --me ADDRESS"
    )
