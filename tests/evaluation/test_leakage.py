"""Leakage on the pocket model: an adapter trained on planted secrets gives them away, the base model does not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation.canaries import SOURCE, Canaries, make_canaries, plant_canaries
from idiolect.evaluation.leakage import Leakage, audit, chance_exposure, exposure, membership_auc
from idiolect.evaluation.overlap import CopyFinder
from idiolect.methods.baseline import plain_writer
from idiolect.methods.sft import SftConfig, sft
from idiolect.pocket.demo import prepare
from idiolect.service import Draft
from idiolect.settings import Settings
from idiolect.workspace import Workspace


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leakage, Leakage]:
    """An adapter over-trained on secrets, and the base model."""
    folder = tmp_path_factory.mktemp("audit")
    place = Workspace(folder / "workspace")
    settings = prepare(place, 0, "development")
    copy = plant_canaries(place, folder / "audit", count=4, copies=8)
    rows, heldout = load_demonstrations(copy.demonstrations), load_demonstrations(copy.heldout)[:10]
    canaries = Canaries.load(copy.canaries).canaries
    leaked = Draft(request="Ask for news", text=f"Well. {canaries[0].text()}", tokens=9, seconds=0.1, finished=True)
    config = SftConfig(data="demonstrations", steps=30, save_every=100)
    with connected(settings, copy, [settings.policy]) as connection:
        trained = connection.run(sft(connection, copy, settings, rows, [], config))
        plain = plain_writer(copy, settings, name="baseline", temperature=0.7)
        first, second = (
            connection.run(audit(connection, writer, rows, heldout, canaries, drafts, alternatives=31))
            for writer, drafts in ((trained, [leaked]), (plain, []))
        )
    return first, second


def test_an_over_trained_adapter_shows_high_exposure(audited: tuple[Leakage, Leakage]) -> None:
    trained, _ = audited
    assert trained.exposure.mean is not None
    assert trained.exposure.mean > 4
    assert trained.exposure_by_chance is not None
    assert trained.exposure.low is not None
    assert trained.exposure.low > trained.exposure_by_chance
    assert trained.exposure_p is not None
    assert trained.exposure_p < 0.01
    assert "remembers planted secrets" in trained.sentence


def test_a_model_that_never_saw_the_secrets_is_about_chance(audited: tuple[Leakage, Leakage]) -> None:
    _, plain = audited
    assert plain.exposure_p is not None
    assert plain.exposure_p > 0.05
    assert "remembers planted secrets" not in plain.sentence
    # Of the base model, the loss is all of the base's own loss.
    assert plain.membership.mean == 0.5


def test_training_mail_is_told_from_other_mail(audited: tuple[Leakage, Leakage]) -> None:
    trained, plain = audited
    assert trained.membership.mean is not None
    assert trained.membership_by_loss.mean is not None
    assert plain.membership_by_loss.mean is not None
    assert trained.membership_by_loss.mean > plain.membership_by_loss.mean
    assert trained.membership.mean > 0.6


def test_a_leaked_draft_is_shown(audited: tuple[Leakage, Leakage]) -> None:
    trained, plain = audited
    assert trained.copied.startswith("Hello ")
    assert trained.copied_tokens > 10
    assert plain.copied_tokens == 0


def test_exposure_is_log_of_the_rank() -> None:
    assert exposure(5.0, [1.0, 2.0, 3.0]) == 2.0
    assert exposure(0.0, [1.0, 2.0, 3.0]) == 0.0
    assert exposure(2.5, [1.0, 2.0, 3.0]) == 1.0
    assert chance_exposure(1) == 0.5
    assert chance_exposure(4095) == pytest.approx(1 / math.log(2), abs=0.01)


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=12), st.lists(st.floats(-50, 0), min_size=2, max_size=12))
def test_auc_agrees_with_scikit_learn_and_lies_in_its_interval(members: list[float], others: list[float]) -> None:
    found = membership_auc(members, others)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    labels = [1] * len(members) + [0] * len(others)
    assert found.mean == pytest.approx(roc_auc_score(labels, np.array([*members, *others])), abs=1e-6)
    assert 0 <= found.low <= found.mean + 1e-6
    assert found.mean - 1e-6 <= found.high <= 1


def test_a_handful_of_texts_leaves_the_interval_wide() -> None:
    few = membership_auc([1.0, 2.0, 3.0], [0.0, 0.1, 0.2])
    assert few.mean == 1.0
    assert few.low is not None
    assert few.low < 0.5
    assert membership_auc([1.0], [0.0]).low is None
    assert membership_auc([], [0.0]).mean is None


def test_canaries_are_planted_in_a_copy_only(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "workspace")
    prepare(place, 0, "development")
    before = place.demonstrations.read_bytes()
    copy = plant_canaries(place, tmp_path / "audit", count=3, copies=2, seed=4)
    rows = load_demonstrations(copy.demonstrations)
    assert place.demonstrations.read_bytes() == before
    assert not place.canaries.exists()
    assert sum(row.source == SOURCE for row in rows) == 6
    assert [row for row in rows if row.source != SOURCE] == load_demonstrations(place.demonstrations)
    canaries = Canaries.load(copy.canaries).canaries
    assert canaries == make_canaries(3, 4)
    assert all(one.secret not in one.request and one.secret in one.text() for one in canaries)
    assert len({*canaries[0].alternatives(200), canaries[0].secret}) == 201
    assert Settings.load(copy.settings).author == Settings.load(place.settings).author
    with pytest.raises(InputError, match="not empty"):
        plant_canaries(place, tmp_path / "audit")
    with pytest.raises(InputError, match="--count"):
        plant_canaries(place, tmp_path / "other", count=99)


def test_overlap_leaves_out_what_the_request_asked_for() -> None:
    finder = CopyFinder(["Please bring the red ladder to the garden hall on Friday, and thanks for all."])
    whole = finder.overlap("Please bring the red ladder to the garden hall on Friday.")
    assert whole.text == "Please bring the red ladder to the garden hall on Friday"
    assert whole.tokens == 11
    asked = finder.overlap(f"{whole.text}.", "Ask for the red ladder in the garden hall on Friday")
    assert asked.tokens == 3
    assert asked.text.startswith("Please bring")
    quoted = finder.overlap("“Thanks  for ALL”")
    assert (quoted.tokens, quoted.characters) == (3, len("Thanks  for ALL"))


def test_runs_do_not_cross_from_one_text_to_the_next() -> None:
    finder = CopyFinder(["a b c", "d e f"])
    assert (finder.overlap("a b c d e f").share, finder.overlap("a b c d e f").text) == (0.5, "a b c")
    for text in ("x y", ""):
        assert finder.overlap(text).text == ""
    assert finder.overlap("B C x").share == pytest.approx(2 / 3)
    assert CopyFinder([]).overlap("a").share == 0.0
