"""``idiolect sft``: fine-tuning, and what is missing before it."""

from __future__ import annotations

from pathlib import Path

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
from idiolect.cli.planning import planned_sft, tell_plan
from idiolect.cli.progress import Progress, bars, stage
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.methods.baseline import baseline
from idiolect.methods.prompting import prompting
from idiolect.methods.sft import SftConfig
from idiolect.methods.sft import sft as train
from idiolect.methods.synthetic import synthetic_data, synthetic_if_possible
from idiolect.methods.tracking import Tracking
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["run_sft", "sft"]


@with_config(SftConfig, Tracking)
def sft(
    config: SftConfig,
    tracking: Tracking,
    workspace: Folder = Path(),
    dry_run: DryRun = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune an adapter on the person's voice; does what is missing before it."""
    if dry_run:
        place, settings = open_workspace(workspace)
        tell_plan(settings, planned_sft(place, settings, config), as_json)
        return
    run_sft(*open_workspace(workspace), config, tracking, again=again, as_json=as_json)


def run_sft(
    place: Workspace, settings: Settings, config: SftConfig, tracking: Tracking, *, again: bool = False, as_json: bool = False
) -> None:
    """What the verb and the script of the same name do in an open workspace."""
    demonstrations_of(place)
    with bars() as progress, connected(settings, place, [settings.policy, settings.teacher]) as connection:
        writer = connection.run(_all(connection, place, settings, config, tracking, again, progress))
    remind(tracking)
    text = f'The adapter is {writer.adapter}. It lies in {place.runs}\nNext: idiolect compare, or idiolect write "…"'
    report(as_json, {"writer": writer.model_dump(mode="json")}, text)


async def _all(
    connection: Connection, place: Workspace, settings: Settings, config: SftConfig, tracking: Tracking, again: bool, progress: Progress
) -> Writer:
    """Requests for texts that have none, the other writers, synthetic data, training: each only where it is not done yet."""
    rows, heldout = await ready_demonstrations(connection, place, settings, progress), load_demonstrations(place.heldout)
    baseline(place, settings)
    await prompting(connection, place, settings, rows, on_progress=stage(progress, "Describing the style"))
    made, config = [], settings.filled("sft", config)
    if config.data == "both":
        made = await synthetic_if_possible(connection, place, settings, rows, heldout, progress=progress)
    elif config.data == "synthetic":
        made, _ = await synthetic_data(connection, place, settings, rows, heldout, progress=progress)
    told = stage(progress, "Training")
    return await train(connection, place, settings, rows, made, config, again=again, tracking=tracking, on_progress=told)
