"""What one RL step costs and where: ``python -m benchmarks.rl_step`` (on a quiet machine).

Two runs of a few steps from the same start with the same judge, a model asked in the Prometheus form by the rubric that ten e-mails
give, as `idiolect rlaif --rewards judge` has it: once as it is, many pairs at a time whose prompts share the rubric and the request in
the engine's cache; once with a mark of its own before each rubric, so that nothing is shared, and one pair at a time. Reported: seconds
a step, split into sampling, judging and training, and the ratio.
Judging is the time in which any verdict was awaited; sampling the rest of the rollouts. Writes ``benchmarks/results/rl_step.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.judge import ModelJudge, Pair
from idiolect.judge.propose import propose
from idiolect.methods.baseline import baseline
from idiolect.methods.rlaif import RlaifConfig, rlaif
from idiolect.pocket.demo import prepare
from idiolect.service import Connection, renderer_name
from idiolect.settings import Settings
from idiolect.workspace import Workspace, read_json_lines, write_json
from idiolect.world import Author, demonstrations

RESULTS = Path(__file__).parent / "results"


@dataclass
class Timed:
    """A judge whose busy time is taken, and who may be denied batches and the cache."""

    judge: ModelJudge
    alone: bool
    name: str = "timed"
    busy: float = 0.0
    _asked: int = 0
    _active: int = 0
    _since: float = 0.0
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        self._since = self._since if self._active else time.monotonic()
        self._active += 1
        try:
            return await self._apart(pairs) if self.alone else await self.judge.probabilities(pairs)
        finally:
            self._active -= 1
            self.busy += 0.0 if self._active else time.monotonic() - self._since

    async def _apart(self, pairs: Sequence[Pair]) -> list[float | None]:
        found: list[float | None] = []
        for pair in pairs:
            async with self._one:
                self._asked += 1
                rubric = self.judge.rubric
                marked = replace(self.judge, rubric=rubric.model_copy(update={"title": f"{self._asked} {rubric.title}"}))
                found += await marked.probabilities([pair])
        return found


async def _steps(connection: Connection, place: Workspace, settings: Settings, steps: int, alone: bool) -> dict[str, float]:
    author, rows = Author.load(place.truth), load_demonstrations(place.demonstrations)
    rubric = propose([row.output for row in rows])
    judge = Timed(ModelJudge(connection, settings.policy, None, renderer_name(settings.policy, settings.renderer), rubric), alone)
    requests = [row.input for row in demonstrations(author, "development", 60, seed=5)]
    config = RlaifConfig(steps=steps, every=steps, dev_requests=2, patience=0)
    before = len(list(place.runs.glob("rlaif-*")))
    await rlaif(connection, place, settings, baseline(place, settings), judge, requests, rows, config, again=True)
    assert len(list(place.runs.glob("rlaif-*"))) == before + 1
    newest = max(place.runs.glob("rlaif-*/metrics.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    logged = list(read_json_lines(newest))
    return {
        "rollouts": median(row["time/sampling"] for row in logged),
        "judge": judge.busy / steps,
        "train": median(row["time/train_step"] for row in logged),
        "step": median(row["time/sampling"] + row["time/do_train_step_and_get_sampling_client"] for row in logged),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.rl_step")
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder) / "workspace")
        settings = prepare(place, 0, "development")
        with connected(settings, place, [settings.policy]) as connection:
            for name, alone in (("as it is", False), ("without cache and batches", True)):
                found[name] = connection.run(_steps(connection, place, settings, options.steps, alone))
                print(name, {key: round(value, 3) for key, value in found[name].items()}, flush=True)
    slow, fast = found["without cache and batches"], found["as it is"]
    found["ratio"] = {key: round(slow[key] / fast[key], 3) for key in ("judge", "step")}
    write_json(RESULTS / "rl_step.json", found)
    print(found["ratio"])


if __name__ == "__main__":
    main()
