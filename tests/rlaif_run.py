"""A short RLAIF run in a process of its own, for the tests to kill: ``python rlaif_run.py FOLDER URL TOKEN MODEL STEPS [PROJECT]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from idiolect.corpus import Demonstration
from idiolect.judge.pairs import Pair
from idiolect.methods.rlaif import RlaifConfig, rlaif
from idiolect.methods.tracking import Tracking
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.workspace import Workspace

NAMES = ("Ann", "Tom", "Lia", "Raj")
REQUESTS = [f"Ask {name} for the report number {n} by Friday" for n in range(4) for name in NAMES]
OWN = [
    Demonstration(id=str(n), input=request, output=f"Hi {request.split()[1]},\nwhere is it?\nTom") for n, request in enumerate(REQUESTS[:4])
]


class Shorter:
    """Prefers the shorter draft."""

    name = "shorter"

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        return [0.5 if len(pair.first) == len(pair.second) else float(len(pair.first) < len(pair.second)) for pair in pairs]


def run(folder: Path, url: str, token: str, model: str, steps: int, project: str | None = None) -> Writer:
    first = Writer(name="baseline", base_model=model, renderer="qwen3_instruct", max_tokens=16)
    config = RlaifConfig(steps=steps, batch_size=2, every=1, dev_requests=2, rank=4, patience=0)
    tracking = Tracking(wandb=True, wandb_project=project) if project else None
    with Connection(url, token) as connection:
        return connection.run(rlaif(connection, Workspace(folder), Settings(), first, Shorter(), REQUESTS, OWN, config, tracking=tracking))


if __name__ == "__main__":
    folder, url, token, model, steps, *project = sys.argv[1:]
    run(Path(folder), url, token, model, int(steps), *project)
