"""Drafts to numbers: every draft measured, then each writer's means with intervals and its differences from the baseline.

Knows drafts as texts. Knows neither workspaces nor the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.judges import ScoreJudge
from idiolect.evaluation.ranking import Ranked, rank
from idiolect.evaluation.results import MEASURES, DraftRow, Measure, RequestRow, WriterResult
from idiolect.evaluation.statistics import Difference, mean_with_interval, paired_difference, with_holm
from idiolect.evaluation.style import StyleMeasure
from idiolect.evaluation.winrate import Agreement, WinRate, agreement, win_rate
from idiolect.judge.pairs import Pair, PairJudge, Verdict, judge_pairs

__all__ = ["BASELINE", "Scores", "reference", "score"]

BASELINE = "baseline"
_SHARES = ("invented", "placeholders", "truncated", "meta_comments", "repeated", "misspelt")
_BOUNDS = {measure: (0, 1) for measure in MEASURES if measure != "length_ratio"}


Verdicts = Mapping[str, Sequence[Verdict | None]]
"""One judge on each writer's drafts against the baseline's, request by request."""


@dataclass(frozen=True)
class Scores:
    """What ``compare.json`` and ``drafts.json`` are made of."""

    writers: dict[str, WriterResult]
    differences: dict[str, dict[str, Difference]]
    truncated: dict[str, Measure]
    meta_comments: dict[str, Measure]
    repeated: dict[str, Measure]
    misspelt: dict[str, Measure]
    tries: dict[str, Measure]
    win_rates: dict[str, list[WinRate]]
    agreements: list[Agreement]
    ranking: list[Ranked]
    rows: list[RequestRow]


def score(
    heldout: Sequence[Demonstration],
    drafted: Mapping[str, Drafted],
    *,
    style: StyleMeasure,
    checker: FidelityChecker,
    judges: Sequence[PairJudge] = (),
    seed: int = 0,
) -> Scores:
    """Measure every writer's drafts of the same held-out requests. ``drafted`` must hold the baseline's.

    The first of the ``judges`` decides the win rates and the ranking, by default the style measure. A draft that is not there
    counts for nothing: its writer is measured on the others, and differences are taken where both have one.
    """
    judges = judges or [ScoreJudge(style.judge, style)]
    against = {judge.name: {name: _verdicts(judge, heldout, one, drafted[BASELINE]) for name, one in drafted.items()} for judge in judges}
    decided = against[judges[0].name]
    rows_P = {name: _rows(heldout, one, decided[name], style, checker) for name, one in drafted.items()}
    values = {name: {measure: _values(rows, measure) for measure in MEASURES} for name, rows in rows_P.items()}
    writers = {
        name: WriterResult(
            **{measure: mean_with_interval(values[name][measure], seed=seed, bounds=_BOUNDS.get(measure)) for measure in MEASURES},
            seconds=round(drafted[name].seconds, 3),
            tokens=drafted[name].tokens,
        )
        for name in drafted
    }
    differences = {
        name: {
            measure: paired_difference(
                values[name][measure], values[BASELINE][measure], seed=seed, bounds=(-1, 1) if measure in _BOUNDS else None
            )
            for measure in MEASURES
            if measure != "win_rate_vs_baseline"
        }
        for name in drafted
        if name != BASELINE
    }
    faults = {
        fault: {name: mean_with_interval(_values(rows, fault), seed=seed, bounds=(0, 1)) for name, rows in rows_P.items()}
        for fault in ("truncated", "meta_comments", "repeated", "misspelt")
    }
    pairs = {(one, other): _verdicts(judges[0], heldout, drafted[one], drafted[other]) for one, other in combinations(drafted, 2)}
    requests = [
        RequestRow(
            id=row.id or str(index),
            request=row.input,
            facts=[fact.value for fact in checker.facts(row)],
            own=row.output,
            drafts={name: made for name, rows in rows_P.items() if (made := rows[index])},
        )
        for index, row in enumerate(heldout)
    ]
    return Scores(
        writers,
        with_holm(differences),
        faults["truncated"],
        faults["meta_comments"],
        faults["repeated"],
        faults["misspelt"],
        {name: mean_with_interval(_values(rows, "tries"), seed=seed) for name, rows in rows_P.items()},
        _win_rates(against, drafted, seed),
        _agreements(against, seed),
        rank({pair: [verdict.win if verdict else None for verdict in found] for pair, found in pairs.items()}, seed=seed),
        requests,
    )


def _verdicts(judge: PairJudge, heldout: Sequence[Demonstration], one: Drafted, other: Drafted) -> list[Verdict | None]:
    """The judge on every request that both have a draft for, in both orders; None for the others."""
    places = [index for index, two in enumerate(zip(one.drafts, other.drafts, strict=True)) if all(two)]
    pairs = [
        Pair(row.input, a.text, b.text)
        for row, a, b in zip(heldout, one.drafts, other.drafts, strict=True)
        if a is not None and b is not None
    ]
    found = dict(zip(places, judge_pairs(judge, pairs), strict=True))
    return [found.get(index) for index in range(len(heldout))]


def _rows(
    heldout: Sequence[Demonstration], one: Drafted, verdicts: Sequence[Verdict | None], style: StyleMeasure, checker: FidelityChecker
) -> list[DraftRow | None]:
    asked = [request.input for request, draft in zip(heldout, one.drafts, strict=True) if draft is not None]
    styles = iter(style.scores([draft.text for draft in one.present], asked))
    rows: list[DraftRow | None] = []
    for request, draft, verdict in zip(heldout, one.drafts, verdicts, strict=True):
        if draft is None:
            rows.append(None)
            continue
        fidelity = checker.check(request, draft.text, finished=draft.finished)
        rows.append(
            DraftRow(
                text=draft.text,
                style=next(styles),
                missed=style.missed(draft.text, request.input),
                facts=fidelity.kept,
                lost=[fact.value for fact in fidelity.lost],
                invented=list(fidelity.invented),
                placeholders=list(fidelity.placeholders),
                win=verdict.win if verdict else None,
                length_ratio=fidelity.length_ratio,
                verbatim_overlap=fidelity.verbatim_overlap,
                copied=fidelity.copied,
                truncated=fidelity.truncated,
                meta_comments=list(fidelity.meta_comments),
                repeated=list(fidelity.repeated),
                misspelt=list(fidelity.misspelt),
                tokens=draft.tokens,
                seconds=draft.seconds,
                tries=draft.tries,
            )
        )
    return rows


def _win_rates(against: Mapping[str, Verdicts], drafted: Mapping[str, Drafted], seed: int) -> dict[str, list[WinRate]]:
    """Each writer but the baseline, by every judge."""
    found = {}
    for name, one in drafted.items():
        lengths = [
            (len(mine.text.split()), len(other.text.split())) if mine and other else (0, 0)
            for mine, other in zip(one.drafts, drafted[BASELINE].drafts, strict=True)
        ]
        if name != BASELINE:
            found[name] = [
                win_rate(verdicts[name], lengths, judge=judge, opponent=BASELINE, seed=seed) for judge, verdicts in against.items()
            ]
    return found


def _agreements(against: Mapping[str, Verdicts], seed: int) -> list[Agreement]:
    """How far each two judges agree on all drafts against the baseline's."""
    pooled = {
        judge: [verdict for name, found in verdicts.items() if name != BASELINE for verdict in found] for judge, verdicts in against.items()
    }
    return [agreement(pooled[one], pooled[other], judges=(one, other), seed=seed) for one, other in combinations(pooled, 2)]


def reference(heldout: Sequence[Demonstration], *, style: StyleMeasure, checker: FidelityChecker, seed: int = 0) -> dict[str, Measure]:
    """The person's own held-out texts by the drafts' measures: what a perfect writer would get. Empty where there are none."""
    own = [row for row in heldout if row.output.strip()]
    if not own:
        return {}
    checked = [checker.check(row, row.output) for row in own]
    values: dict[str, list[float | None]] = {
        "style": style.scores([row.output for row in own], [row.input for row in own]),
        "facts": [one.kept for one in checked],
        "invented": [float(bool(one.invented)) for one in checked],
        "placeholders": [float(bool(one.placeholders)) for one in checked],
        "verbatim_overlap": [one.verbatim_overlap for one in checked],
    }
    return {measure: mean_with_interval(found, seed=seed, bounds=_BOUNDS.get(measure)) for measure, found in values.items()}


def _values(rows: Sequence[DraftRow | None], measure: str) -> list[float | None]:
    field = {"win_rate_vs_baseline": "win"}.get(measure, measure)
    found = [getattr(row, field) if row else None for row in rows]
    return [float(bool(one)) if row and measure in _SHARES else one for row, one in zip(rows, found, strict=True)]
