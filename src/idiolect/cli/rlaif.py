"""``idiolect rlaif``: reinforcement learning from the person's judge, watched by what gives no rewards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
from idiolect.cli.planning import planned_rlaif, tell_plan
from idiolect.cli.progress import Progress, bars, stage
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation.style import Verifier
from idiolect.judge import Judge, ModelJudge
from idiolect.judge.likeness import Likeness, LikenessJudge
from idiolect.methods.baseline import baseline, plain_texts
from idiolect.methods.reward_model import load_judge
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.rlaif import rlaif as train
from idiolect.methods.run import all_writers, writer_named
from idiolect.methods.synthetic import synthetic_if_possible
from idiolect.methods.tracking import Tracking
from idiolect.service import Connection, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, read_json

__all__ = ["Sources", "rlaif", "run_rlaif"]

_STARTS = ("sft", "prompt", "baseline")

Rewards = Literal["likeness", "judge"]


@dataclass(frozen=True)
class Sources:
    """What the training starts from and is judged by."""

    start: str | None = None
    """The first policy's name; by default sft, else prompt, else baseline."""
    judge: Path | None = None
    """The ``judge.json`` that gives the rewards; by default the workspace's newest."""
    second: Path | None = None
    """Another one that is only watched."""
    rewards: Rewards | None = None
    """Who gives the rewards: the count of what the person's texts share, by default for the pocket model, or a trained judge."""


@with_config(RlaifConfig, Tracking)
def rlaif(
    config: RlaifConfig,
    tracking: Tracking,
    start: Annotated[str | None, typer.Option(help="The writer to start from.", show_default="sft, else prompt, else baseline")] = None,
    judge: Annotated[Path | None, typer.Option(help="The judge.json that gives the rewards.", show_default="the newest")] = None,
    second: Annotated[Path | None, typer.Option(help="The judge.json of a judge that is watched and gives no rewards.")] = None,
    rewards: Annotated[
        Rewards | None,
        typer.Option(
            help="likeness counts what your texts share; judge asks the trained judge.",
            show_default="likeness for the pocket model, else judge",
        ),
    ] = None,
    workspace: Folder = Path(),
    dry_run: DryRun = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Train the policy on verdicts over its own drafts, and go back to the best step."""
    place, settings = open_workspace(workspace)
    sources = Sources(start, judge, second, rewards)
    if dry_run:
        tell_plan(settings, planned_rlaif(place, settings, config, judged=not _counted(settings, sources)), as_json)
        return
    run_rlaif(place, settings, config, tracking, sources, again=again, as_json=as_json)


def _counted(settings: Settings, sources: Sources) -> bool:
    """Whether the rewards are counted, and no model is asked."""
    if sources.rewards == "likeness" and sources.judge:
        raise InputError("gives rewards only with --rewards judge", where="--judge", hint="Name it --second to have it watched")
    return sources.rewards == "likeness" if sources.rewards or sources.judge else settings.policy == pocket_model()


def run_rlaif(
    place: Workspace,
    settings: Settings,
    config: RlaifConfig,
    tracking: Tracking,
    sources: Sources,
    *,
    again: bool = False,
    as_json: bool = False,
) -> None:
    """What the verb and the handout's script do in an open workspace."""
    demonstrations_of(place)
    counted = _counted(settings, sources)
    judge = None if counted else Judge.load(sources.judge) if sources.judge else load_judge(place)
    second = Judge.load(sources.second) if sources.second else None
    models = list(dict.fromkeys([settings.policy, settings.teacher, *(one.base_model for one in (judge, second) if one)]))
    with bars() as progress, connected(settings, place, models) as connection:
        first = _start(place, settings, sources.start)
        writer = connection.run(_all(connection, place, settings, config, tracking, first, judge, second, again, progress))
    (*_, done) = (path for path in sorted(place.runs.glob("rlaif-*/writer.json")) if Writer.load(path) == writer)
    watched = read_json(done.with_name("watch.json"))
    kept = f"The adapter is {writer.adapter}." if writer.adapter else "The writer has no adapter."
    report(as_json, {"writer": writer.model_dump(mode="json"), "watch": watched}, f"{watched['why']}\n{kept}")
    remind(tracking)


async def _all(
    connection: Connection, place: Workspace, settings: Settings, config: RlaifConfig, tracking: Tracking, first: Writer,
    judge: Judge | None, second: Judge | None, again: bool, progress: Progress,
) -> Writer:  # fmt: skip
    rows, heldout = await ready_demonstrations(connection, place, settings, progress), load_demonstrations(place.heldout)
    made = await synthetic_if_possible(connection, place, settings, rows, heldout, progress=progress)
    known = [row for row in rows if row.input.strip() and row.output.strip()]
    texts, plain = [row.output for row in known], await plain_texts(connection, place, settings, [row.input for row in known])
    return await train(
        connection,
        place,
        settings,
        first,
        ModelJudge.of(connection, judge, name="rubric") if judge else LikenessJudge(Likeness(texts, plain)),
        [row.input for row in (*rows, *made)],
        rows,
        config,
        second=ModelJudge.of(connection, second, name="second") if second else None,
        style=Verifier.fit(texts, plain).scores,
        again=again,
        tracking=tracking,
        on_progress=stage(progress, "Reinforcement learning"),
    )


def _start(place: Workspace, settings: Settings, name: str | None) -> Writer:
    """The first policy: the writer of that name, or the furthest that there is."""
    writers = {"baseline": baseline(place, settings), **all_writers(place)}
    return writer_named(place, name) if name else next(writers[one] for one in _STARTS if one in writers)
