"""Drafts to numbers: every draft measured, then each writer's means with intervals and its differences from the baseline.

Knows drafts as texts. Knows neither workspaces nor the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.results import MEASURES, DraftRow, Measure, RequestRow, WriterResult
from idiolect.evaluation.statistics import mean_with_interval, paired_difference
from idiolect.evaluation.style import StyleMeasure
from idiolect.evaluation.winrate import wins

__all__ = ["BASELINE", "Scores", "reference", "score"]

BASELINE = "baseline"


@dataclass(frozen=True)
class Scores:
    """What ``compare.json`` and ``drafts.json`` are made of."""

    writers: dict[str, WriterResult]
    differences: dict[str, dict[str, Measure]]
    truncated: dict[str, Measure]
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
                    tokens=draft.tokens,
                    seconds=draft.seconds,
                )
            )
    values = {name: {measure: _values(rows, measure) for measure in MEASURES} for name, rows in rows_P.items()}
    writers = {
        name: WriterResult(
            **{measure: mean_with_interval(values[name][measure], seed=seed) for measure in MEASURES},
            seconds=round(drafted[name].seconds, 3),
            tokens=drafted[name].tokens,
        )
        for name in drafted
    }
    differences = {
        name: {
            measure: paired_difference(values[name][measure], values[BASELINE][measure], seed=seed)
            for measure in MEASURES
            if measure != "win_rate_vs_baseline"
        }
        for name in drafted
        if name != BASELINE
    }
    truncated = {name: mean_with_interval([float(row.truncated) for row in rows], seed=seed) for name, rows in rows_P.items()}
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
    return Scores(writers, differences, truncated, requests)


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
    return {measure: mean_with_interval(found, seed=seed) for measure, found in values.items()}


def _values(rows: Sequence[DraftRow], measure: str) -> list[float | None]:
    if measure in ("invented", "placeholders"):
        return [float(bool(getattr(row, measure))) for row in rows]
    return [getattr(row, {"win_rate_vs_baseline": "win"}.get(measure, measure)) for row in rows]
