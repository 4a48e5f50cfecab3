"""What votes and edits bring: ``python -m benchmarks.improve --authors 5 --folder DIR``.

Simulated people use the writer that was fine-tuned on their ten e-mails and on synthetic ones. For new requests they are shown two of
its drafts: every other time they vote for the one that has more of their true traits and habits, else they rewrite the first draft as
they would have written it. `improve` learns from these interactions. Both writers then draft for held-out requests; the differences are
paired. Writes ``benchmarks/results/improve.json``; an author that is done is not done again. Settings come from development authors.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.corpus.preferences import Preference
from idiolect.evaluation.statistics import paired_difference
from idiolect.methods.improve import ImproveConfig, improve
from idiolect.methods.sft import sft
from idiolect.methods.synthetic import synthetic_data
from idiolect.pocket.demo import prepare
from idiolect.pocket.methods_bench import MEASURES, Case, measured_drafts
from idiolect.service import Connection, Writer, draft
from idiolect.settings import Settings
from idiolect.workspace import Workspace, read_json, write_json
from idiolect.world import Author, parts_found, realise, sample_situation

RESULTS = Path(__file__).parent / "results"


async def interactions(connection: Connection, writer: Writer, author: Author, split: str, count: int) -> list[Preference]:
    """``count`` votes and edits, by turns, of a person who goes by their true traits. A vote between equals leaves no pair."""
    situations = [sample_situation(split, f"used by {author.name} {number}") for number in range(count)]
    requests = [one.request for one in situations]
    hot = writer.model_copy(update={"temperature": 1.0})
    first, second = [[one.text for one in await draft(connection, hot, requests, seed=seed)] for seed in (1, 2)]
    found: list[Preference] = []
    for number, (situation, one, other) in enumerate(zip(situations, first, second, strict=True)):
        if number % 2:
            found.append(_edit(situation.request, realise(situation, author, number), one, writer.name))
            continue
        worth = [sum(parts_found(author, text, situation.request).values()) for text in (one, other)]
        if worth[0] != worth[1]:
            better, worse = (one, other) if worth[0] > worth[1] else (other, one)
            names = (writer.name, writer.name)
            found.append(Preference(request=situation.request, preferred=better, rejected=worse, source="vote", writers=names))
    return found


def _edit(request: str, edited: str, drafted: str, writer: str) -> Preference:
    return Preference(request=request, preferred=edited, rejected=drafted, source="edit", writers=(writer,))


async def _author(case: Case, split: str, count: int, config: ImproveConfig) -> dict[str, Any]:
    made, _ = await synthetic_data(case.connection, case.place, case.settings, case.rows, case.heldout)
    start = await sft(case.connection, case.place, case.settings, case.rows, made)
    choices = await interactions(case.connection, start, Author.load(case.place.truth), split, count)
    improved = await improve(case.connection, case.place, case.settings, start, choices, config)
    scores = {name: (await measured_drafts(case, writer))[0] for name, writer in (("start", start), ("improved", improved))}
    return {"pairs": len(choices), **scores}


def summary(authors: dict[str, Any]) -> dict[str, Any]:
    """Each measure of both writers and the paired difference, resampled over authors and their requests."""

    def pooled(name: str, measure: str) -> list[float | None]:
        return [value for found in authors.values() for value in found[name][measure]]

    people: Sequence[str] = [author for author, found in authors.items() for _ in found["start"]["style"]]
    return {
        measure: paired_difference(pooled("improved", measure), pooled("start", measure), authors=people).model_dump()
        for measure in MEASURES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.improve")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--authors", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first author")
    parser.add_argument("--interactions", type=int, default=30)
    parser.add_argument("--requests", type=int, default=20, help="held-out requests of each author")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--steps", type=int, default=ImproveConfig().steps)
    parser.add_argument("--folder", type=Path, required=True, help="where the workspaces lie; run again with it to go on after a stop")
    parser.add_argument("--out", type=Path, default=RESULTS / "improve.json")
    options = parser.parse_args()
    config = ImproveConfig(steps=options.steps, learning_rate=options.rate)
    how = {
        "split": options.split, "interactions": options.interactions, "requests": options.requests, "config": config.model_dump(mode="json")
    }  # fmt: skip
    known = read_json(options.out) if options.out.exists() else {}
    authors: dict[str, Any] = known["authors"] if known.get("how") == how else {}
    for number in range(options.first, options.first + options.authors):
        place = Workspace(options.folder / f"{options.split}-{number}")
        settings: Settings = prepare(place, number, options.split)
        if settings.author not in authors:
            rows, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)[: options.requests]
            with connected(settings, place, [settings.policy]) as connection:
                case = Case(connection, place, settings, rows, heldout)
                authors[settings.author] = connection.run(_author(case, options.split, options.interactions, config))
            write_json(options.out, {"how": how, "improvement": summary(authors), "authors": authors})
        print(f"{settings.author}: {number + 1 - options.first} of {options.authors}", flush=True)
    for measure, difference in summary(authors).items():
        print(f"{measure:18}", difference)


if __name__ == "__main__":
    main()
