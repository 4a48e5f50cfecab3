"""Writers × held-out requests → ``results/compare.json`` and ``results/drafts.json``.

Knows the workspace, the service's drafts and the measures. Knows nothing of how a writer came about.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from typing import Any, Literal

import idiolect
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation import leakage
from idiolect.evaluation.agreement import PLAIN_DRAFTS, agreed, unsaid_words
from idiolect.evaluation.canaries import Canaries
from idiolect.evaluation.contenders import ORDER, Contenders, choose_writers
from idiolect.evaluation.drafts import AnyWriter, Drafted, drafts_path, together, write_drafts
from idiolect.evaluation.fidelity import FidelityChecker, fewest_faults
from idiolect.evaluation.given import GivenDrafts
from idiolect.evaluation.judges import FactsJudge, ScoreJudge
from idiolect.evaluation.leakage import Leakage
from idiolect.evaluation.results import DraftRows, Results
from idiolect.evaluation.scoring import BASELINE, reference, score
from idiolect.evaluation.style import StyleMeasure, TruthStyle, Unknown, Verifier
from idiolect.judge import ModelJudge, PairJudge
from idiolect.methods.baseline import impersonal
from idiolect.methods.reward_model import load_judge
from idiolect.service import BestOf, Connection, Endpoint, Writer, derive_seed
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace
from idiolect.world import Author

__all__ = ["ORDER", "JudgeName", "OnProgress", "compare"]

JudgeName = Literal["style", "facts", "truth", "rubric"]
"""Who decides the win rates: the authorship verifier, the faults against the request, a simulated author's true traits, or the
judge that the workspace trained."""
_IMPOSTORS = "impostors for the verifier"
_MOST_IMPOSTORS = 200
_PLAIN = "the base model, draft"
_PACKAGES = ("tinker", "tinker-cookbook", "torch", "transformers", "numpy", "scipy", "scikit-learn")

OnProgress = Callable[[str, int, int], None]
"""Called with a writer's name and how many of how many drafts it has."""


def compare(
    workspace: Workspace,
    settings: Settings,
    connection: Connection,
    *,
    contenders: Contenders | None = None,
    requests: int | None = None,
    judge: JudgeName | None = None,
    audit: bool = False,
    on_progress: OnProgress | None = None,
) -> Results:
    """Let every writer answer the same held-out requests, all at one time, measure the drafts, and save both result files.

    ``contenders`` are by default all of the workspace's writers, ``requests`` takes the first so many, ``judge`` decides the win
    rates (by default the truth where it is known, else style), ``audit`` also measures what each writer gives away of its training
    texts. Drafts are kept, so a killed comparison goes on. Raises ``InputError`` where there is nothing to compare.
    """
    heldout = _heldout(workspace, requests)
    demonstrations = load_demonstrations(workspace.demonstrations)
    chosen = (contenders or choose_writers(workspace, settings)).writers
    author = Author.load(workspace.truth) if workspace.truth.is_file() else None
    if judge == "truth" and not author:
        hint = "Choose style or facts; the truth is known of simulated authors only"
        raise InputError("the author's true traits are not known", where=f"--judge truth, {workspace.truth}", hint=hint)
    asked = [row.input for row in heldout]
    counts = _counts(chosen, asked)
    # The verifier's impostors: the baseline's drafts on the requests of the person's own texts.
    known = [row for row in demonstrations if row.input.strip() and row.output.strip()][-_MOST_IMPOSTORS:]
    verified = not author or judge == "style"
    work = {name: (writer, asked) for name, writer in chosen.items()}
    if verified:
        work[_IMPOSTORS] = (chosen[BASELINE], [row.input for row in known])
    best_of = _chooser(workspace, settings, connection, chosen[BASELINE], demonstrations, asked, on_progress)
    drafted = connection.run(_drawn(workspace, connection, work, settings.seed, best_of, on_progress))
    impostors = drafted.pop(_IMPOSTORS, Drafted([], 0.0)).present
    verifier = Verifier.fit([row.output for row in known], [one.text for one in impostors]) if verified else None
    style: StyleMeasure = TruthStyle(author) if author else verifier or Unknown(texts=0)
    # Who does not belong to the simulated world knows more words than it has; then all are held to the form of facts alone.
    world = author is not None and all(isinstance(one, Writer) and one.base_model == pocket_model() for one in chosen.values())
    checker = FidelityChecker(demonstrations, author=author, world=world)
    trained = ModelJudge.of(connection, load_judge(workspace)) if judge == "rubric" else None
    judges = _judges(judge, style, verifier, FactsJudge(checker, heldout), trained)
    scores = score(heldout, drafted, style=style, checker=checker, judges=judges, seed=settings.seed)
    leaks = _audited(workspace, connection, chosen, drafted, demonstrations, heldout, settings.seed, on_progress) if audit else {}
    results = Results(
        author=author.name if author else settings.author,
        task=settings.task,
        base_model=_shown(settings.policy),
        heldout=len(heldout),
        seed=settings.seed,
        writers=scores.writers,
        judge=style.judge,
        decided_by=judges[0].name,
        differences=scores.differences,
        truncated=scores.truncated,
        meta_comments=scores.meta_comments,
        repeated=scores.repeated,
        misspelt=scores.misspelt,
        tries=scores.tries,
        win_rates=scores.win_rates,
        agreements=scores.agreements,
        ranking=scores.ranking,
        leakage=leaks,
        reference=reference(heldout, style=style, checker=checker, seed=settings.seed),
        about=_about(chosen, counts, len(demonstrations), style, simulated=author is not None, world=world) | {"tries": settings.tries},
    )
    DraftRows(requests=scores.rows).save(workspace.results / "drafts.json")
    results.save(workspace.results / "compare.json")
    return results


