"""``idiolect demo``: the whole product on a simulated person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, report
from idiolect.cli.progress import bars
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="The workspace to make.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(help="Another seed takes another simulated person.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Personalize the pocket model for a simulated person, and show what it brought."""
    from idiolect.pocket.demo import run

    place = Workspace(out.expanduser().resolve())
    place.root.mkdir(parents=True, exist_ok=True)
    with bars() as progress, connected(Settings(author="demo", seed=seed), place) as connection:
        result = run(out, connection, seed=seed, progress=progress)
    report(as_json, result.values, result.text)
