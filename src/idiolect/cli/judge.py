"""``idiolect judge``: the person's rubric, a judge that is trained on it, how far it can be trusted, and what it says of the writers.

Knows the command line. Knows nothing of how a judge is trained or checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from idiolect.cli.planning import planned_judge, tell_plan
from idiolect.cli.progress import Progress, bars, stage
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.methods.reward_model import RewardModelConfig, judge_model, load_judge, plain_drafts, reward_model, rubric_of
from idiolect.methods.run import all_writers, writer_named
from idiolect.methods.tracking import Tracking
from idiolect.settings import Settings
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, write_atomic, write_json

if TYPE_CHECKING:
    from idiolect.judge import Judge
    from idiolect.service import Connection, Writer

__all__ = ["judge", "run_train"]

judge = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Untrained = Annotated[bool, typer.Option("--untrained", help="The judge's base model as it is, to see what training brought.")]
Votes = Annotated[int, typer.Option(help="Sample so many answers with reasons instead of reading the letters' probabilities.")]


@judge.callback()
def _judge() -> None:
    """A judge of drafts: its rubric, its training, and how far it can be trusted."""


@judge.command()
def propose(workspace: Folder = Path(), again: Again = False, as_json: AsJson = False) -> None:
    """Write a first rubric from the person's texts, to be edited."""
    from idiolect.judge.propose import propose as proposed

    place, settings = open_workspace(workspace)
    if place.rubric.exists() and not again:
        raise InputError("is there already", where=str(place.rubric), hint="Edit it, or write it anew with --again")
    texts = [row.output for row in demonstrations_of(place) if row.output.strip()]
    rubric = proposed(texts, letter=load_task(settings.task, place).letter)
    write_atomic(place.rubric, rubric.markdown())
    report(as_json, rubric.model_dump(mode="json"), f"{place.rubric}\nEdit it, then: idiolect judge train")