async def _drawn(
    workspace: Workspace,
    connection: Connection,
    work: Mapping[str, tuple[AnyWriter, Sequence[str]]],
    seed: int,
    best_of: BestOf,
    on_progress: OnProgress | None,
) -> dict[str, Drafted]:
    return await together(
        {
            label: write_drafts(workspace, connection, writer, asked, seed=seed, best_of=best_of, on_progress=_told(on_progress, label))
            for label, (writer, asked) in work.items()
        }
    )


def _told(on_progress: OnProgress | None, label: str) -> Callable[[int, int], None] | None:
    return functools.partial(on_progress, label) if on_progress else None


def _chooser(
    workspace: Workspace,
    settings: Settings,
    connection: Connection,
    baseline: AnyWriter,
    demonstrations: Sequence[Demonstration],
    asked: Sequence[str],
    on_progress: OnProgress | None,
) -> BestOf:
    """How a draft is chosen among tries, by what plain drafts of the baseline's model agree on. These are kept as all drafts are."""
    checker = FidelityChecker(demonstrations)
    if settings.tries == 1 or not isinstance(baseline, Writer):
        return fewest_faults(settings.tries, checker)
    plain = impersonal(workspace, settings, baseline)
    seeds = {f"{_PLAIN} {number + 1}": derive_seed(settings.seed, "plain", number) for number in range(PLAIN_DRAFTS)}
    drafted = connection.run(
        together(
            {
                label: write_drafts(workspace, connection, plain, asked, seed=seed, on_progress=_told(on_progress, label))
                for label, seed in seeds.items()
            }
        )
    )
    groups = zip(*(one.present for one in drafted.values()), strict=True)
    unsaid = unsaid_words(demonstrations)
    facts = {request: agreed(request, [draft.text for draft in group], unsaid) for request, group in zip(asked, groups, strict=True)}
    known_by = " ".join([drafts_path(workspace, plain, settings.seed).stem, *sorted(unsaid)])
    return fewest_faults(settings.tries, checker, facts=facts, facts_by=known_by)


def _counts(writers: Mapping[str, AnyWriter], asked: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Missing and extra drafts of every file of drafts. Raises ``InputError`` for a file without any that is wanted."""
    found = {name: writer.counts(asked) for name, writer in writers.items() if isinstance(writer, GivenDrafts)}
    for name, (missing, extra) in found.items():
        if missing == len(asked):
            raise InputError(
                f"none of its {extra} drafts is for a held-out request", where=writers[name].file,  # type: ignore[union-attr]
                hint="Copy the requests from the field input of heldout.jsonl",
            )  # fmt: skip
    return found


def _judges(
    judge: JudgeName | None, style: StyleMeasure, verifier: Verifier | Unknown | None, facts: FactsJudge, trained: ModelJudge | None
) -> list[PairJudge]:
    """All judges that there are, the deciding one first; the trained one only where it is asked for, since its verdicts cost."""
    found: list[PairJudge] = [ScoreJudge(style.judge, style)]
    if verifier is not None and style is not verifier:
        found.append(ScoreJudge("verifier", verifier))
    found.append(facts)
    if trained:
        found.append(trained)
    wanted = {"style": "verifier"}.get(judge or "", judge)
    return sorted(found, key=lambda one: one.name != wanted)


def _audited(
    workspace: Workspace,
    connection: Connection,
    writers: Mapping[str, AnyWriter],
    drafted: Mapping[str, Drafted],
    demonstrations: Sequence[Demonstration],
    heldout: Sequence[Demonstration],
    seed: int,
    on_progress: OnProgress | None,
) -> dict[str, Leakage]:
    planted = Canaries.load(workspace.canaries).canaries if workspace.canaries.is_file() else []
    found = {}
    for name, writer in writers.items():
        drafts = drafted[name].present
        if not isinstance(writer, Writer):
            found[name] = leakage.drafts_audit(demonstrations, planted, drafts, seed=seed)
            continue
        told = functools.partial(on_progress, f"audit of {name}") if on_progress else None
        work = leakage.audit(connection, writer, demonstrations, heldout, planted, drafts, seed=seed, on_progress=told)
        found[name] = connection.run(work)
    return found


def _heldout(workspace: Workspace, requests: int | None) -> list[Demonstration]:
    if requests is not None and requests < 1:
        raise InputError(f"{requests} requests cannot be compared", where="--requests", hint="Give a number from 1 up")
    rows = [row for row in load_demonstrations(workspace.heldout) if row.input.strip()]
    if not rows:
        raise InputError(
            "there are no held-out requests", where=str(workspace.heldout), hint="Run `idiolect import` with more of the person's texts"
        )
    return rows[:requests]


def _shown(model: str) -> str:
    """A model as a reader knows it: no folder of this machine."""
    return "pocket" if model == pocket_model() else model


def _about(
    writers: Mapping[str, AnyWriter],
    counts: Mapping[str, tuple[int, int]],
    demonstrations: int,
    style: StyleMeasure,
    *,
    simulated: bool,
    world: bool,
) -> dict[str, Any]:
    return {
        "date": datetime.now().date().isoformat(),
        "demonstrations": demonstrations,
        "simulated": simulated,
        "style": style.about(),
        "invented": "any word outside the simulated world's language" if world else "facts by their form",
        "writers": {name: _settings_of(writer, counts.get(name)) for name, writer in writers.items()},
        "versions": _versions(),
    }


def _settings_of(writer: AnyWriter, counts: tuple[int, int] | None) -> dict[str, Any]:
    if isinstance(writer, GivenDrafts):
        missing, extra = counts or (0, 0)
        return {"drafts": writer.file, "missing": missing, "extra": extra}
    if isinstance(writer, Endpoint):
        return writer.model_dump(mode="json", exclude={"name"})
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
