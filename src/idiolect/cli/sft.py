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
from idiolect.cli.progress import Progress, bars, stage
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import ServiceError
from idiolect.methods.baseline import baseline
from idiolect.methods.estimate import Estimate, lengths_of, prompt_work, sft_work, synthesis_work
from idiolect.methods.prompting import PromptingConfig, prompting
from idiolect.methods.sft import SftConfig
from idiolect.methods.sft import sft as train
from idiolect.methods.synthetic import synthetic_data
from idiolect.methods.tracking import Tracking
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.synthesis import SynthesisConfig
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, read_text

__all__ = ["planned", "run_sft", "sft"]


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
        estimate = planned(place, settings, config)
        report(as_json, estimate.values(settings.prices), estimate.told(settings.prices))
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
    made = []
    config = settings.filled("sft", config)
    if config.data != "demonstrations":
        try:
            made, _ = await synthetic_data(connection, place, settings, rows, heldout, progress=progress)
        except ServiceError as error:
            if config.data == "synthetic" or not error.what.startswith("the teacher wrote nothing"):
                raise
            progress(f"{error.what}; training on the person's own texts alone", 1, 1)
    told = stage(progress, "Training")
    return await train(connection, place, settings, rows, made, config, again=again, tracking=tracking, on_progress=told)


def planned(place: Workspace, settings: Settings, config: SftConfig) -> Estimate:
    """The tokens of what is missing before the training, and of the training."""
    config, rows = settings.filled("sft", config), demonstrations_of(place)
    prompting, synthesis = PromptingConfig(), settings.filled("synthesis", SynthesisConfig())
    prompt = read_text(place.prompt) if place.prompt.exists() else ""
    # A description takes what it may have, until there is one.
    lengths = lengths_of(rows, prompt or "." * 1500)
    works = []
    if not prompt:
        missing = sum(not row.input for row in rows)
        works += prompt_work(
            settings, lengths, texts=len(rows), without_request=missing,
            emails_per_call=prompting.emails_per_call, calls=prompting.calls,
        )  # fmt: skip
    made = len(load_demonstrations(place.synthetic / "demonstrations.jsonl"))
    if config.data != "demonstrations" and not made:
        topics = len(load_task(settings.task, place).topics)
        works += synthesis_work(settings, lengths, topics=topics, per_topic=synthesis.per_topic, examples=prompting.examples)
        made = topics * synthesis.per_topic
    learnt = {"synthetic": made, "demonstrations": len(rows), "both": made + len(rows)}[config.data]
    works += sft_work(settings, lengths, steps=config.steps, batch_size=config.batch_size, max_length=config.max_length, rows=learnt)
    return Estimate(tuple(works))
