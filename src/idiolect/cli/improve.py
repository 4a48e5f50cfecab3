"""``idiolect improve``: learning from votes and edits."""

from __future__ import annotations

from pathlib import Path

from idiolect.cli.local_engine import connected
from idiolect.cli.options import Again, AsJson, Folder, open_workspace, report, with_config
from idiolect.cli.progress import bars, stage
from idiolect.cli.write import Named
from idiolect.corpus.preferences import load_preferences
from idiolect.methods.improve import ImproveConfig
from idiolect.methods.improve import improve as train
from idiolect.methods.run import writer_named

__all__ = ["improve"]


@with_config(ImproveConfig)
def improve(
    config: ImproveConfig,
    name: Named = None,
    workspace: Folder = Path(),
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Train a writer on your votes and edits."""
    place, settings = open_workspace(workspace)
    choices = load_preferences(place.preferences)
    start = writer_named(place, name)
    with bars() as progress, connected(settings, place, [start.base_model]) as connection:
        told = stage(progress, "Learning from votes and edits")
        writer = connection.run(train(connection, place, settings, start, choices, config, again=again, on_progress=told))
    text = f"The improved writer starts from {start.name}. Its adapter is {writer.adapter}\nNext: idiolect compare {start.name} improved"
    report(as_json, {"writer": writer.model_dump(mode="json"), "choices": len(choices)}, text)
