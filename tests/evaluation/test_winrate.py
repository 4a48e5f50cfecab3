"""Win rates, judges' faults and rankings, against scikit-learn and with faults planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from handmade_drafts import by
from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.judges import FactsJudge, ScoreJudge, truth_judge
from idiolect.evaluation.ranking import bradley_terry, rank
from idiolect.evaluation.scoring import score
from idiolect.evaluation.style import TruthStyle, Verifier
from idiolect.evaluation.winrate import agreement, cohen_kappa, length_controlled, win_rate
from idiolect.judge.pairs import Pair, PairJudge, Verdict, judge_pairs
from idiolect.world import HOUSE_AUTHOR, Author


@dataclass(frozen=True)
class Faulty:
    """A judge with planted faults: it leans to the first place, or to the longer draft, on top of what a fair judge says."""

    fair: PairJudge
    name: str = "faulty"
    first_place: float = 0.0
    length: float = 0.0

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        said = self.fair.prefers_first(pairs)
        return [
            one if one is None else float(np.clip(one + self.first_place + self.length * np.sign(len(pair.first) - len(pair.second)), 0, 1))
            for one, pair in zip(said, pairs, strict=True)
        ]


@pytest.fixture(scope="module")
def pairs(heldout: list[Demonstration], good: Drafted, house: Drafted) -> list[Pair]:
    return [Pair(row.input, one.text, other.text) for row, one, other in zip(heldout, good.drafts, house.drafts, strict=True)]


def lengths(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    return [(len(pair.first.split()), len(pair.second.split())) for pair in pairs]


def test_the_truth_prefers_the_person_in_both_orders(author: Author, pairs: list[Pair]) -> None:
    found = win_rate(judge_pairs(truth_judge(author), pairs), lengths(pairs), judge="truth", opponent="baseline")
    assert found.win_rate.mean == 1.0
    assert found.win_rate.low is not None
    assert 0.8 < found.win_rate.low < 1
    assert (found.position_bias.mean, found.turned.mean) == (0.0, 0.0)
    assert found.length_controlled.low is not None
    assert found.length_controlled.low > 0.5


def test_a_biased_judge_is_seen_and_does_not_move_the_win_rate(author: Author, pairs: list[Pair]) -> None:
    same = [Pair(pair.request, pair.first, pair.first) for pair in pairs]
    fair = judge_pairs(truth_judge(author), same)
    biased = judge_pairs(Faulty(truth_judge(author), first_place=0.3), same)
    for verdicts, bias, turned in ((fair, 0.0, 0.0), (biased, 0.3, 1.0)):
        found = win_rate(verdicts, lengths(same), judge="x", opponent="itself")
        assert found.win_rate.mean == pytest.approx(0.5)
        assert found.position_bias.mean == pytest.approx(bias)
        assert found.position_bias.low == pytest.approx(bias)
        assert found.turned.mean == turned
    assert all(verdict and verdict.label == "tie" for verdict in biased)


def test_a_judge_who_likes_length_wins_less_under_length_control(author: Author) -> None:
    rng = np.random.default_rng(0)
    texts = [("word " * int(rng.integers(60, 90)), "word " * int(rng.integers(40, 70))) for _ in range(200)]
    pairs = [Pair("x", *two) for two in texts]
    verdicts = judge_pairs(Faulty(truth_judge(author), length=0.35), pairs)
    found = win_rate(verdicts, lengths(pairs), judge="x", opponent="y")
    assert found.win_rate.low is not None
    assert found.win_rate.low > 0.7
    assert found.length_controlled.low is not None
    assert found.length_controlled.high is not None
    assert found.length_controlled.low < 0.5 < found.length_controlled.high + 0.05
    # And a real preference stays.
    rest = [1.0 if rng.random() < 0.8 else 0.0 for _ in pairs]
    kept = length_controlled(rest, lengths(pairs))
    assert kept.low is not None
    assert kept.low > 0.55


def test_length_control_is_scikit_learns_logistic_regression() -> None:
    rng = np.random.default_rng(5)
    delta = rng.integers(-40, 41, 80)
    won = (rng.random(80) < 1 / (1 + np.exp(-0.4 - delta / 20))).astype(float)
    scaled = np.tanh(delta / delta.std())
    ours = length_controlled(list(won), [(100 + int(one), 100) for one in delta]).mean
    design = np.concatenate([scaled, [0.0, 0.0]])[:, None]
    model = LogisticRegression(C=10.0, tol=1e-10, max_iter=1000)
    model.fit(design, np.concatenate([won, [1, 0]]), sample_weight=np.concatenate([np.ones(80), [0.5, 0.5]]))
    assert ours == pytest.approx(model.predict_proba([[0.0]])[0, 1], abs=1e-4)


def test_the_verifier_as_a_judge_agrees_with_the_truth(
    author: Author, known: list[Demonstration], pairs: list[Pair], heldout: list[Demonstration]
) -> None:
    verifier = Verifier.fit([row.output for row in known], by(HOUSE_AUTHOR, author, known, seed=1))
    mixed = [pair if index % 2 else pair.swapped for index, pair in enumerate(pairs)]
    truth = judge_pairs(truth_judge(author), mixed)
    judged = judge_pairs(ScoreJudge("verifier", verifier), mixed)
    found = agreement(judged, truth, judges=("verifier", "truth"))
    assert found.kappa.mean is not None
    assert found.kappa.mean > 0.9
    contrary = agreement([one and Verdict(1 - one.forward, 1 - one.backward) for one in judged], truth, judges=("contrary", "truth"))
    assert contrary.kappa.high is not None
    assert contrary.kappa.high < 0
    assert contrary.agree.mean == pytest.approx(1 - (found.agree.mean or 0))


def test_kappa_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    names = np.array(["win", "tie", "loss"])
    one = list(names[rng.integers(0, 3, 120)])
    other = [label if rng.random() < 0.6 else str(names[rng.integers(0, 3)]) for label in one]
    found = cohen_kappa(one, other)
    assert found.mean == pytest.approx(cohen_kappa_score(one, other), abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert 0.2 < found.low < found.mean < found.high < 0.8
    assert cohen_kappa(["win"] * 5, ["win"] * 5).mean is None
    assert cohen_kappa([], []).mean is None


def test_no_verdict_is_left_out() -> None:
    found = win_rate([Verdict(1, 1), None, Verdict(1, 0)], [(1, 1)] * 3, judge="x", opponent="y")
    assert found.win_rate.mean == 0.75
    assert win_rate([None], [(1, 1)], judge="x", opponent="y").length_controlled.mean is None


def games(strengths: dict[str, float], size: int, seed: int = 0) -> dict[tuple[str, str], list[float | None]]:
    rng = np.random.default_rng(seed)
    names = list(strengths)
    return {
        (one, other): [float(rng.random() < 1 / (1 + np.exp(strengths[other] - strengths[one]))) for _ in range(size)]
        for index, one in enumerate(names)
        for other in names[index + 1 :]
    }


def test_bradley_terry_is_a_logistic_regression() -> None:
    played = games({"a": 1.0, "b": 0.3, "c": -0.5}, 60)
    ranked = {one.writer: one.score.mean for one in rank(played)}
    rows, outcomes = [], []
    for (one, other), won in played.items():
        for one_won in won:
            rows.append([(name == one) - (name == other) for name in "abc"])
            outcomes.append(one_won)
    model = LogisticRegression(C=9.0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(rows, outcomes)
    assert [ranked[name] for name in "abc"] == pytest.approx(list(model.coef_[0]), abs=1e-3)


def test_the_ranking_finds_the_order_and_says_how_sure_it_is() -> None:
    strengths = {"d": -2.0, "a": 1.5, "c": -0.4, "b": 0.4}
    sure = rank(games(strengths, 150))
    assert [one.writer for one in sure] == ["a", "b", "c", "d"]
    assert [one.rank for one in sure] == [1, 2, 3, 4]
    assert (sure[0].best_rank, sure[0].worst_rank) == (1, 1)
    for one in sure:
        assert one.score.low is not None
        assert one.score.high is not None
        assert one.score.low < strengths[one.writer] + 0.15 < one.score.high + 0.3
    few = rank(games(strengths, 5))
    assert any(one.worst_rank > one.best_rank for one in few)
    assert sum(one.score.mean or 0 for one in sure) == pytest.approx(0, abs=1e-4)


def test_a_writer_that_never_loses_has_a_finite_score() -> None:
    ranked = rank({("best", "other"): [1.0] * 30})
    assert ranked[0].writer == "best"
    assert ranked[0].score.mean is not None
    assert 1 < ranked[0].score.mean < 10
    ties = bradley_terry(np.array([[[0, 5.0], [5.0, 0]]]))
    assert ties == pytest.approx(np.zeros((1, 2)))
    assert rank({}) == []
    assert rank({("a", "b"): [None]}) == []
    with pytest.raises(ValueError, match="numbers of requests"):
        rank({("a", "b"): [1.0], ("a", "c"): [1.0, 0.0]})


def test_a_comparison_by_a_biased_judge_shows_the_bias_and_the_disagreement(
    author: Author, known: list[Demonstration], heldout: list[Demonstration], good: Drafted, house: Drafted
) -> None:
    checker = FidelityChecker(known, author=author, world=True)
    judges = [Faulty(truth_judge(author), first_place=0.3), truth_judge(author), FactsJudge(checker, heldout)]
    drafted = {"baseline": house, "twin": house, "good": good}
    found = score(heldout, drafted, style=TruthStyle(author), checker=checker, judges=judges)
    biased, fair, _ = found.win_rates["twin"]
    assert (biased.judge, fair.judge) == ("faulty", "truth")
    assert biased.position_bias.low is not None
    assert biased.position_bias.low > 0.25
    assert (fair.position_bias.mean, fair.position_bias.high) == (0.0, 0.0)
    # Both orders are asked, so the bias does not move the win rate.
    assert (biased.win_rate.mean, fair.win_rate.mean) == (pytest.approx(0.5), 0.5)
    assert found.writers["good"].win_rate_vs_baseline.low is not None
    assert found.writers["good"].win_rate_vs_baseline.low > 0.5
    assert found.ranking[0].writer == "good"
    kappas = {one.judges: one.kappa.mean for one in found.agreements}
    assert kappas["faulty", "truth"] == 1.0
    assert kappas["truth", "facts"] is not None
    assert kappas["truth", "facts"] < 0.5
