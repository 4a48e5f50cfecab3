"""The Preference Collection's loader, on a file of its schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from idiolect.errors import InputError
from idiolect.judge import parse_verdict
from idiolect.judge.preferences import preference_rows, preferences


def written(path: Path, count: int, **wrong: object) -> Path:
    """``count`` rows with all columns that the collection has; ``wrong`` replaces columns of the last one."""
    rows = [
        {
            "orig_instruction": f"Instruction {number}", "orig_response_A": f"a {number}", "orig_response_B": f"b {number}",
            "orig_reference_answer": "r", "orig_criteria": f"Is it {number}?", "orig_score_A": "4", "orig_score_B": "2",
            "orig_feedback": f"Feedback: A says {number}. [RESULT] A", "orig_feedback_A": "", "orig_feedback_B": "",
            "orig_preference": "A" if number % 2 else "B", "instruction": "", "output": "",
        }
        for number in range(count)
    ]  # fmt: skip
    rows[-1] |= wrong
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_held_out_rows_are_left_out_and_both_orders_taught(tmp_path: Path) -> None:
    path = written(tmp_path / "collection.jsonl", 12)
    rows = preference_rows(str(path), 5, tmp_path / "store.jsonl", held_out=4)
    assert len(rows) == 10
    (first, said), (swapped, other) = rows[:2]
    assert "Instruction 4" in first
    assert said == "Feedback: A says 4. [RESULT] B"
    assert first.index("a 4") < first.index("b 4")
    assert swapped.index("b 4") < swapped.index("a 4")
    assert (parse_verdict(said), parse_verdict(other)) == ("B", "A")


def test_reading_goes_on_where_it_was(tmp_path: Path) -> None:
    path, store = written(tmp_path / "collection.jsonl", 9), tmp_path / "store.jsonl"
    whole = preference_rows(str(path), 6, tmp_path / "other.jsonl", held_out=2)
    preference_rows(str(path), 3, store, held_out=2)
    # A kill tears the last line.
    with store.open("a") as file:
        file.write('{"orig_instr')
    told: list[int] = []
    assert preference_rows(str(path), 6, store, held_out=2, on_progress=lambda done, _: told.append(done)) == whole
    assert told == [4, 5, 6]
    path.unlink()
    assert preference_rows(str(path), 6, store, held_out=2) == whole


def test_a_row_of_another_schema_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "collection.jsonl", 3, orig_preference="C")
    with pytest.raises(InputError, match=r"collection\.jsonl, row 3, field orig_preference"):
        list(preferences(str(path)))
    with pytest.raises(InputError, match="there is no such file"):
        list(preferences(str(tmp_path / "none.jsonl")))
    with pytest.raises(InputError, match="has no row after the 9 held-out ones"):
        preference_rows(str(written(path, 3)), 1, tmp_path / "store.jsonl", held_out=9)
