"""Files are whole or old, never half; and what cannot be read is named with its line."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.errors import InputError
from idiolect.workspace import append_json_line, read_json, read_json_lines, write_atomic, write_json, write_json_lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(rows=st.lists(VALUES, max_size=5))
def test_what_is_written_is_read(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_json_lines(path, rows)
    append_json_line(path, {"last": rows})
    assert list(read_json_lines(path)) == [*rows, {"last": rows}]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "value.json"
    write_json(path, 1)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_json(path, 2)
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_last_line_is_passed_over_where_that_is_allowed(tmp_path):
    path = tmp_path / "log.jsonl"
    append_json_line(path, {"text": "whole"})
    with path.open("ab") as file:
        file.write('{"text": "hé'.encode()[:-1])
    with pytest.raises(InputError, match="UTF-8"):
        list(read_json_lines(path))
    assert list(read_json_lines(path, torn_tail=True)) == [{"text": "whole"}]
    append_json_line(path, {"text": "after"})
    assert list(read_json_lines(path, torn_tail=True)) == [{"text": "whole"}, {"text": "after"}]


def test_bad_json_is_named_with_its_line(tmp_path):
    path = tmp_path / "bad.jsonl"
    write_atomic(path, '{"a": 1}\n{"a": \n')
    with pytest.raises(InputError, match=r"line 2"):
        list(read_json_lines(path))
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "absent.json")
