"""The benchmark of authorship on simulated people, whose truth is known, and its measures on numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.errors import InputError
from idiolect.evaluation.authors import read_authors
from idiolect.evaluation.features import first_words, mask
from idiolect.evaluation.roc import Scores, Trials, over_authors
from idiolect.evaluation.style_bench import StyleBench, bench_style
from idiolect.world import realise, sample_author, sample_situation

AUTHORS, SUBJECTS, EACH = 5, 3, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five simulated people who write three e-mails each on three subjects."""
    place = tmp_path_factory.mktemp("authors")
    situations: dict[str, list] = {}
    for index in range(200):
        situation = sample_situation("heldout", f"bench {index}")
        situations.setdefault(situation.intent, []).append(situation)
    subjects = sorted(intent for intent, found in situations.items() if len(found) >= EACH)[:SUBJECTS]
    for seed in range(AUTHORS):
        # Habits alone tell people apart, and then no subject could mislead anybody.
        author = sample_author("heldout", seed, habits=False)
        home = place / f"person{seed}"
        home.mkdir()
        for subject in subjects:
            for number, situation in enumerate(situations[subject][:EACH]):
                (home / f"{subject}_{number}.txt").write_text(realise(situation, author, seed), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def result(folder: Path) -> StyleBench:
    return bench_style(read_authors(folder), new=2)


def test_verifier_tells_simulated_people_apart_on_every_setting(result: StyleBench) -> None:
    assert set(result.conditions) == {"same", "different", "swapped"}
    assert (result.authors, result.texts) == (AUTHORS, AUTHORS * SUBJECTS * EACH)
    for setting, condition in result.conditions.items():
        verifier = condition.methods["verifier"]
        assert verifier.auc.mean is not None
        assert verifier.auc.mean > 0.95, setting
        assert verifier.brier
        assert verifier.brier.mean is not None
        assert verifier.brier.mean < 0.12, setting
        assert verifier.ece
        assert verifier.ece.mean is not None
        assert verifier.ece.mean < 0.25, setting
        # The traits of simulated people differ so much that the baselines do well too.
        assert all((gain.mean or 0) > -0.05 for gain in condition.gains.values()), setting


def test_a_subject_misleads_the_cosine_and_not_the_verifier(result: StyleBench) -> None:
    different, swapped = result.conditions["different"].methods, result.conditions["swapped"].methods
    fall = {name: (different[name].auc.mean or 0) - (swapped[name].auc.mean or 0) for name in ("verifier", "cosine")}
    assert fall["verifier"] < 0.02 < fall["cosine"]


def test_attribution_is_left_out_where_others_learn_from_the_texts(result: StyleBench) -> None:
    shares = {setting: condition.methods["verifier"].attribution for setting, condition in result.conditions.items()}
    assert shares.pop("swapped") is None
    assert all(share and (share.mean or 0) > 0.9 for share in shares.values())


def test_same_folder_same_numbers(folder: Path, result: StyleBench) -> None:
    assert bench_style(read_authors(folder), new=2) == result


def test_one_hand_for_all_authors_is_chance(tmp_path: Path) -> None:
    for seed in range(4):
        home = tmp_path / f"person{seed}"
        home.mkdir()
        for number in range(9):
            text = realise(sample_situation("heldout", f"{seed} {number}"), sample_author("heldout", 1), number)
            (home / f"{number}.txt").write_text(text, encoding="utf-8")
    condition = bench_style(read_authors(tmp_path)).conditions["unlabelled"]
    auc = condition.methods["verifier"].auc
    assert auc.low is not None
    assert auc.high is not None
    assert auc.low < 0.55
    assert auc.high - auc.low > 0.1


def test_command_prints_a_table_or_json(folder: Path, tmp_path: Path) -> None:
    topics = tmp_path / "topics.csv"
    lines = [f"{path.parent.name}/{path.name},{path.stem.rsplit('_', 1)[0]}" for path in sorted(folder.glob("*/*.txt"))]
    topics.write_text("\n".join(lines), encoding="utf-8")
    done = CliRunner().invoke(app, ["bench", "style", str(folder), "--topics", str(topics), "--known", "5", "--new", "1", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["known"] <= 5
    assert found["conditions"]["different"]["methods"]["verifier"]["auc"]["mean"] > 0.9
    assert "Verifying authors" in done.stderr
    plain = tmp_path / "plain"
    for path in sorted(folder.glob("*/*.txt")):
        (plain / path.parent.name).mkdir(parents=True, exist_ok=True)
        (plain / path.parent.name / path.name.replace("_", "-")).write_bytes(path.read_bytes())
    shown = CliRunner().invoke(app, ["bench", "style", str(plain), "--words", "25"])
    assert shown.exit_code == 0, shown.output
    assert "known and new texts, subjects not known" in shown.stdout
    assert "AUC of the verifier less that of delta" in shown.stdout


def test_what_is_wrong_with_a_folder_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a folder.*DIR/<author>/<text>\.txt"):
        read_authors(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds 0 authors with 3 texts or more, and 4 are needed"):
        read_authors(tmp_path)
    topics = tmp_path / "topics.csv"
    topics.write_text("person0/x.txt,weather\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"has no subject for person0/.*\(45 of 45 texts\)"):
        read_authors(folder, topics)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match="is not UTF-8 at byte 3"):
        read_authors(tmp_path)
    done = CliRunner().invoke(app, ["bench", "style", str(folder), "--known", "0"])
    assert done.exit_code == 2
    assert "--known: 0 cannot be" in done.stderr


def test_measures_by_hand() -> None:
    scores = Scores(np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, True, False, False]))
    even = np.ones(4)
    assert scores.auc(even) == pytest.approx(3.5 / 4)
    assert scores.eer(even) == pytest.approx(1 / 4)
    assert scores.brier(even) == pytest.approx((0.01 + 0.16 + 0.36 + 0.01) / 4)
    # Bins: 0.9 and 0.1 alone, both 0.6 together: (0.1 + |1.2 - 1| + 0.1) / 4.
    assert scores.ece(even) == pytest.approx(0.1)
    assert scores.auc(np.array([1.0, 0.0, 1.0, 1.0])) == 1.0
    apart = Scores(np.array([2.0, 1.0]), np.array([True, False]))
    assert (apart.auc(np.ones(2)), apart.eer(np.ones(2))) == (1.0, 0.0)
    wrong = Scores(np.array([1.0, 2.0]), np.array([True, False]))
    assert (wrong.auc(np.ones(2)), wrong.eer(np.ones(2))) == (0.0, 1.0)


def test_attribution_shares_ties_and_an_author_counts_as_asked_and_as_writer() -> None:
    trials = Trials(asked=np.array([0, 1, 0, 1]), writer=np.array([0, 0, 1, 1]), text=np.array([5, 5, 7, 7]))
    right, of = trials.attributed(np.array([0.9, 0.2, 0.5, 0.5]))
    assert (right.tolist(), of.tolist()) == ([1.0, 0.5], [0, 1])
    assert trials.weights(np.array([2, 3])).tolist() == [2.0, 6.0, 6.0, 3.0]


def test_interval_covers_the_mean_over_authors() -> None:
    values = np.random.default_rng(0).normal(size=40)
    found = over_authors(lambda weights: float(weights @ values / weights.sum()), 40)
    assert found.mean == pytest.approx(values.mean(), abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 40**0.5, rel=0.15)


def test_masked_text_keeps_the_hand_and_not_the_subject() -> None:
    assert mask("I was Walking to BERLIN, with 12 tickets…") == "I was A*ing to AA*, with ## a*s…"
    assert mask("don't") == "don't"
    assert first_words("Hi Bo,\n\nsee you.", 3) == "Hi Bo,\n\nsee"
    assert first_words("Hi Bo.", 3) == "Hi Bo."
