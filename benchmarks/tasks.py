"""A task that the pocket model has never seen, proved with truth: ``python -m benchmarks.tasks --folder DIR``.

Simulated people write product reviews. For each: every method that learns from the person's own reviews, the judge among them, and a
comparison on requests that were not learnt from. Stopped and run again with the same folder, it goes on. Writes
``benchmarks/results/tasks.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.evaluation import compare, load_drafts
from idiolect.evaluation.judge_check import check_judge
from idiolect.evaluation.statistics import mean_with_interval
from idiolect.judge import ModelJudge
from idiolect.judge.examples import draft_pairs, spoilt_pairs
from idiolect.judge.seen import common
from idiolect.methods.baseline import baseline
from idiolect.methods.ditto import ditto
from idiolect.methods.prompting import prompting
from idiolect.methods.reward_model import plain_drafts, reward_model
from idiolect.methods.run import writer_named
from idiolect.methods.sft import SftConfig, sft
from idiolect.pocket.demo import reinforced
from idiolect.report import build_report
from idiolect.service import Connection
from idiolect.settings import Settings
from idiolect.workspace import Workspace, write_json
from idiolect.world import demonstrations, sample_author

RESULTS = Path(__file__).parent / "results"
_SHARES = ("invented", "placeholders", "truncated")
Values = dict[str, dict[str, list[float | None]]]
"""Writer → measure → its value for each request."""


def _silent(what: str, done: int, total: int) -> None:
    """The bench tells of authors only."""


def person(place: Workspace, split: str, number: int, *, shown: int, heldout: int) -> Settings:
    """A simulated reviewer's workspace."""
    author = sample_author(split, number, "review")
    settings = Settings(author=author.name, task="review", seed=number)
    author.save(place.truth)
    settings.save(place.settings)
    save_demonstrations(place.demonstrations, demonstrations(author, split, shown, seed=1))
    save_demonstrations(place.heldout, demonstrations(author, split, heldout, seed=2))
    return settings


def measured(place: Workspace, settings: Settings, config: SftConfig, shown: int) -> Values:
    """Each writer's values, request by request; the judge's are its shares of right verdicts."""
    rows = load_demonstrations(place.demonstrations)[:shown]
    with connected(settings, place, [settings.policy]) as connection:
        baseline(place, settings)
        connection.run(_learnt(connection, place, settings, rows, config))
        compare(place, settings, connection)
        judged = _judge(connection, place, settings, rows)
    build_report(place)
    found: Values = {"judge": judged}
    for request in load_drafts(place.results / "drafts.json").requests:
        for name, row in request.drafts.items():
            for measure in ("style", "facts", *_SHARES):
                value = getattr(row, measure)
                found.setdefault(name, {}).setdefault(measure, []).append(float(bool(value)) if measure in _SHARES else value)
    return found


async def _learnt(connection: Connection, place: Workspace, settings: Settings, rows: Sequence[Demonstration], config: SftConfig) -> None:
    """Prompt, examples, SFT, and from there RLAIF and DITTO. The pocket model makes up no reviews, so there is no synthetic data."""
    await prompting(connection, place, settings, rows)
    tuned = await sft(connection, place, settings, rows, [], config)
    await reinforced(connection, place, settings, rows, [], tuned, progress=_silent)
    await ditto(connection, place, settings, rows, first=tuned)


def _judge(connection: Connection, place: Workspace, settings: Settings, rows: Sequence[Demonstration]) -> dict[str, list[float | None]]:
    """The shares of pairs that the judge gets right, by where the worse text comes from, on requests that it did not learn from."""
    judge = connection.run(reward_model(connection, place, settings, rows, policy=writer_named(place, "sft")))
    heldout = load_demonstrations(place.heldout)
    drafts = connection.run(plain_drafts(connection, place, settings, [row.input for row in heldout], 1, _silent))
    habits = common([row.output for row in rows])
    pairs = [*draft_pairs(heldout, drafts), *spoilt_pairs(heldout, 3, settings.seed + 1, habits=habits)]
    found = check_judge(ModelJudge.of(connection, judge), pairs, seed=settings.seed)
    return {source: [one.right.mean] for source, one in found.by_source.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.tasks")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--authors", type=int, default=3)
    parser.add_argument("--shown", type=int, default=40)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--steps", type=int, default=SftConfig().steps)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--folder", type=Path, required=True, help="Where the workspaces lie; run again with it to go on after a stop.")
    parser.add_argument("--out", type=Path, default=RESULTS / "tasks.json")
    options = parser.parse_args()
    config = SftConfig(data="demonstrations", steps=options.steps, learning_rate=options.rate)
    pooled: Values = {}
    authors: list[int] = []
    for number in range(options.authors):
        place = Workspace(options.folder / f"{options.split}-{number}")
        settings = person(place, options.split, number, shown=options.shown, heldout=options.requests)
        found = measured(place, settings, config, options.shown)
        for name, measures in found.items():
            for measure, values in measures.items():
                pooled.setdefault(name, {}).setdefault(measure, []).extend(values)
        authors += [number] * options.requests
    table: dict[str, Any] = {
        name: {
            measure: mean_with_interval(values, authors=None if name == "judge" else authors, bounds=(0, 1)).model_dump()
            for measure, values in measures.items()
        }
        for name, measures in pooled.items()
    }
    shown = {key: value for key, value in vars(options).items() if key not in ("out", "folder")}
    write_json(options.out, {"options": shown, "writers": table})
    for name, measures in table.items():
        told = {measure: [None if one is None else round(one, 3) for one in value.values()] for measure, value in measures.items()}
        print(name, told)


if __name__ == "__main__":
    main()
