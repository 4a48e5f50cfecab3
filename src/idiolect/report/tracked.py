"""A comparison in Weights & Biases: the measures, and all drafts as a table.

Knows the result files and the tracker.
"""

from __future__ import annotations

from typing import Any

from idiolect.evaluation.results import MEASURES, DraftRows, Results, load_drafts, load_results
from idiolect.methods.run import open_run
from idiolect.methods.tracking import Tracking, tracked
from idiolect.workspace import Workspace

__all__ = ["track_comparison"]


def track_comparison(workspace: Workspace, tracking: Tracking) -> None:
    """Log the saved results where ``tracking`` says; nothing where it is off. A run folder ``compare-…`` keeps the link."""
    if not tracking.wandb:
        return
    results, drafts = load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json")
    about = {"writers": list(results.writers), "heldout": results.heldout, "seed": results.seed, "date": results.about.get("date")}
    with tracked(open_run(workspace, "compare", about), tracking) as tracker:
        tracker.table("measures", _measures(results))
        tracker.table("drafts", _drafts(drafts))


def _measures(results: Results) -> list[dict[str, Any]]:
    """A row for each writer and measure, with the interval."""
    return [
        {"writer": name, "measure": measure, "mean": found.mean, "low": found.low, "high": found.high}
        for name, writer in results.writers.items()
        for measure in MEASURES
        if (found := getattr(writer, measure)).mean is not None
    ]


def _drafts(rows: DraftRows) -> list[dict[str, Any]]:
    return [
        {
            "request": row.request,
            "writer": name,
            "draft": draft.text,
            "style": draft.style,
            "facts": draft.facts,
            "invented": ", ".join(draft.invented),
            "tokens": draft.tokens,
        }
        for row in rows.requests
        for name, draft in row.drafts.items()
    ]
