"""Choosing the settings of fine-tuning on development authors: ``python -m benchmarks.settings``.

For each author and each setting: the style and the facts kept of drafts for requests that were not learnt from.
Writes ``benchmarks/results/settings.json``. Held-out authors are never used here.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.methods.baseline import baseline
from idiolect.methods.prompting import prompting
from idiolect.methods.sft import SftConfig, sft
from idiolect.methods.synthetic import synthetic_data
from idiolect.pocket.demo import prepare
from idiolect.service import Connection, Writer
from idiolect.service.sampling import draft
from idiolect.settings import Settings
from idiolect.workspace import Workspace, write_json
from idiolect.world import Author, facts_kept, traits_found

RESULTS = Path(__file__).parent / "results"


async def _measured(connection: Connection, place: Workspace, writer: Writer, count: int) -> dict[str, float]:
    author, rows = Author.load(place.truth), load_demonstrations(place.heldout)[:count]
    drafts = await draft(connection, writer, [row.input for row in rows], seed=7)
    return {
        "style": mean(mean(traits_found(author, one.text, one.request).values()) for one in drafts),
        "facts": mean(mean(facts_kept(row.facts, one.text)) for row, one in zip(rows, drafts, strict=True)),
        "finished": mean(one.finished for one in drafts),
    }


async def _author(connection: Connection, place: Workspace, settings: Settings, grid: list[SftConfig], count: int) -> dict[str, Any]:
    rows, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)
    writers = {"baseline": baseline(place, settings), **await prompting(connection, place, settings, rows)}
    made, _ = await synthetic_data(connection, place, settings, rows, heldout)
    for config in grid:
        name = " ".join(f"{field}={getattr(config, field)}" for field in sorted(config.model_fields_set)) or "defaults"
        writers[f"sft {name}"] = await sft(connection, place, settings, rows, made, config)
    found: dict[str, Any] = {}
    for name, writer in writers.items():
        for temperature in (0.3, 0.7):
            measured = await _measured(connection, place, writer.model_copy(update={"temperature": temperature}), count)
            found[f"{name} T={temperature}"] = measured
            print(f"{name} T={temperature}", {key: round(value, 3) for key, value in measured.items()}, flush=True)
    return {"synthetic": len(made), "writers": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.settings")
    parser.add_argument("--authors", type=int, default=3)
    parser.add_argument("--requests", type=int, default=25)
    parser.add_argument("--rates", type=float, nargs="+", default=[6e-4, 2e-3])
    parser.add_argument("--steps", type=int, nargs="+", default=[40, 80])
    parser.add_argument("--data", nargs="+", default=["both"])
    parser.add_argument("--out", type=Path, default=RESULTS / "settings.json")
    options = parser.parse_args()
    grid = [
        SftConfig(learning_rate=rate, steps=steps, data=data)
        for rate, steps, data in itertools.product(options.rates, options.steps, options.data)
    ]
    results: dict[str, Any] = {}
    for number in range(options.authors):
        with tempfile.TemporaryDirectory() as folder:
            place = Workspace(Path(folder) / "workspace")
            settings = prepare(place, number, "development")
            with connected(settings, place, [settings.policy]) as connection:
                results[settings.author] = connection.run(_author(connection, place, settings, grid, options.requests))
    writers = next(iter(results.values()))["writers"]
    summary = {
        name: {key: round(mean(found["writers"][name][key] for found in results.values()), 4) for key in ("style", "facts", "finished")}
        for name in writers
    }
    write_json(options.out, {"authors": results, "mean": summary})
    for name, measured in summary.items():
        print(f"{name:60}", measured)


if __name__ == "__main__":
    main()
