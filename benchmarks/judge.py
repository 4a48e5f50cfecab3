"""The judge on authors that nothing was chosen on: ``python -m benchmarks.judge [--split heldout] [--authors 5]``.

For each author: a rubric proposed from ten e-mails, a judge trained on pairs of those e-mails alone, and both it and its base model
asked in both orders about requests that nobody learnt from. Writes ``benchmarks/results/judge.json`` after each author, and goes on
with the next one when it is run again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.evaluation.judge_check import check_judge
from idiolect.evaluation.judges import truth_judge
from idiolect.evaluation.statistics import mean_with_interval
from idiolect.judge import ModelJudge, Pair
from idiolect.judge.examples import LabelledPair, draft_pairs, padded_pairs, simulated_pairs, spoilt_pairs, strangers
from idiolect.judge.propose import propose
from idiolect.judge.seen import common
from idiolect.methods.reward_model import RewardModelConfig, judge_model, plain_drafts, reward_model
from idiolect.pocket.demo import prepare
from idiolect.service import Connection
from idiolect.settings import Settings
from idiolect.workspace import Workspace, read_json, write_atomic, write_json
from idiolect.world import Author

RESULTS = Path(__file__).parent / "results"
_TESTED_SEED = 7


def _tested(author: Author, known: list[Demonstration], heldout: list[Demonstration], drafts: dict[str, list[str]]) -> list[LabelledPair]:
    """Pairs of held-out requests: own text against the plain draft, against itself spoilt, and against another person's."""
    habits = common([row.output for row in known])
    spoilt = spoilt_pairs(heldout, 2, _TESTED_SEED, habits=habits)
    return [*draft_pairs(heldout, drafts), *spoilt, *simulated_pairs([author], len(heldout), _TESTED_SEED)]


def _author(place: Workspace, settings: Settings, connection: Connection, config: RewardModelConfig, count: int) -> dict[str, Any]:
    known, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)[:count]
    author = Author.load(place.truth)
    write_atomic(place.rubric, propose([row.output for row in known]).markdown())
    began = time.monotonic()
    trained = connection.run(reward_model(connection, place, settings, known, config))
    seconds = time.monotonic() - began
    others = strangers(author, count, _TESTED_SEED)
    requests = [*(row.input for row in heldout), *(request for request, _ in others)]
    drafts = connection.run(plain_drafts(connection, place, settings, requests, 1))
    pairs = _tested(author, known, heldout, drafts)
    own = [Pair(request, drafts[request][0], text) for request, text in others]
    deserved = [(pair, worth) for pair, worth in zip(own, truth_judge(author).prefers_first(own), strict=True) if worth is not None]
    found: dict[str, Any] = {"training_seconds": round(seconds, 1)}
    for name, judge in (("base", judge_model(place, settings)), ("trained", trained)):
        asked = ModelJudge.of(connection, judge, name=name)
        began = time.monotonic()
        found[name] = check_judge(asked, pairs, padded=padded_pairs(heldout, _TESTED_SEED), own_drafts=deserved).model_dump(mode="json")
        found[name]["seconds"] = round(time.monotonic() - began, 1)
    return found


def _summary(authors: dict[str, Any]) -> dict[str, Any]:
    """Means over authors, with intervals over authors."""
    summary: dict[str, Any] = {}
    for name in ("base", "trained"):
        for source in next(iter(authors.values()))[name]["by_source"]:
            for figure in ("right", "right_in_both", "position_bias"):
                values = [found[name]["by_source"][source][figure]["mean"] for found in authors.values()]
                summary[f"{name} {source} {figure}"] = mean_with_interval(values).model_dump(mode="json")
        for figure in ("verbosity_bias", "self_preference"):
            summary[f"{name} {figure}"] = mean_with_interval([found[name][figure]["mean"] for found in authors.values()]).model_dump(
                mode="json"
            )
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.judge")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--authors", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first author")
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--steps", type=int, default=RewardModelConfig().steps)
    parser.add_argument("--spoilt", type=int, default=RewardModelConfig().spoilt, help="spoilt pairs of each own text")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    out = options.out or RESULTS / ("judge.json" if options.split == "heldout" else "judge-development.json")
    config = RewardModelConfig(steps=options.steps, spoilt=options.spoilt)
    settled = {"split": options.split, "requests": options.requests, "config": config.model_dump(mode="json")}
    known = read_json(out) if out.exists() else {}
    authors = known["authors"] if {name: known.get(name) for name in settled} == settled else {}
    for number in range(options.first, options.first + options.authors):
        if str(number) in authors:
            continue
        with tempfile.TemporaryDirectory() as folder:
            place = Workspace(Path(folder) / "workspace")
            settings = prepare(place, number, options.split)
            with connected(settings, place, [settings.policy]) as connection:
                authors[str(number)] = _author(place, settings, connection, config, options.requests)
        write_json(out, {**settled, "summary": _summary(authors), "authors": authors})
        for name in ("base", "trained"):
            shares = {source: one["right_in_both"]["mean"] for source, one in authors[str(number)][name]["by_source"].items()}
            print(f"author {number} {name}: right in both orders {shares}", flush=True)
    for name, measure in _summary(authors).items():
        print(f"{name:40}", measure)


if __name__ == "__main__":
    main()
