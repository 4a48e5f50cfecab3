"""``idiolect synthesize``: synthetic texts by the teacher."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, demonstrations_of, open_workspace, ready_demonstrations, report, with_config
from idiolect.cli.progress import bars
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.methods.synthetic import synthetic_data
from idiolect.settings import pocket_model
from idiolect.synthesis import SynthesisConfig

__all__ = ["synthesize"]


@with_config(SynthesisConfig)
def synthesize(config: SynthesisConfig, workspace: Folder = Path(), as_json: AsJson = False) -> None:
    """Have a teacher write synthetic texts in the person's voice."""
    place, settings = open_workspace(workspace)
    demonstrations_of(place)
    filled = settings.filled("synthesis", config)
    if (filled.think or filled.critique) and settings.teacher == pocket_model():
        print("The pocket model has never seen prompts for thoughts or critiques: expect most answers to be unparsed.", file=sys.stderr)
    with bars() as progress, connected(settings, place, [settings.policy, settings.teacher]) as connection:

        async def work() -> tuple[list[Demonstration], dict[str, Any]]:
            rows = await ready_demonstrations(connection, place, settings, progress)
            return await synthetic_data(connection, place, settings, rows, load_demonstrations(place.heldout), config, progress=progress)

        made, kept = connection.run(work())
    where = place.synthetic / "demonstrations.jsonl"
    report(as_json, {"rows": len(made), **kept}, f"{len(made)} synthetic texts in {where}\n{_told(kept)}")


def _told(kept: dict[str, Any]) -> str:
    lines = []
    for what in ("requests", "texts"):
        dropped = ", ".join(f"{count} {reason}" for reason, count in kept[what]["dropped"].items()) or "none"
        lines.append(f"{what.capitalize()}: {kept[what]['kept']} kept; dropped: {dropped}")
    if "critiques" in kept:
        lines.append("Critiques: " + (", ".join(f"{count} {what}" for what, count in kept["critiques"].items()) or "none"))
    return "\n".join(lines)