@judge.command()
@with_config(RewardModelConfig, Tracking)
def train(
    config: RewardModelConfig,
    tracking: Tracking,
    policy: Annotated[
        str | None, typer.Option(help="The writer that is to be reinforced; its drafts are learnt from, too.", show_default="sft, if there")
    ] = None,
    workspace: Folder = Path(),
    dry_run: DryRun = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Train the judge on pairs of which the better one is known."""
    run_train(*open_workspace(workspace), config, tracking, policy=policy, again=again, as_json=as_json, dry_run=dry_run)


def run_train(
    place: Workspace,
    settings: Settings,
    config: RewardModelConfig,
    tracking: Tracking,
    *,
    policy: str | None = None,
    again: bool = False,
    as_json: bool = False,
    dry_run: bool = False,
) -> None:
    """What the verb and the script ``train_rubric_rm`` do in an open workspace."""
    first = writer_named(place, policy) if policy else all_writers(place).get("sft")
    if dry_run:
        tell_plan(settings, planned_judge(place, settings, config, first), as_json)
        return
    config = settings.filled("reward_model", config)
    plain = judge_model(place, settings, config)
    models = [settings.policy, plain.base_model, *([first.base_model] if first else [])]
    with bars() as progress, connected(settings, place, list(dict.fromkeys(models))) as connection:
        made = connection.run(trained_judge(connection, place, settings, config, tracking, first, again, progress))
    remind(tracking)
    report(
        as_json,
        {"judge": made.model_dump(mode="json")},
        f"The judge is {made.adapter}. It lies in {place.runs}\nNext: idiolect judge check",
    )


async def trained_judge(
    connection: Connection, place: Workspace, settings: Settings, config: RewardModelConfig, tracking: Tracking, policy: Writer | None,
    again: bool, told: Progress,
) -> Judge:  # fmt: skip
    """The judge of what the person wrote, voted for and edited."""
    rows = [] if config.data == "preferences" else await ready_demonstrations(connection, place, settings, told)
    requests = [row.input for row in load_demonstrations(place.synthetic / "demonstrations.jsonl")]
    return await reward_model(
        connection, place, settings, rows, config, policy=policy, requests=requests, again=again, tracking=tracking, progress=told
    )


@judge.command()
def check(
    workspace: Folder = Path(),
    labels: Annotated[Path | None, typer.Option(help="JSON Lines of labelled pairs: request, better, worse.", show_default="none")] = None,
    requests: Annotated[int, typer.Option(min=1, help="At most so many texts of the person.")] = 50,
    untrained: Untrained = False,
    votes: Votes = 0,
    as_json: AsJson = False,
) -> None:
    """How often the judge is right, in what, and which way it leans."""
    from idiolect.judge.examples import labelled_pairs

    place, settings = open_workspace(workspace)
    further = labelled_pairs(labels) if labels else []
    chosen = judge_model(place, settings) if untrained else load_judge(place)
    with bars() as progress, connected(settings, place, [settings.policy, chosen.base_model]) as connection:
        found = _checked(connection, place, settings, chosen, further, requests, votes, progress)
    path = place.results / "judge.json"
    write_json(path, found)
    if as_json:
        report(True, found, "")
        return
    _print(found, path)


def _checked(
    connection: Connection,
    place: Workspace,
    settings: Settings,
    chosen: Judge,
    further: list[Any],
    requests: int,
    votes: int,
    told: Progress,
) -> dict[str, Any]:
    """The judge's figures on texts that it did not learn from where there are any, else on those that it did."""
    from idiolect.evaluation.judge_check import check_judge
    from idiolect.evaluation.judges import truth_judge
    from idiolect.judge import ModelJudge, Pair
    from idiolect.judge.examples import draft_pairs, padded_pairs, simulated_pairs, spoilt_pairs, strangers
    from idiolect.judge.seen import common
    from idiolect.world import Author

    known = [row for row in demonstrations_of(place) if row.output.strip()]
    heldout = [row for row in load_demonstrations(place.heldout) if row.output.strip() and row.input.strip()]
    rows = (heldout or [row for row in known if row.input.strip()])[:requests]
    author = Author.load(place.truth) if place.truth.is_file() else None
    others = strangers(author, len(rows), settings.seed) if author else []
    asked = [*(row.input for row in rows), *(request for request, _ in others)]
    drafts = connection.run(plain_drafts(connection, place, settings, asked, 1, told))
    habits = common([row.output for row in known])
    labelled = [*draft_pairs(rows, drafts), *spoilt_pairs(rows, 3, settings.seed + 1, habits=habits)]
    own = [Pair(request, drafts[request][0], text) for request, text in others]
    if author:
        labelled += simulated_pairs([author], len(rows), settings.seed)
    deserved = truth_judge(author).prefers_first(own) if author else []
    model = ModelJudge.of(connection, chosen, votes=votes)
    found = check_judge(
        model, [*labelled, *further], padded=padded_pairs(rows, settings.seed),
        own_drafts=[(pair, worth) for pair, worth in zip(own, deserved, strict=True) if worth is not None], seed=settings.seed,
    )  # fmt: skip
    return {
        "texts": len(rows), "heldout": bool(heldout), "adapter": chosen.adapter, "votes": votes, "unparsed": model.unparsed,
        "rubric_edited_since": rubric_of(place, settings) != chosen.rubric, **found.model_dump(mode="json"),
    }  # fmt: skip


def _print(found: dict[str, Any], path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"The judge on {found['texts']} texts{'' if found['heldout'] else ' that it learnt from'}", title_justify="left")
    for name in ("pairs", "number", "right", "right in both orders", "position bias", "length bias", "no verdict"):
        table.add_column(name, justify="left" if name == "pairs" else "right")
    for source, one in found["by_source"].items():
        shown = [_shown(one[name]) for name in ("right", "right_in_both", "position_bias", "length_bias")]
        table.add_row(source, str(one["pairs"]), *shown, str(one["unjudged"]))
    console.print(table)
    everything = found["by_source"].get("all") or next(iter(found["by_source"].values()))
    for feature, one in everything["by_feature"].items():
        console.print(f"worse in {feature} only: right {_shown(one)}", highlight=False)
    console.print(f"padding a text moves its chance by {_shown(found['verbosity_bias'])}", highlight=False)
    console.print(f"its own model's drafts are preferred beyond their worth by {_shown(found['self_preference'])}", highlight=False)
    if found["rubric_edited_since"]:
        console.print("rubric.md was edited after the training: run `idiolect judge train` again")
    console.print(f"Results: {path}", soft_wrap=True, highlight=False)


def _shown(measure: dict[str, float | None]) -> str:
    if measure["mean"] is None:
        return "–"
    interval = f" [{measure['low']:.3f}, {measure['high']:.3f}]" if measure["low"] is not None else ""
    return f"{measure['mean']:.3f}{interval}"


@judge.command()
def compare(
    writers: Annotated[
        list[str] | None, typer.Argument(help="Writers as in `idiolect compare`.", show_default="all of the workspace's")
    ] = None,
    workspace: Folder = Path(),
    requests: Annotated[int | None, typer.Option(min=1, help="Take only the first so many held-out requests.", show_default="all")] = None,
    untrained: Untrained = False,
    votes: Votes = 0,
    as_json: AsJson = False,
) -> None:
    """Rank writers by the judge's verdicts on their drafts, every pair in both orders."""
    from rich.console import Console

    from idiolect.evaluation import choose_writers
    from idiolect.evaluation.drafts import together, write_drafts
    from idiolect.evaluation.judge_check import win_table
    from idiolect.evaluation.ranking import rank
    from idiolect.judge import ModelJudge

    place, settings = open_workspace(workspace)
    chosen = choose_writers(place, settings, writers)
    model = judge_model(place, settings) if untrained else load_judge(place)
    asked = [row.input for row in load_demonstrations(place.heldout) if row.input.strip()][:requests]
    if not asked or len(chosen.writers) < 2:
        raise InputError(
            "two writers and a held-out request are needed", where=str(place.root), hint="Run `idiolect prompt` or `idiolect sft`"
        )
    with bars() as progress, connected(settings, place, [*chosen.models, model.base_model], chosen.states) as connection:
        work = {
            name: write_drafts(place, connection, writer, asked, seed=settings.seed, on_progress=stage(progress, f"Drafts of {name}"))
            for name, writer in chosen.writers.items()
        }
        drafted = connection.run(together(work))
        texts = {
            name: [(request, one.text if one else "") for request, one in zip(asked, made.drafts, strict=True)]
            for name, made in drafted.items()
        }
        order = rank(win_table(ModelJudge.of(connection, model, votes=votes), texts), seed=settings.seed)
    rows = [one.model_dump(mode="json") for one in order]
    if as_json:
        report(True, {"requests": len(asked), "ranking": rows}, "")
        return
    for one in rows:
        places = f"{one['best_rank']} to {one['worst_rank']}"
        Console().print(
            f"{one['rank']}. {one['writer']}: {_shown(one['chance'])} against an average one of these; rank {places}", highlight=False
        )
