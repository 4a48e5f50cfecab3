"""``idiolect ditto``: a handful of demonstrations held against the model's own drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import (
    Again,
    AsJson,
    DryRun,
    Folder,
    demonstrations_of,
    open_workspace,
    ready_demonstrations,
    remind,
    report,
    with_config,
)
from idiolect.cli.planning import planned_ditto, tell_plan
from idiolect.cli.progress import Progress, bars, stage
from idiolect.methods.baseline import baseline
from idiolect.methods.ditto import DittoConfig
from idiolect.methods.ditto import ditto as train
from idiolect.methods.run import writer_named
from idiolect.methods.tracking import Tracking
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["ditto", "run_ditto"]


@with_config(DittoConfig, Tracking)
def ditto(
    config: DittoConfig,
    tracking: Tracking,
    start: Annotated[str | None, typer.Option(help="The writer whose adapter is trained on.", show_default="a new adapter")] = None,
    workspace: Folder = Path(),
    dry_run: DryRun = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune an adapter on a handful of the person's texts, preferred to the model's own drafts."""
    if dry_run:
        place, settings = open_workspace(workspace)
        tell_plan(settings, planned_ditto(place, settings, config, writer_named(place, start) if start else None), as_json)
        return
    run_ditto(*open_workspace(workspace), config, tracking, start, again=again, as_json=as_json)


def run_ditto(
    place: Workspace,
    settings: Settings,
    config: DittoConfig,
    tracking: Tracking,
    start: str | None = None,
    *,
    again: bool = False,
    as_json: bool = False,
) -> None:
    """What the verb and ``scripts.ditto_dpo`` do in an open workspace."""
    demonstrations_of(place)
    first = writer_named(place, start) if start else None
    with bars() as progress, connected(settings, place) as connection:
        writer = connection.run(_all(connection, place, settings, config, tracking, first, again, progress))
    remind(tracking)
    text = f'The adapter is {writer.adapter}. It lies in {place.runs}\nNext: idiolect compare, or idiolect write "…"'
    report(as_json, {"writer": writer.model_dump(mode="json")}, text)


async def _all(
    connection: Connection, place: Workspace, settings: Settings, config: DittoConfig, tracking: Tracking, first: Writer | None,
    again: bool, progress: Progress,
) -> Writer:  # fmt: skip
    rows = await ready_demonstrations(connection, place, settings, progress)
    baseline(place, settings)
    told = stage(progress, "DITTO's rounds")
    return await train(connection, place, settings, rows, config, first=first, again=again, tracking=tracking, on_progress=told)
