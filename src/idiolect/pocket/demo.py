"""The demo: a simulated person whose style is known, personalized in every way that there is, and the comparison.

Knows the methods, the measures and the world. Knows a connection, but nothing of how the model is served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation.compare import compare
from idiolect.evaluation.results import Results
from idiolect.judge.likeness import Likeness, LikenessJudge
from idiolect.methods.baseline import baseline, plain_texts
from idiolect.methods.ditto import ditto
from idiolect.methods.prompting import prompting
from idiolect.methods.rlaif import rlaif
from idiolect.methods.sft import sft
from idiolect.methods.synthetic import synthetic_data
from idiolect.report import ReportFiles, build_report
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.workspace import Workspace
from idiolect.world import Author, demonstrations, sample_author

__all__ = ["DEMONSTRATIONS", "HELDOUT", "Demo", "prepare", "reinforced", "run"]

DEMONSTRATIONS = 10
HELDOUT = 50
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Demo:
    """What the demo brought."""

    results: Results
    report: ReportFiles
    workspace: Workspace


def prepare(workspace: Workspace, seed: int, split: str = "heldout", *, demonstrations_wanted: int = DEMONSTRATIONS) -> Settings:
    """Lay a simulated correspondent's e-mails into a workspace; one that is there already is gone on with.

    Raises ``InputError`` where the folder holds somebody else's work.
    """
    author = sample_author(split, seed)
    if workspace.truth.exists():
        if Author.load(workspace.truth) != author:
            raise InputError(
                "holds the demo of another seed", where=str(workspace.root), hint="Name another folder with --out, or delete it"
            )
    elif workspace.root.exists() and any(path.name != workspace.engine_state.name for path in workspace.root.iterdir()):
        raise InputError("is not empty and holds no demo", where=str(workspace.root), hint="Name another folder with --out")
    settings = Settings(author=author.name, seed=seed)
    author.save(workspace.truth)
    if not workspace.settings.exists():
        settings.save(workspace.settings)
    if not workspace.demonstrations.exists():
        save_demonstrations(workspace.demonstrations, demonstrations(author, split, demonstrations_wanted, seed=1))
    if not workspace.heldout.exists():
        save_demonstrations(workspace.heldout, demonstrations(author, split, HELDOUT, seed=2))
    return settings


def run(workspace: Workspace, connection: Connection, *, seed: int = 0, progress: Progress) -> Demo:
    """All methods, from the baseline to DITTO, comparison, report. What is done already is not done again."""
    settings = prepare(workspace, seed)
    connection.run(_personalize(workspace, settings, connection, progress))
    results = compare(workspace, settings, connection, on_progress=lambda writer, done, total: progress(f"Drafts by {writer}", done, total))
    return Demo(results, build_report(workspace, prices=settings.prices), workspace)


async def _personalize(workspace: Workspace, settings: Settings, connection: Connection, progress: Progress) -> None:
    rows, heldout = load_demonstrations(workspace.demonstrations), load_demonstrations(workspace.heldout)

    def told(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total)

    baseline(workspace, settings)
    await prompting(connection, workspace, settings, rows, on_progress=told("Describing the style"))
    made, _ = await synthetic_data(connection, workspace, settings, rows, heldout, progress=progress)
    tuned = await sft(connection, workspace, settings, rows, made, on_progress=told("Fine-tuning"))
    await reinforced(connection, workspace, settings, rows, made, tuned, progress=progress)
    await ditto(connection, workspace, settings, rows, on_progress=told("DITTO's rounds"))


async def reinforced(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    rows: Sequence[Demonstration],
    made: Sequence[Demonstration],
    first: Writer,
    *,
    progress: Progress,
) -> Writer:
    """``first`` after RLAIF by the count of what the demonstrations ``rows`` share, which knows nothing but them."""
    plain = await plain_texts(connection, workspace, settings, [row.input for row in rows])
    judge = LikenessJudge(Likeness([row.output for row in rows], plain))
    requests = [row.input for row in (*rows, *made)]
    learning = partial(progress, "Reinforcement learning")
    return await rlaif(connection, workspace, settings, first, judge, requests, rows, on_progress=learning)
