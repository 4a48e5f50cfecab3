"""Planted defects move the means and their intervals, in the result files' form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handmade_drafts import written
from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.results import MEASURES, DraftRows, Results, load_drafts, load_results
from idiolect.evaluation.scoring import Scores, reference, score
from idiolect.evaluation.style import TruthStyle
from idiolect.world import Author


@pytest.fixture(scope="module")
def checker(author: Author, known: list[Demonstration]) -> FidelityChecker:
    return FidelityChecker(known, author=author, world=True)


@pytest.fixture(scope="module")
def scores(
    author: Author, checker: FidelityChecker, known: list[Demonstration], heldout: list[Demonstration], house: Drafted, good: Drafted
):
    texts = [draft.text for draft in good.drafts]
    damaged = {
        "lost": [text.replace(row.facts[0].value, "you") for text, row in zip(texts, heldout, strict=True)],
        "inventing": [f"{text}\n\nSee Blurbo on Flooday" for text in texts],
        "slots": [f"{text}\n[Your Name]" for text in texts],
        "copying": [known[0].output] * len(texts),
        "twice": [f"{text}\n\nsee you there then\nSee you there then" for text in texts],
    }
    drafted = {"baseline": house, "good": good, **{name: written(heldout, made) for name, made in damaged.items()}}
    drafted["cut"] = written(heldout, texts, finished=False)
    return score(heldout, drafted, style=TruthStyle(author), checker=checker)


@pytest.mark.parametrize(
    ("name", "measure", "sign"),
    [
        ("good", "style", 1),
        ("lost", "facts", -1),
        ("inventing", "invented", 1),
        ("slots", "placeholders", 1),
        ("copying", "verbatim_overlap", 1),
    ],
)
def test_a_planted_defect_moves_its_measure_beyond_chance(scores: Scores, name: str, measure: str, sign: int) -> None:
    difference = scores.differences[name][measure]
    assert difference.low is not None
    assert difference.high is not None
    assert min(difference.low * sign, difference.high * sign) > 0
    unharmed = scores.differences["good"]
    if name != "good":
        assert unharmed[measure] != difference


def test_the_good_writer_wins_and_keeps_all(scores: Scores) -> None:
    good = scores.writers["good"]
    assert good.win_rate_vs_baseline.mean == 1.0
    assert (good.facts.mean, good.invented.mean, good.placeholders.mean) == (1.0, 0.0, 0.0)
    assert good.length_ratio.mean == pytest.approx(1.0, abs=0.1)
    assert scores.writers["baseline"].win_rate_vs_baseline.mean == 0.5
    assert scores.truncated["cut"].mean == 1.0
    assert scores.truncated["good"].mean == 0.0
    assert scores.repeated["twice"].mean == 1.0
    assert scores.repeated["good"].mean == 0.0
    assert scores.repeated["baseline"].mean == 0.0


def test_other_writers_do_not_change_a_writers_numbers(
    scores: Scores, author: Author, checker: FidelityChecker, heldout: list[Demonstration], house: Drafted, good: Drafted
) -> None:
    alone = score(heldout, {"baseline": house, "good": good}, style=TruthStyle(author), checker=checker)
    assert alone.writers["good"] == scores.writers["good"]
    # The correction is over the writers that are compared; nothing else is.
    for measure, difference in alone.differences["good"].items():
        assert difference.model_dump(exclude={"p_holm"}) == scores.differences["good"][measure].model_dump(exclude={"p_holm"})


def test_files_hold_schema_1_and_come_back(
    tmp_path: Path, scores: Scores, author: Author, checker: FidelityChecker, heldout: list[Demonstration]
) -> None:
    results = Results(
        author=author.name, task="email", base_model="pocket", heldout=len(heldout), seed=0, writers=scores.writers, judge="truth",
        differences=scores.differences, truncated=scores.truncated, reference=reference(heldout, style=TruthStyle(author), checker=checker),
    )  # fmt: skip
    results.save(tmp_path / "compare.json")
    DraftRows(requests=scores.rows).save(tmp_path / "drafts.json")
    raw = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert list(raw)[:7] == ["schema", "author", "task", "base_model", "heldout", "seed", "writers"]
    assert raw["schema"] == 1
    assert list(raw["writers"]["good"]) == [*MEASURES, "seconds", "tokens"]
    assert set(raw["writers"]["good"]["style"]) == {"mean", "low", "high"}
    assert load_results(tmp_path / "compare.json") == results
    assert load_drafts(tmp_path / "drafts.json").requests == scores.rows
    assert results.reference["style"].mean == pytest.approx(1.0, abs=0.05)


def test_broken_or_foreign_results_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    with pytest.raises(InputError, match="compare"):
        load_results(path)
    path.write_text('{"schema": 7}', encoding="utf-8")
    with pytest.raises(InputError, match="schema 7"):
        load_results(path)
    path.write_text('{"schema": 1, "author": "x"}', encoding="utf-8")
    with pytest.raises(InputError, match="field task"):
        load_results(path)
