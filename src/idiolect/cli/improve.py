"""``idiolect improve``: learning from votes and edits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.judge import trained_judge
from idiolect.cli.local_engine import connected
from idiolect.cli.options import Again, AsJson, Folder, open_workspace, report, with_config
from idiolect.cli.progress import bars, stage
from idiolect.cli.write import Named
from idiolect.corpus.preferences import load_preferences
from idiolect.methods.improve import ImproveConfig
from idiolect.methods.improve import improve as train
from idiolect.methods.reward_model import RewardModelConfig, judge_model
from idiolect.methods.run import writer_named
from idiolect.methods.tracking import Tracking

__all__ = ["improve"]


@with_config(ImproveConfig)
def improve(
    config: ImproveConfig,
    name: Named = None,
    workspace: Folder = Path(),
    with_judge: Annotated[bool, typer.Option("--judge", help="Then train the judge on them, too, as `judge train` does.")] = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Train a writer on your votes and edits, with --judge the judge, too."""
    place, settings = open_workspace(workspace)
    choices = load_preferences(place.preferences)
    start = writer_named(place, name)
    judging = settings.filled("reward_model", RewardModelConfig())
    if judging.data == "preferences":
        # Votes and edits are learnt with the person's own pairs.
        judging = judging.model_copy(update={"data": "both"})
    models = [start.base_model, *([settings.policy, judge_model(place, settings, judging).base_model] if with_judge else [])]
    with bars() as progress, connected(settings, place, list(dict.fromkeys(models))) as connection:
        step = stage(progress, "Learning from votes and edits")
        writer = connection.run(train(connection, place, settings, start, choices, config, again=again, on_progress=step))
        made = (
            connection.run(trained_judge(connection, place, settings, judging, Tracking(), writer, again, progress)) if with_judge else None
        )
    told = [
        f"The improved writer starts from {start.name}. Its adapter is {writer.adapter}",
        *([f"The judge learnt from them, too: {made.adapter}"] if made else []),
        f"Next: idiolect compare {start.name} improved",
    ]
    values = {"writer": writer.model_dump(mode="json"), "choices": len(choices), "judge": made.model_dump(mode="json") if made else None}
    report(as_json, values, "\n".join(told))
