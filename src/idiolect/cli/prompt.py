"""``idiolect prompt``: writers with a style prompt and with examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, demonstrations_of, open_workspace, ready_demonstrations, report, with_config
from idiolect.cli.progress import bars, stage
from idiolect.methods.prompting import PromptingConfig, prompting
from idiolect.service import Writer

__all__ = ["prompt"]


@with_config(PromptingConfig)
def prompt(
    config: PromptingConfig,
    workspace: Folder = Path(),
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Write prompt.md anew even if you have edited it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a system prompt from the person's texts, and choose examples."""
    place, settings = open_workspace(workspace)
    demonstrations_of(place)
    with bars() as progress, connected(settings, place) as connection:

        async def work() -> dict[str, Writer]:
            rows = await ready_demonstrations(connection, place, settings, progress)
            told = stage(progress, "Describing the style")
            return await prompting(connection, place, settings, rows, config, rewrite=rewrite, on_progress=told)

        writers = connection.run(work())
    text = f"{writers['prompt'].system_prompt}\n\nEdit it in {place.prompt}; an edited prompt is kept."
    report(as_json, {name: writer.model_dump(mode="json") for name, writer in writers.items()}, text)
