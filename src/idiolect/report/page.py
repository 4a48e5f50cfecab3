"""The result files as one self-contained HTML page, ``results/report.html``.

Knows the result files and the template. Knows nothing of how the numbers came about. The page fetches nothing and runs
no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from idiolect.evaluation.results import DraftRow, DraftRows, Measure, RequestRow, Results, load_drafts, load_results
from idiolect.report import plots
from idiolect.report.highlight import highlight
from idiolect.workspace import Workspace, write_atomic

__all__ = ["build_report", "render_report"]

_SHOWN_REQUESTS = 4
_WORST_A_WRITER = 2
_COPIED_MUCH = 0.75
_METHODS = {
    "baseline": "the model as it is, told nothing about the person",
    "prompt": "the person's style described in the system prompt",
    "few_shot": "some of the person's own texts shown before the request",
    "sft": "fine-tuned on drafts that a prompted teacher wrote",
    "rlaif": "reinforced by a judge that reads the person's rubric",
    "ditto": "tuned to prefer the person's own texts to its drafts",
}


@dataclass(frozen=True)
class Cell:
    """One number of a table, with its interval below it."""

    mean: str
    interval: str


@dataclass(frozen=True)
class Bad:
    """A draft that went wrong, and why."""

    request: str
    text: Markup
    reasons: list[str]


def build_report(workspace: Workspace) -> Path:
    """Write ``results/report.html`` from the workspace's result files. Raises ``InputError`` where there are none."""
    results = load_results(workspace.results / "compare.json")
    rows = load_drafts(workspace.results / "drafts.json")
    path = workspace.results / "report.html"
    write_atomic(path, render_report(results, rows))
    return path


def render_report(results: Results, rows: DraftRows) -> str:
    """The page's HTML."""
    order = sorted(results.writers, key=lambda name: -(results.writers[name].style.mean or 0.0))
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page.filters.update(cell=cell, signed=signed_cell, title=title_of)
    shown = _evenly(rows.requests, _SHOWN_REQUESTS)
    return page.get_template("report.html").render(
        results=results,
        about=results.about,
        order=order,
        methods={name: _METHODS.get(name, "a writer of another method") for name in order},
        series={name: plots.series_number(results, name) for name in order},
        finding=_finding(results, order),
        cautions=_cautions(results, order),
        ranking=plots.ranking_plot(results, order),
        style_facts=plots.style_facts_plot(results, order),
        length=plots.length_plot(results, order),
        overlap=plots.overlap_plot(results, order),
        shown=[_side_by_side(row, order) for row in shown],
        worst={name: found for name in order if (found := _worst(rows.requests, name))},
    )


def title_of(name: str) -> str:
    """A writer's name as running text."""
    return name.replace("_", "-")


def cell(measure: Measure | None) -> Cell:
    """A mean and its interval with two decimals; a dash where the sample cannot tell."""
    if measure is None or measure.mean is None:
        return Cell("–", "")
    interval = "" if measure.low is None or measure.high is None else f"{measure.low:.2f}–{measure.high:.2f}"
    return Cell(f"{measure.mean:.2f}", interval)


def signed_cell(measure: Measure | None) -> Cell:
    """A difference with its sign."""
    if measure is None or measure.mean is None:
        return Cell("–", "")
    interval = "" if measure.low is None or measure.high is None else f"{_signed(measure.low)} to {_signed(measure.high)}"
    return Cell(_signed(measure.mean), interval)


def _signed(value: float) -> str:
    shown = f"{value:+.2f}".replace("-", "−")
    return "0.00" if shown in ("+0.00", "−0.00") else shown


def _finding(results: Results, order: Sequence[str]) -> str:
    """The result in one sentence or two."""
    best = order[0]
    style = results.writers[best].style
    if style.mean is None:
        return "There are too few texts of the person to tell whose style the drafts have. What follows is about facts, length and copying."
    what = "of the person's traits" if results.judge == "truth" else "probability of the person's own hand"
    if best == "baseline":
        return f"No writer comes closer to the person than the model as it is, at {_with_interval(style)} {what}."
    base = results.writers["baseline"].style
    difference = results.differences.get(best, {}).get("style")
    apart = difference is not None and difference.low is not None and difference.low > 0
    against = f"against {_with_interval(base)} for the model as it is"
    told = f"Closest comes {title_of(best)}: {_with_interval(style)} {what}, {against}"
    if difference is None or difference.mean is None:
        return f"{told}."
    end = "" if apart else "; this sample is too small to say that it is more than chance"
    return f"{told}, a difference of {_signed(difference.mean)}{_range(difference)}{end}."


