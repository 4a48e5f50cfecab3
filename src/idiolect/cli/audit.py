"""``idiolect audit``: a copy of the workspace in which secrets are planted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, Folder, demonstrations_of, open_workspace, report
from idiolect.evaluation.canaries import plant_canaries

__all__ = ["audit"]


def audit(
    folder: Annotated[Path, typer.Argument(help="The audit's own workspace, a new folder.")],
    workspace: Folder = Path(),
    count: Annotated[int, typer.Option(help="Secrets to plant.")] = 8,
    copies: Annotated[int, typer.Option(min=1, help="How often each stands among the texts.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Copy the workspace with planted secrets, to measure what fine-tuning gives away."""
    place, settings = open_workspace(workspace)
    demonstrations_of(place)
    copy = plant_canaries(place, folder.expanduser().resolve(), count=count, copies=copies, seed=settings.seed)
    text = f"Planted {count} secrets, {copies} times each, in {copy.root}\nNext, there: idiolect sft, then idiolect compare --audit"
    report(as_json, {"workspace": str(copy.root), "secrets": count, "copies": copies}, text)
