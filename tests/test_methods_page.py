"""The page about which method wins, from scores made up by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.methods import COUNTS, LEAST, _plot_efficiency, between_seeds, efficiency, efficiency_table, mean_wins, page

from idiolect.pocket.methods_bench import MEASURES, Plan, _made_with, _path, summary
from idiolect.workspace import write_json


def scores(name: str, *style: float | None, seconds: float = 1.0, **measures: list[float | None]) -> dict:
    values = {measure: [0.5] * len(style) for measure in MEASURES}
    return {**values, "style": list(style), **measures, "seconds": seconds, "made_with": _made_with(name)}


def contest() -> dict:
    """Two authors, two seeds, two requests: ditto wins everything, sft wins one of two against few_shot."""
    found = {"ditto": scores("ditto", 0.9, 0.9, seconds=7), "sft": scores("sft", 0.6, 0.4), "few_shot": scores("few_shot", 0.5, 0.5)}
    return {(author, seed): found for author in (0, 1) for seed in (0, 1)}


def test_the_ranking_is_by_the_mean_over_all_match_ups() -> None:
    assert mean_wins(summary(contest())) == {"ditto": 1.0, "sft": 0.25, "few_shot": 0.25}


def test_seeds_lie_as_far_apart_as_means_over_authors() -> None:
    """By hand: sft's style means are 0.5 and 0.8, few_shot's both 0.4; its facts, of those requests that have any, 1.0 and 0.25."""
    few = {"few_shot": scores("few_shot", 0.4, 0.4)}
    cases = {
        (0, 0): {"sft": scores("sft", 0.4, 0.4, facts=[1.0, None]), **few},
        (1, 0): {"sft": scores("sft", 0.6, 0.6, facts=[1.0, 1.0]), **few},
        (0, 1): {"sft": scores("sft", 0.7, 0.7, facts=[None, 0.5]), **few},
        (1, 1): {"sft": scores("sft", 0.9, 0.9, facts=[0.0, None]), **few},
        # An author without the second seed says nothing about it.
        (2, 0): {"sft": scores("sft", 0.0, 0.0, facts=[0.0, 0.0]), **few},
    }
    assert between_seeds(cases) == [
        "From one training seed to another a mean over authors moves by at most 0.300 (sft) in style, 0.750 (sft) in facts kept."
    ]
    assert between_seeds({case: found for case, found in cases.items() if case[1] == 0}) == []


def test_the_page_has_every_row_and_match_up() -> None:
    cases = contest()
    text = page(summary(cases), cases, Plan(authors=2, seeds=2, requests=2, methods=("ditto", "sft", "few_shot")))
    assert "2 simulated authors (heldout), training seeds: 2, 7 texts each," in text
    figures = re.sub(r" \([\d.]+–[\d.]+\)", "", text).splitlines()
    assert "| ditto | 1.00 | 0.90 | 0.50 | 0.50 | 0.50 | 0.50 | 0.50 | 7 |" in figures
    assert figures[figures.index("## Win rates, row over column") + 4 :][:3] == [
        "| ditto |  | 1.00 | 1.00 |", "| sft | 0.00 |  | 0.50 |", "| few_shot | 0.00 | 0.50 |  |",
    ]  # fmt: skip
    # spin was not measured, so nothing is said of a lead over it.
    assert "less the mean" not in text


def test_a_curve_counts_the_authors_that_have_all_of_it(tmp_path: Path) -> None:
    plan = Plan(requests=2, methods=("sft", "ditto", "prompt_optimized"))
    for author in (0, 4):
        for count in COUNTS:
            at_count = Plan(requests=2, methods=plan.methods, demonstrations=count)
            found = {name: scores(name, count / 100, count / 100) for name in plan.methods if count >= LEAST.get(name, 1)}
            if (author, count) == (4, 30):
                del found["sft"]
            write_json(_path(tmp_path, at_count, author, 0), found)
    curves, counted = efficiency(tmp_path, plan)
    assert counted == {(0, 0)}
    assert {count: one["style"]["mean"] for count, one in curves["sft"].items()} == {count: pytest.approx(count / 100) for count in COUNTS}
    assert list(curves["prompt_optimized"]) == [4, 7, 10, 30]
    table = efficiency_table(curves, counted)
    assert "Of 1 of the authors, training seeds: 1." in table
    assert "| method | 1 | 2 | 4 | 7 | 10 | 30 |" in table
    assert "| prompt_optimized |  |  | 0.04, 0.50 | 0.07, 0.50 | 0.10, 0.50 | 0.30, 0.50 |" in re.sub(r" \([\d.]+–[\d.]+\)", "", table)
    _plot_efficiency(curves, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    # matplotlib draws letters as paths and leaves what they say as a comment.
    assert [drawn.count(f"<!-- {name} -->") for name in plan.methods] == [1, 1, 1]
    assert efficiency(tmp_path / "none", plan) == ({}, set())
