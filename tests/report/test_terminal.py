"""The results as a table for the terminal."""

from __future__ import annotations

from rich.console import Console

from idiolect.evaluation.results import Measure, Results, load_results
from idiolect.report import results_table
from idiolect.workspace import Workspace


def test_it_fits_eighty_columns_with_its_intervals(workspace: Workspace) -> None:
    results: Results = load_results(workspace.results / "compare.json")
    console = Console(width=80, record=True)
    console.print(results_table(results))
    text = console.export_text()
    style = results.writers["few_shot"].style
    assert f"{style.low:.2f}–{style.high:.2f}" in text
    assert "…" not in text
    assert all(name in text for name in ("baseline", "few_shot", "sft", "facts kept", "beats baseline"))


def test_measures_that_cannot_be_told_are_dashes(workspace: Workspace) -> None:
    results = load_results(workspace.results / "compare.json")
    blind = results.model_copy(update={"writers": {"sft": results.writers["sft"].model_copy(update={"style": Measure()})}})
    console = Console(width=80, record=True)
    console.print(results_table(blind))
    assert next(line for line in console.export_text().splitlines() if "style" in line).rstrip().endswith("–")
