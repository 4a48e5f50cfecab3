"""The contest's summary: exactly the result file's form, and win rates that are each other's complement."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from idiolect.cli.bench import _ABLATIONS, _NAMES
from idiolect.cli.local_engine import connected
from idiolect.errors import InputError
from idiolect.methods.baseline import baseline
from idiolect.pocket.methods_bench import (
    ABLATIONS,
    MAKERS,
    MEASURES,
    METHODS,
    Case,
    Plan,
    _known,
    _made_with,
    _path,
    bench_methods,
    cases_done,
    lead,
    summary,
)  # fmt: skip
from idiolect.service import Writer
from idiolect.workspace import write_json

REQUESTS = 8


def scores(rng: random.Random, mean: float) -> dict:
    return {measure: [round(min(1.0, max(0.0, rng.gauss(mean, 0.1))), 1) for _ in range(REQUESTS)] for measure in MEASURES}


@pytest.fixture(scope="module")
def found() -> dict:
    rng = random.Random(3)
    names = {"baseline": 0.3, "ditto": 0.9, "few_shot": 0.6}
    return summary({(author, seed): {name: scores(rng, mean) for name, mean in names.items()} for author in range(5) for seed in range(2)})


def test_the_result_has_the_file_s_form(found: dict) -> None:
    assert set(found) == {"methods", "win_rate", "authors", "seeds"}
    assert (found["authors"], found["seeds"]) == (5, 2)
    for measures in found["methods"].values():
        assert set(measures) == set(MEASURES)
        assert all(one["low"] <= one["mean"] <= one["high"] for one in measures.values())
    assert set(found["win_rate"]["ditto"]) == {"baseline", "few_shot"}


def test_the_better_one_wins_by_as_much_as_the_other_loses(found: dict) -> None:
    rates = found["win_rate"]
    for one, others in rates.items():
        for other, rate in others.items():
            assert rate["mean"] == pytest.approx(1 - rates[other][one]["mean"], abs=1e-5)
    assert rates["ditto"]["few_shot"]["mean"] > 0.9
    assert rates["ditto"]["few_shot"]["low"] > 0.5


def test_the_lead_is_of_mean_win_rates() -> None:
    """By hand: on one request a beats b and c, who tie; on the other all tie."""
    found = {"a": {"style": [1.0, 0.5]}, "b": {"style": [0.5, 0.5]}, "c": {"style": [0.5, 0.5]}}
    ahead = lead({(0, 0): found, (1, 0): found}, "a", ("b", "c"))
    assert ahead.mean == pytest.approx(((1 - 0.25) + 0) / 2)
    assert lead({(0, 0): found}, "b", ("c",)).mean == 0


def test_an_author_trained_for_again_is_no_further_evidence() -> None:
    """By hand: seeds with the same scores leave mean and interval as they were; one author's mean of two seeds is one value."""
    rng = random.Random(5)
    once = {(author, 0): {name: scores(rng, mean) for name, mean in {"a": 0.4, "b": 0.6}.items()} for author in range(4)}
    again = once | {(author, seed): found for (author, _), found in once.items() for seed in (1, 2)}
    assert {**summary(again), "seeds": 1} == summary(once)
    assert lead(again, "a", ("b",)) == lead(once, "a", ("b",))
    values = {measure: [1.0, None] for measure in MEASURES}
    uneven = {(0, 0): {"a": values}, (0, 1): {"a": {measure: [0.0, None] for measure in MEASURES}}, (1, 0): {"a": values}}
    found = summary(uneven)
    assert found["methods"]["a"]["facts"]["mean"] == pytest.approx((0.5 + 1) / 2)
    assert (found["authors"], found["seeds"]) == (2, 1)


def test_authors_that_lack_a_method_are_not_counted(tmp_path: Path) -> None:
    plan = Plan(methods=("baseline", "ditto"))
    whole = {name: {"style": [0.2], "made_with": _made_with(name)} for name in plan.methods}
    write_json(_path(tmp_path, plan, 3, 0), whole)
    write_json(_path(tmp_path, plan, 11, 2), {**whole, "spin": {"style": [0.9], "made_with": "other settings"}})
    write_json(_path(tmp_path, plan, 4, 0), {"ditto": whole["ditto"]})
    write_json(_path(tmp_path, Plan(demonstrations=30), 5, 0), whole)
    assert cases_done(tmp_path, plan) == {(3, 0): whole, (11, 2): whole}


