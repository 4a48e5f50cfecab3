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
from idiolect.evaluation.judges import Verdict
from idiolect.evaluation.ranking import Ranked, rank
from idiolect.evaluation.results import MEASURES, DraftRow, Measure, RequestRow, WriterResult
from idiolect.evaluation.statistics import Difference, mean_with_interval, paired_difference, with_holm
from idiolect.evaluation.style import StyleMeasure
from idiolect.evaluation.winrate import WinRate, win_rate, wins

__all__ = ["BASELINE", "Scores", "reference", "score"]

BASELINE = "baseline"
_BOUNDS = {measure: (0, 1) for measure in MEASURES if measure != "length_ratio"}


@dataclass(frozen=True)
class Scores:
    """What ``compare.json`` and ``drafts.json`` are made of."""

    writers: dict[str, WriterResult]
    differences: dict[str, dict[str, Difference]]
    truncated: dict[str, Measure]
    meta_comments: dict[str, Measure]
    win_rates: dict[str, list[WinRate]]
    ranking: list[Ranked]
    rows: list[RequestRow]


def score(
    heldout: Sequence[Demonstration], drafted: Mapping[str, Drafted], *, style: StyleMeasure, checker: FidelityChecker, seed: int = 0
) -> Scores:
    """Measure every writer's drafts of the same held-out requests. ``drafted`` must hold the baseline's."""
    styles = {name: style.scores([draft.text for draft in one.drafts]) for name, one in drafted.items()}
    rows_P: dict[str, list[DraftRow]] = {}
    for name, one in drafted.items():
        won = wins(styles[name], styles[BASELINE])
        rows_P[name] = []
        for request, draft, found, win in zip(heldout, one.drafts, styles[name], won, strict=True):
            fidelity = checker.check(request, draft.text, finished=draft.finished)
            rows_P[name].append(
                DraftRow(
                    text=draft.text,
                    style=found,
                    missed=style.missed(draft.text),
                    facts=fidelity.kept,
                    lost=[fact.value for fact in fidelity.lost],
                    invented=list(fidelity.invented),
                    placeholders=list(fidelity.placeholders),
                    win=win,
                    length_ratio=fidelity.length_ratio,
                    verbatim_overlap=fidelity.verbatim_overlap,
                    copied=fidelity.copied,
                    truncated=fidelity.truncated,
                    meta_comments=list(fidelity.meta_comments),
                    tokens=draft.tokens,
                    seconds=draft.seconds,
                )
            )
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
        fault: {
            name: mean_with_interval([float(bool(getattr(row, fault))) for row in rows], seed=seed, bounds=(0, 1))
            for name, rows in rows_P.items()
        }
        for fault in ("truncated", "meta_comments")
    }
    won = {pair: wins(styles[pair[0]], styles[pair[1]]) for pair in combinations(drafted, 2)}
    requests = [
        RequestRow(
            id=row.id or str(index),
            request=row.input,
            facts=[fact.value for fact in checker.facts(row)],
            own=row.output,
            drafts={name: rows[index] for name, rows in rows_P.items()},
        )
        for index, row in enumerate(heldout)
    ]
    return Scores(
        writers,
        with_holm(differences),
        faults["truncated"],
        faults["meta_comments"],
        {name: [_against_baseline(rows, rows_P[BASELINE], style.judge, seed)] for name, rows in rows_P.items() if name != BASELINE},
        rank(won, seed=seed),
        requests,
    )


def _against_baseline(rows: Sequence[DraftRow], baseline: Sequence[DraftRow], judge: str, seed: int) -> WinRate:
    """The style measure as a judge: it scores each draft by itself, so its verdict is the same in both orders."""
    verdicts = [Verdict(row.win, row.win) if row.win is not None else None for row in rows]
    lengths = [(len(row.text.split()), len(other.text.split())) for row, other in zip(rows, baseline, strict=True)]
    return win_rate(verdicts, lengths, judge=judge, opponent=BASELINE, seed=seed)


def reference(heldout: Sequence[Demonstration], *, style: StyleMeasure, checker: FidelityChecker, seed: int = 0) -> dict[str, Measure]:
    """The person's own held-out texts by the drafts' measures: what a perfect writer would get. Empty where there are none."""
    own = [row for row in heldout if row.output.strip()]
    if not own:
        return {}
    checked = [checker.check(row, row.output) for row in own]
    values: dict[str, list[float | None]] = {
        "style": style.scores([row.output for row in own]),
        "facts": [one.kept for one in checked],
        "invented": [float(bool(one.invented)) for one in checked],
        "placeholders": [float(bool(one.placeholders)) for one in checked],
        "verbatim_overlap": [one.verbatim_overlap for one in checked],
    }
    return {measure: mean_with_interval(found, seed=seed, bounds=_BOUNDS.get(measure)) for measure, found in values.items()}


def _values(rows: Sequence[DraftRow], measure: str) -> list[float | None]:
    if measure in ("invented", "placeholders"):
        return [float(bool(getattr(row, measure))) for row in rows]
    return [getattr(row, {"win_rate_vs_baseline": "win"}.get(measure, measure)) for row in rows]
