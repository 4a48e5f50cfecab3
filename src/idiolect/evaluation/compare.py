"""Writers × held-out requests → ``results/compare.json`` and ``results/drafts.json``.

Knows the workspace, the service's drafts and the measures. Knows nothing of how a writer came about.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from typing import Any

import idiolect
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation import leakage
from idiolect.evaluation.canaries import Canaries
from idiolect.evaluation.drafts import Drafted, write_drafts
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.leakage import Leakage
from idiolect.evaluation.results import DraftRows, Results
from idiolect.evaluation.scoring import BASELINE, reference, score
from idiolect.evaluation.style import StyleMeasure, TruthStyle, Unknown, Verifier
from idiolect.methods.baseline import baseline
from idiolect.methods.run import all_writers
from idiolect.service import Connection, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace
from idiolect.world import Author

__all__ = ["ORDER", "OnProgress", "choose_writers", "compare"]

ORDER = ("baseline", "prompt", "few_shot", "sft", "rlaif", "ditto")
"""How writers are listed; others follow in the order of their runs."""
_MOST_IMPOSTORS = 200
_PACKAGES = ("tinker", "tinker-cookbook", "torch", "transformers", "numpy", "scipy", "scikit-learn")

OnProgress = Callable[[str, int, int], None]
"""Called with a writer's name and how many of how many drafts it has."""


def compare(
    workspace: Workspace,
    settings: Settings,
    connection: Connection,
    *,
    writers: Sequence[str] | None = None,
    requests: int | None = None,
    audit: bool = False,
    on_progress: OnProgress | None = None,
) -> Results:
    """Let every writer answer the same held-out requests, measure the drafts, and save both result files.

    ``writers`` names some of the finished runs' writers (the baseline always joins), ``requests`` takes the first so many,
    ``audit`` also measures what each writer gives away of its training mail.
    Drafts are kept, so a killed comparison goes on. Raises ``InputError`` where there is nothing to compare.
    """
    heldout = _heldout(workspace, requests)
    demonstrations = load_demonstrations(workspace.demonstrations)
    chosen = choose_writers(workspace, settings, writers)

    def drafts(writer: Writer, asked: Sequence[str], label: str) -> Drafted:
        report = functools.partial(on_progress, label) if on_progress else None
        return write_drafts(workspace, connection, writer, asked, seed=settings.seed, on_progress=report)

    drafted = {name: drafts(writer, [row.input for row in heldout], name) for name, writer in chosen.items()}
    author = Author.load(workspace.truth) if workspace.truth.is_file() else None
    style: StyleMeasure
    if author:
        style = TruthStyle(author)
    else:
        known = [row for row in demonstrations if row.input.strip() and row.output.strip()][-_MOST_IMPOSTORS:]
        impostors = drafts(chosen[BASELINE], [row.input for row in known], "impostors for the verifier").drafts if known else []
        style = Verifier.fit([row.output for row in known], [draft.text for draft in impostors]) if known else Unknown(texts=0)
    # A general model knows more words than the simulated world, so only the pocket model is held to the world's lexicon.
    checker = FidelityChecker(demonstrations, author=author, world=author is not None and not settings.instructed)
    scores = score(heldout, drafted, style=style, checker=checker, seed=settings.seed)
    leaks = _audited(workspace, connection, chosen, drafted, demonstrations, heldout, settings.seed, on_progress) if audit else {}
    results = Results(
        author=author.name if author else settings.author,
        task=settings.task,
        base_model=_shown(settings.policy),
        heldout=len(heldout),
        seed=settings.seed,
        writers=scores.writers,
        judge=style.judge,
        differences=scores.differences,
        truncated=scores.truncated,
        meta_comments=scores.meta_comments,
        win_rates=scores.win_rates,
        ranking=scores.ranking,
        leakage=leaks,
        reference=reference(heldout, style=style, checker=checker, seed=settings.seed),
        about={
            "date": datetime.now().date().isoformat(),
            "demonstrations": len(demonstrations),
            "simulated": author is not None,
            "style": style.about(),
            "writers": {name: _settings_of(writer) for name, writer in chosen.items()},
            "versions": _versions(),
        },
    )
    DraftRows(requests=scores.rows).save(workspace.results / "drafts.json")
    results.save(workspace.results / "compare.json")
    return results


def _audited(
    workspace: Workspace,
    connection: Connection,
    writers: Mapping[str, Writer],
    drafted: Mapping[str, Drafted],
    demonstrations: Sequence[Demonstration],
    heldout: Sequence[Demonstration],
    seed: int,
    on_progress: OnProgress | None,
) -> dict[str, Leakage]:
    planted = Canaries.load(workspace.canaries).canaries if workspace.canaries.is_file() else []
    found = {}
    for name, writer in writers.items():
        told = functools.partial(on_progress, f"audit of {name}") if on_progress else None
        work = leakage.audit(connection, writer, demonstrations, heldout, planted, drafted[name].drafts, seed=seed, on_progress=told)
        found[name] = connection.run(work)
    return found


def choose_writers(workspace: Workspace, settings: Settings, names: Sequence[str] | None = None) -> dict[str, Writer]:
    """The newest finished writer of each name, in the order of ``ORDER``; the baseline is made where it has no run yet.

    Raises ``InputError`` for a name that no run has.
    """
    found = all_writers(workspace)
    unknown = [name for name in names or () if name not in found and name != BASELINE]
    if unknown:
        there = ", ".join(found) or "none yet"
        raise InputError(f"there is no writer {unknown[0]!r}", where=str(workspace.runs), hint=f"There are: {there}")
    if BASELINE not in found:
        found[BASELINE] = baseline(workspace, settings)
    rank = {name: place for place, name in enumerate(ORDER)}
    ordered = sorted(found, key=lambda name: rank.get(name, len(ORDER)))
    return {name: found[name] for name in ordered if names is None or name in names or name == BASELINE}


def _heldout(workspace: Workspace, requests: int | None) -> list[Demonstration]:
    if requests is not None and requests < 1:
        raise InputError(f"{requests} requests cannot be compared", where="--requests", hint="Give a number from 1 up")
    rows = [row for row in load_demonstrations(workspace.heldout) if row.input.strip()]
    if not rows:
        raise InputError("there are no held-out requests", where=str(workspace.heldout), hint="Run `idiolect import` with more e-mails")
    return rows[:requests]


def _shown(model: str) -> str:
    """A model as a reader knows it: no folder of this machine."""
    return "pocket" if model == pocket_model() else model


def _settings_of(writer: Writer) -> dict[str, Any]:
    kept = writer.model_dump(mode="json", include={"renderer", "adapter", "system_prompt", "max_tokens", "temperature"})
    return {"base_model": _shown(writer.base_model), **kept, "examples": len(writer.examples)}


def _versions() -> dict[str, str]:
    found = {"idiolect": idiolect.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
