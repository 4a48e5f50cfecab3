"""What lines earn and how prompts differ, from judgements whose truth is known."""

import random
from pathlib import Path

import pytest

from idiolect.cli.prompt import told_lines, told_variants
from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.evaluation.development import Development, explained, side_by_side, without_line
from idiolect.evaluation.prompts import Lines, Variants
from idiolect.methods.optimizing import Judged
from idiolect.service import Connection
from idiolect.workspace import Workspace


def judged(mean: float, seed: int, faults: tuple[str, ...] = ()) -> list[Judged]:
    rng = random.Random(seed)
    return [Judged(score := mean + rng.uniform(-0.02, 0.02), score, 1.0, faults, "text") for _ in range(12)]


def test_a_line_that_earns_is_told_from_one_that_harms_and_one_that_does_nothing() -> None:
    without = {"- earns": judged(0.3, 1), "- harms": judged(0.7, 2), "- idle": judged(0.5, 0)}
    found = {one.line: one for one in explained(judged(0.5, 0), without, seed=0)}
    assert {line: one.verdict for line, one in found.items()} == {"- earns": "helps", "- harms": "harms", "- idle": "cannot be told"}
    assert found["- earns"].earned["score"].mean == pytest.approx(0.2, abs=0.02)


def test_three_requests_tell_nothing_and_it_is_said() -> None:
    found = explained(judged(0.5, 0)[:3], {"- earns": judged(0.3, 1)[:3]}, seed=0)
    # The bootstrap's interval leaves out 0, as that of any three differences of one sign.
    assert found[0].earned["score"].low > 0  # type: ignore[operator]
    assert found[0].earned["score"].p == 0.25
    assert found[0].verdict == "cannot be told"
    values, text = told_lines(Lines(found, side_by_side({"whole": judged(0.5, 0)[:3]}, 0)["whole"], 3))
    assert "3 requests are too few to tell 1 differences from chance, however large; 6 could" in text
    assert values["lines"][0]["verdict"] == "cannot be told"


def test_what_was_measured_is_told() -> None:
    variants = {"plain": judged(0.2, 1), "described": judged(0.4, 2), "described+similar": judged(0.6, 3)}
    _, text = told_variants(Variants(side_by_side(variants, 0), 12))
    assert text.startswith("On 12 development requests")
    (row,) = [line for line in text.splitlines() if line.startswith("described+similar")]
    assert row.endswith("0.001")  # two comparisons with p = 2^-11 each, by Holm
    assert "Highest: described+similar, more than chance above plain. `idiolect prompt --selection similar --described` makes" in text
    assert "too few" not in text
    _, text = told_lines(Lines(explained(judged(0.5, 0), {"- earns": judged(0.3, 1)}, 0), side_by_side({"w": judged(0.5, 0)}, 0)["w"], 12))
    assert "The whole prompt's score is 0.5" in text
    (row,) = [line for line in text.splitlines() if line.endswith("- earns")]
    assert " helps " in row
    assert "+40 %" in row or "+39 %" in row


def test_a_prompt_that_is_there_is_measured_on_all(tmp_path: Path) -> None:
    rows = [Demonstration(input=f"ask {number}", output=f"text {number}") for number in range(12)]
    assert len(Development.whole(Workspace(tmp_path), Connection(), rows, seed=0).rows) == 12
    assert [row.input for row in Development.whole(Workspace(tmp_path), Connection(), rows, 0, 3).rows] == ["ask 9", "ask 10", "ask 11"]
    with pytest.raises(InputError, match="--development"):
        Development.whole(Workspace(tmp_path), Connection(), rows, 0, 13)


def test_variants_differ_from_the_first() -> None:
    found = side_by_side({"plain": judged(0.2, 1), "described": judged(0.6, 2, ("lost: Friday", "invented: Bob"))}, seed=0)
    assert found["plain"].differences == {}
    assert found["described"].differences["score"].low > 0.3  # type: ignore[operator]
    assert found["described"].measures["faults"].mean == 1.0
    assert found["plain"].measures["faults"].mean == 0.0


def test_every_line_is_left_out_once() -> None:
    assert without_line("Write:\n\n- a\n- b") == {"Write:": "\n- a\n- b", "- a": "Write:\n\n- b", "- b": "Write:\n\n- a"}


def test_development_requests_are_no_examples(tmp_path: Path) -> None:
    rows = [Demonstration(input=f"ask {number}", output=f"text {number}") for number in range(12)]
    measure = Development.of(Workspace(tmp_path), Connection(), rows, seed=0)
    assert [row.input for row in measure.rows] == ["ask 8", "ask 9", "ask 10", "ask 11"]
    assert not {row.output for row in measure.learn} & {row.output for row in measure.rows}
    with pytest.raises(InputError, match="--development"):
        Development.of(Workspace(tmp_path), Connection(), rows[:3], seed=0)