def _with_interval(measure: Measure) -> str:
    found = cell(measure)
    return f"{found.mean} ({found.interval})" if found.interval else found.mean


def _range(measure: Measure) -> str:
    found = signed_cell(measure)
    return f" ({found.interval})" if found.interval else ""


def _cautions(results: Results, order: Sequence[str]) -> list[tuple[str, str]]:
    """What a reader should not miss beside style: measures that stand apart from the baseline's in the wrong direction.

    Writer and what is to be said of it.
    """
    told = []
    for name in order:
        differences = results.differences.get(name, {})
        facts, invented, copied = (differences.get(key, Measure()) for key in ("facts", "invented", "verbatim_overlap"))
        if facts.high is not None and facts.mean is not None and facts.high < 0:
            told.append((name, f"keeps fewer facts than the baseline ({_signed(facts.mean)})."))
        if invented.low is not None and invented.mean is not None and invented.low > 0:
            told.append((name, f"invents more often than the baseline ({_signed(invented.mean)})."))
        own = results.reference.get("verbatim_overlap", Measure()).high
        overlap = results.writers[name].verbatim_overlap
        if own is not None and overlap.low is not None and copied.low is not None and copied.low > 0 and overlap.low > own:
            told.append((name, "copies longer runs from the person's texts than the person's own further texts do."))
        cut = results.truncated.get(name, Measure()).mean
        if cut:
            told.append((name, f"ran into the token limit in {cut:.0%} of its drafts."))
        slots = results.writers[name].placeholders.mean
        if slots:
            told.append((name, f"left slots open in {slots:.0%} of its drafts."))
    return told


def _evenly(rows: Sequence[RequestRow], count: int) -> list[RequestRow]:
    """``count`` rows spread evenly, so that nobody picked them."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (count - 1))] for index in range(count)]


def _side_by_side(row: RequestRow, order: Sequence[str]) -> dict[str, Any]:
    return {
        "request": highlight(row.request, facts=row.facts),
        "own": highlight(row.own, facts=row.facts) if row.own else None,
        "drafts": {name: {"text": _marked(row, row.drafts[name]), "row": row.drafts[name]} for name in order if name in row.drafts},
    }


def _marked(row: RequestRow, draft: DraftRow) -> Markup:
    return highlight(draft.text, facts=row.facts, invented=draft.invented, slots=draft.placeholders)


def _worst(rows: Sequence[RequestRow], name: str) -> list[Bad]:
    """The drafts of a writer with most against them; none where nothing is."""
    having = [row for row in rows if name in row.drafts]
    ranked = sorted(having, key=lambda row: -_badness(row.drafts[name]))
    found = []
    for row in ranked[:_WORST_A_WRITER]:
        reasons = _reasons(row.drafts[name])
        if reasons:
            found.append(Bad(row.request, _marked(row, row.drafts[name]), reasons))
    return found


def _badness(draft: DraftRow) -> float:
    lost = 1 - draft.facts if draft.facts is not None else 0.0
    broken = bool(draft.invented) + bool(draft.placeholders) + draft.truncated + (not draft.text.strip())
    return 2 * lost + 2 * broken + (1 - draft.style if draft.style is not None else 0.0) + (draft.verbatim_overlap > _COPIED_MUCH)


def _reasons(draft: DraftRow) -> list[str]:
    reasons = []
    if not draft.text.strip():
        reasons.append("is empty")
    if draft.lost:
        reasons.append(f"loses {', '.join(draft.lost)}")
    if draft.invented:
        reasons.append(f"invents {', '.join(draft.invented)}")
    if draft.placeholders:
        reasons.append(f"leaves {', '.join(draft.placeholders)} open")
    if draft.truncated:
        reasons.append("is cut off")
    if draft.verbatim_overlap > _COPIED_MUCH:
        reasons.append(f"copies {draft.verbatim_overlap:.0%} of itself in one run")
    if draft.missed:
        shown = ", ".join(trait.replace("_", "-") for trait in draft.missed)
        reasons.append(f"lacks {len(draft.missed)} of the traits: {shown}")
    elif draft.style is not None and draft.style < 0.5:
        reasons.append(f"does not read like the person ({draft.style:.2f})")
    return reasons
