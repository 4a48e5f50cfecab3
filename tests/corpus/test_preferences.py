"""Preference pairs in their file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from idiolect.corpus.preferences import Preference, append_preference, load_preferences
from idiolect.errors import InputError

PAIR = Preference(request="Thank Ann", preferred="Thanks, Ann!", rejected="Dear Ann,", source="edit", writers=("sft",))


def test_pairs_come_back_in_order_and_with_their_fields(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    assert load_preferences(path) == []
    other = PAIR.model_copy(update={"source": "vote", "writers": ("sft", "baseline"), "time": datetime(2026, 1, 2, tzinfo=UTC)})
    append_preference(path, PAIR)
    append_preference(path, other)
    assert load_preferences(path) == [PAIR, other]
    first = json.loads(path.read_text().splitlines()[0])
    assert list(first) == ["request", "preferred", "rejected", "source", "writers", "time"]
    assert datetime.fromisoformat(first["time"]).tzinfo is not None


def test_a_torn_last_line_is_passed_over_and_the_next_pair_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    append_preference(path, PAIR)
    with path.open("a") as file:
        file.write('{"request": "x')
    assert load_preferences(path) == [PAIR]
    append_preference(path, PAIR)
    assert load_preferences(path) == [PAIR, PAIR]


def test_a_record_of_another_form_is_named(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    append_preference(path, PAIR)
    path.write_text(path.read_text() + '{"request": "x"}\n')
    with pytest.raises(InputError, match=r"preferences\.jsonl, record 2, field preferred: is not a preference"):
        load_preferences(path)
