"""Demonstrations from data files: the class handout's JSON, JSON Lines and CSV. Knows rows and fields, no mail."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from idiolect.corpus.charset import clean_text
from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError
from idiolect.workspace import read_text

__all__ = ["read_records", "read_rows"]

_SHAPE = 'Each row needs the fields "input" (the request, may be empty) and "output" (what the person wrote)'
_OPTIONAL = ("id", "thread", "date", "source", "facts")


def read_records(path: Path, kind: str) -> list[Demonstration]:
    """The rows of a json, jsonl or csv file, in its order. ``InputError`` names the line and the field that is wrong.

    Beside ``input`` and ``output`` the other fields of ``Demonstration`` are read where they are given; further ones are passed over.
    """
    rows, optional = read_rows(path, kind, wanted=("input", "output")), _OPTIONAL
    if kind == "csv":
        # A cell has no structure, so facts cannot stand in one.
        optional = _OPTIONAL[:4]
        rows = ((line, {name: value for name, value in row.items() if value or name in ("input", "output")}) for line, row in rows)
    found = [_demonstration(row, path, line, number, optional) for number, (line, row) in enumerate(rows, 1)]
    if not found:
        raise InputError("holds no rows", where=str(path), hint=_SHAPE)
    return found


def read_rows(path: Path, kind: str, *, wanted: Sequence[str] = ()) -> Iterator[tuple[int, Any]]:
    """Each row of a json, jsonl or csv file with the line where it begins. A CSV must have the ``wanted`` columns."""
    text = read_text(path)
    if kind == "csv":
        return _csv(text, path, wanted)
    return {"json": _json, "jsonl": _json_lines}[kind](text, path)


def _loads(text: str, path: Path, first_line: int = 1) -> Any:
    hint = "Correct it there"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"is not valid JSON: {error.msg}", where=f"{path}, line {error.lineno + first_line - 1}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise InputError("is not usable JSON: too deep or too long a number", where=f"{path}, line {first_line}", hint=hint) from error


def _json(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    value = _loads(text, path)
    if not isinstance(value, list):
        raise InputError("is not a list of rows", where=f"{path}, line 1", hint='Write [{"input": "...", "output": "..."}, ...]')
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    line, counted = 1, 0
    for row in value:
        while text[at] in " \t\r\n,":
            at += 1
        line, counted = line + text.count("\n", counted, at), at
        yield line, row
        _, at = decoder.raw_decode(text, at)


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _loads(line, path, number)


def _csv(text: str, path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Any]]:
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    limit = csv.field_size_limit(max(len(text), 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        for wanted in needed:
            if names.count(wanted) != 1:
                problem = "has no" if wanted not in names else "has more than one"
                hint = f"Name the columns {' and '.join(needed)} in the first line"
                raise InputError(f'{problem} column "{wanted}"', where=f"{path}, line 1", hint=hint)
        line = reader.line_num + 1
        for values in reader:
            if values:
                if len(values) != len(names):
                    raise InputError(
                        f"has {len(values)} fields, not {len(names)}", where=f"{path}, line {line}", hint="Quote fields that hold commas"
                    )
                yield line, dict(zip(names, values, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"is not valid CSV: {error}", where=f"{path}, line {reader.line_num}", hint="Correct it there") from error
    finally:
        csv.field_size_limit(limit)


def _demonstration(row: Any, path: Path, line: int, number: int, optional: Sequence[str]) -> Demonstration:
    where = f"{path}, line {line} (row {number})"
    if not isinstance(row, dict):
        raise InputError("is not a row with fields", where=where, hint=_SHAPE)
    for name in ("input", "output"):
        if name not in row:
            raise InputError("is missing", where=f'{where}, field "{name}"', hint=_SHAPE)
        if not isinstance(row[name], str):
            raise InputError(f"is {type(row[name]).__name__}, not text", where=f'{where}, field "{name}"', hint=_SHAPE)
    texts = {name: clean_text(row[name]).strip() for name in ("input", "output")}
    if not texts["output"]:
        raise InputError("is empty", where=f'{where}, field "output"', hint=_SHAPE)
    given = {name: clean_text(row[name]) if isinstance(row[name], str) else row[name] for name in optional if row.get(name) is not None}
    try:
        record = Demonstration.model_validate({"id": f"row-{number}", "source": f"{path.name}, line {line}", **given, **texts})
        if record.date is not None:
            date = (record.date if record.date.tzinfo else record.date.replace(tzinfo=UTC)).astimezone(UTC)
            record = record.model_copy(update={"date": date})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"cannot be used: {first['msg']}", where=f'{where}, field "{field}"', hint="Correct or remove it") from error
    except OverflowError as error:
        raise InputError("is out of range", where=f'{where}, field "date"', hint="Correct or remove it") from error
    return record
