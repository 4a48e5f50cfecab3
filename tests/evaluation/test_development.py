"""What lines earn and how prompts differ, from judgements whose truth is known."""

import random
from pathlib import Path

import pytest

from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.evaluation.development import Development, explained, side_by_side, without_line
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