def test_the_command_names_every_method() -> None:
    assert _NAMES.split(", ") == list(METHODS)
    assert _ABLATIONS.split(", ") == list(ABLATIONS)
    assert set(MAKERS) == {*METHODS, *ABLATIONS}


def test_an_ablation_changes_one_part_of_ditto() -> None:
    whole = MAKERS["ditto_prompted"][1][-1].model_dump()
    changed = {name: dict(MAKERS[name][1][-1].model_dump().items() - whole.items()) for name in ABLATIONS}
    assert changed == {
        "ditto_attention": {"layers": "attention"},
        "ditto_no_replay": {"replay": False},
        "ditto_no_between": {"between": False},
        "ditto_one_round": {"rounds": 1, "steps": whole["rounds"] * whole["steps"]},
    }


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(InputError, match="magic"):
        Plan(methods=("baseline", "magic"))


def test_scores_that_other_settings_gave_are_not_taken(tmp_path: Path) -> None:
    plan = Plan(methods=("baseline", "ditto"))
    stale, kept = {"style": [0.1], "made_with": "other settings"}, {"style": [0.2], "made_with": _made_with("baseline")}
    write_json(_path(tmp_path, plan, 3, 0), {"ditto": stale, "baseline": kept})
    assert _known(tmp_path, plan, 3, 0) == {"baseline": kept}
    assert _made_with("baseline") != _made_with("ditto") != _made_with("sft_rlaif_ditto")
    assert _known(tmp_path, plan, 3, 1) == {}


def test_authors_at_once_score_as_one_after_the_other(tmp_path: Path) -> None:
    """Two authors' real drafts, each with an engine of its own; a second run measures nothing anew."""
    plan = Plan("development", 0, 2, 1, 2, 7, ("baseline",))
    told: list[tuple[int, int]] = []
    results = {
        jobs: bench_methods(tmp_path / str(jobs), plan, connected, lambda what, done, total: told.append((done, total)), jobs=jobs)
        for jobs in (1, 2)
    }
    assert results[1] == results[2]
    assert results[2]["authors"] == 2
    assert told[-1] == (2, 2)
    files = sorted((tmp_path / "2" / "scores").iterdir())
    before = [path.read_bytes() for path in files]
    assert len(files) == 2
    bench_methods(tmp_path / "2", plan, connected, lambda *_: None, jobs=2)
    assert [path.read_bytes() for path in files] == before


def test_where_a_method_has_several_writers_the_later_ones_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def writers(case: Case) -> list[Writer]:
        calm = baseline(case.place, case.settings)
        return [calm.model_copy(update={"name": "wild", "temperature": 3.0}), calm]

    monkeypatch.setitem(MAKERS, "ditto_fallback", (writers, ()))
    plan = Plan("development", 0, 1, 1, 4, 7, ("baseline", "ditto_fallback"))
    found = bench_methods(tmp_path, plan, connected, lambda *_: None, jobs=1)
    (scores,) = cases_done(tmp_path / "scores", plan).values()
    assert scores["ditto_fallback"]["fallback"] == [1.0] * 4
    assert scores["baseline"]["fallback"] == [0.0] * 4
    assert found["methods"]["ditto_fallback"]["facts"]["mean"] == found["methods"]["baseline"]["facts"]["mean"] > 0.8


def test_what_goes_wrong_in_another_process_is_said_whole(tmp_path: Path) -> None:
    for name in ("development-0-0-7", "development-1-0-7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("in the way")
    plan = Plan("development", 0, 2, 1, 2, 7, ("baseline",))
    with pytest.raises(InputError, match=r"development-\d-0-7: is not empty and holds no demo\. Name another folder"):
        bench_methods(tmp_path, plan, connected, lambda *_: None, jobs=2)
