"""Plots that people read: no name covers another, wherever the points lie."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from idiolect.evaluation import load_results
from idiolect.evaluation.results import Measure
from idiolect.report.plots import figures_of
from idiolect.workspace import Workspace

NAMES = ("ditto", "sft", "rlaif", "prompt", "few_shot")


def names_at(svg: str) -> dict[str, tuple[float, float, str]]:
    """Each writer's name in the plot: where it stands, in points, and its anchor."""
    found = {}
    for tag, text in re.findall(r"<text([^>]*)>([^<]+)</text>", svg):
        if text.replace("-", "_") in NAMES:
            x, y = (float(value) for value in re.findall(r' [xy]="([\d.-]+)"', tag))
            found[text] = (x, y, "end" if "text-anchor: end" in tag else "start")
    return found


@pytest.mark.parametrize(
    "points",
    [
        [(0.79, 0.973), (0.78, 0.973), (0.78, 0.973), (0.73, 1.0), (0.68, 0.927)],
        [(0.98, 0.99), (0.97, 0.99), (0.96, 0.98), (0.9, 0.98), (0.99, 0.97)],
        [(0.5, 0.9)] * 5,
    ],
)
def test_no_name_covers_another(workspace: Workspace, points: list[tuple[float, float]]) -> None:
    results = load_results(workspace.results / "compare.json")
    one = next(iter(results.writers.values()))
    writers = {
        name: one.model_copy(
            update={
                "style": Measure(mean=style, low=style - 0.02, high=min(1.0, style + 0.02)),
                "facts": Measure(mean=facts, low=facts - 0.04, high=min(1.0, facts + 0.02)),
            }
        )
        for name, (style, facts) in zip(NAMES, points, strict=True)
    }
    figure = next(figure for figure in figures_of(results.model_copy(update={"writers": writers}), NAMES) if figure.name == "stylefacts")
    found = names_at(figure.svg)
    assert len(found) == len(NAMES)
    for (name, (x, y, anchor)), (other, (far, below, theirs)) in combinations(found.items(), 2):
        begin = x - 6 * len(name) if anchor == "end" else x
        start = far - 6 * len(other) if theirs == "end" else far
        beside = begin + 6 * len(name) <= start or start + 6 * len(other) <= begin
        assert beside or abs(y - below) >= 10, (name, other)
