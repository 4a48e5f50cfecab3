"""A task that the pocket model has never seen, proved with truth: ``python -m benchmarks.tasks``.

Simulated people write product reviews. For each: the base model, SFT on the person's own reviews, and a comparison on requests
that were not learnt from. Writes ``benchmarks/results/tasks.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.evaluation import compare, load_drafts
from idiolect.evaluation.statistics import mean_with_interval
from idiolect.methods.baseline import baseline
from idiolect.methods.sft import SftConfig, sft
from idiolect.settings import Settings
from idiolect.workspace import Workspace, write_json
from idiolect.world import demonstrations, sample_author

RESULTS = Path(__file__).parent / "results"
_SHARES = ("invented", "placeholders", "truncated")


def person(place: Workspace, split: str, number: int, *, shown: int, heldout: int) -> Settings:
    """A simulated reviewer's workspace."""
    author = sample_author(split, number, "review")
    settings = Settings(author=author.name, task="review", seed=number)
    author.save(place.truth)
    settings.save(place.settings)
    save_demonstrations(place.demonstrations, demonstrations(author, split, shown, seed=1))
    save_demonstrations(place.heldout, demonstrations(author, split, heldout, seed=2))
    return settings


def measured(place: Workspace, settings: Settings, config: SftConfig, shown: int) -> dict[str, dict[str, list[float | None]]]:
    """Each writer's values, request by request."""
    from idiolect.corpus.demonstrations import load_demonstrations

    rows = load_demonstrations(place.demonstrations)[:shown]
    with connected(settings, place, [settings.policy]) as connection:
        baseline(place, settings)
        connection.run(sft(connection, place, settings, rows, [], config))
        compare(place, settings, connection)
    found: dict[str, dict[str, list[float | None]]] = {}
    for request in load_drafts(place.results / "drafts.json").requests:
        for name, row in request.drafts.items():
            for measure in ("style", "facts", *_SHARES):
                value = getattr(row, measure)
                found.setdefault(name, {}).setdefault(measure, []).append(float(bool(value)) if measure in _SHARES else value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.tasks")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--authors", type=int, default=3)
    parser.add_argument("--shown", type=int, default=40)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--steps", type=int, default=SftConfig().steps)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--out", type=Path, default=RESULTS / "tasks.json")
    options = parser.parse_args()
    config = SftConfig(data="demonstrations", steps=options.steps, learning_rate=options.rate)
    pooled: dict[str, dict[str, list[float | None]]] = {}
    authors: list[int] = []
    for number in range(options.authors):
        with tempfile.TemporaryDirectory() as folder:
            place = Workspace(Path(folder) / "workspace")
            settings = person(place, options.split, number, shown=options.shown, heldout=options.requests)
            found = measured(place, settings, config, options.shown)
        for name, measures in found.items():
            for measure, values in measures.items():
                pooled.setdefault(name, {}).setdefault(measure, []).extend(values)
        authors += [number] * options.requests
    table: dict[str, Any] = {
        name: {measure: mean_with_interval(values, authors=authors, bounds=(0, 1)).model_dump() for measure, values in measures.items()}
        for name, measures in pooled.items()
    }
    shown = {key: value for key, value in vars(options).items() if key != "out"}
    write_json(options.out, {"options": shown, "writers": table})
    for name, measures in table.items():
        print(name, {measure: [round(value[key] or 0, 3) for key in ("mean", "low", "high")] for measure, value in measures.items()})


if __name__ == "__main__":
    main()
