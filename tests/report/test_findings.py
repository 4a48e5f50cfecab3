"""The result in a sentence: a writer that pays for style with facts is not praised without saying so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idiolect.evaluation.results import Measure, Results, load_drafts, load_results
from idiolect.report.contents import contents
from idiolect.report.curves import trainings_of
from idiolect.report.findings import cautions, finding, ordered
from idiolect.report.markdown import render_markdown
from idiolect.workspace import Workspace


def losing(results: Results, name: str) -> Results:
    """The results, had the writer kept half as many facts as the baseline, beyond doubt."""
    facts, difference = Measure(mean=0.5, low=0.4, high=0.6), Measure(mean=-0.5, low=-0.6, high=-0.4)
    writers = {**results.writers, name: results.writers[name].model_copy(update={"facts": facts})}
    measured = results.differences[name]
    found = {**measured, "facts": measured["facts"].model_copy(update=dict(difference))}
    return results.model_copy(update={"writers": writers, "differences": {**results.differences, name: found}})


def closest(results: Results) -> str:
    return max(results.writers, key=lambda name: results.writers[name].style.mean or 0.0)


def test_the_closest_writer_s_lost_facts_are_told_with_it(workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    best = closest(results)
    assert best != "baseline"
    plain, told = finding(results, ordered(results)), finding(losing(results, best), ordered(results))
    assert "But it keeps" not in plain
    assert told.startswith(plain)
    assert "But it keeps 0.50 (0.40–0.60) of the facts" in told
    assert (best, "keeps fewer facts than the baseline (−0.50).") in cautions(losing(results, best), ordered(results))


def test_where_all_lose_facts_nobody_is_named_beside(workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    for name in results.writers:
        results = losing(results, name) if name in results.differences else results
    assert "no writer closer than the model as it is keeps them" in finding(results, ordered(results))


@pytest.mark.parametrize(
    ("chosen", "told"), [(0, "from step 8 of its training to its start"), (4, "from step 8 of its training to step 4"), (8, "")]
)
def test_a_training_that_was_taken_back_is_told_of_beside_the_ranking(workspace: Workspace, chosen: int, told: str) -> None:
    results, drafts = load_results(workspace.results / "compare.json"), load_drafts(workspace.results / "drafts.json")
    (sft,) = trainings_of(workspace, results.about["writers"])
    watch = {"chosen_step": chosen, "last_step": 8, "alarms": [], "why": "It went so."}
    text = render_markdown(contents(results, drafts, [replace(sft, watch=watch)]))
    ranking, training = (text.split(f"## {title}\n")[1].split("\n## ")[0] for title in ("The ranking", "Training"))
    assert "- **sft** It went so." in training
    assert ("**sft** went back" in ranking) == bool(told)
    assert told in ranking
