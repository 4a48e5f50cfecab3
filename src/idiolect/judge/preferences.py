"""The Preference Collection of Prometheus 2 as rows to train a judge: streamed from the hub, or read from a file of its schema.

Knows its columns, those whose names begin with ``orig_``. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.errors import InputError
from idiolect.judge.pairs import Pair
from idiolect.judge.prometheus import answer, judge_messages
from idiolect.judge.rubric import Criterion, Rubric
from idiolect.workspace import append_json_line, read_json_lines

__all__ = ["HELD_OUT", "PREFERENCE_COLLECTION", "Preference", "preference_rows", "preferences"]

PREFERENCE_COLLECTION = "prometheus-eval/Preference-Collection"
HELD_OUT = 1024
"""The first so many rows are never trained on."""
_FILES = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}


class Preference(BaseModel):
    """One row: an instruction, two responses, what they are compared in, and which is preferred and why."""

    model_config = ConfigDict(frozen=True)
    orig_instruction: str = Field(min_length=1)
    orig_response_A: str
    orig_response_B: str
    orig_criteria: str = Field(min_length=1)
    orig_feedback: str
    orig_preference: Literal["A", "B"]

    @property
    def rubric(self) -> Rubric:
        return Rubric(title="What makes a response good", criteria=(Criterion(name="Criterion", text=self.orig_criteria),))

    @property
    def pair(self) -> Pair:
        return Pair(self.orig_instruction, self.orig_response_A, self.orig_response_B)


def preferences(source: str, *, skip: int = 0) -> Iterator[Preference]:
    """The rows of a hub data set or of a local file from number ``skip`` on, streamed.

    Raises ``InputError`` naming the row and the field where one has not the schema.
    """
    for number, row in enumerate(_stream(source, skip), skip + 1):
        try:
            yield Preference.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            hint = f"Each row has {', '.join(Preference.model_fields)}, as in {PREFERENCE_COLLECTION}"
            raise InputError(first["msg"], where=f"{source}, row {number}, field {field}", hint=hint) from error


def _stream(source: str, skip: int) -> Iterable[dict[str, Any]]:
    import datasets
    from datasets.exceptions import DatasetsError

    path = Path(source).expanduser()
    try:
        if path.suffix in _FILES:
            if not path.is_file():
                raise InputError("there is no such file", where=source)
            data = datasets.load_dataset(_FILES[path.suffix], data_files=str(path), split="train", streaming=True)
        else:
            data = datasets.load_dataset(source, split="train", streaming=True)
        yield from data.skip(skip)
    except (OSError, ValueError, DatasetsError) as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"could not be read: {told}", where=source, hint="Check the name and the network, or name a file") from error


def preference_rows(
    source: str, count: int, store: Path, *, held_out: int = HELD_OUT, on_progress: Callable[[int, int], None] | None = None
) -> list[list[str]]:
    """(question, answer) rows of ``count`` preferences after the held-out ones, each in both orders, one after the other.

    What was read is kept in ``store``, so that a killed run reads on where it was. Reasons speak of A and B by name, so the swapped
    order is taught without them.
    """
    kept = list(read_json_lines(store, torn_tail=True)) if store.exists() else []
    for one in preferences(source, skip=held_out + len(kept)) if len(kept) < count else ():
        append_json_line(store, one.model_dump())
        kept.append(one.model_dump())
        if on_progress:
            on_progress(len(kept), count)
        if len(kept) == count:
            break
    if not kept:
        raise InputError(f"has no row after the {held_out} held-out ones", where=source, hint="Name a larger data set")
    return [row for one in kept[:count] for row in _both(Preference.model_validate(one))]


def _both(one: Preference) -> Iterator[list[str]]:
    letter = one.orig_preference
    (reasoned,) = judge_messages(one.rubric, one.pair, reasons=True)
    yield [reasoned["content"], answer(letter, _bare(one.orig_feedback))]
    (swapped,) = judge_messages(one.rubric, one.pair.swapped)
    yield [swapped["content"], answer("B" if letter == "A" else "A")]


def _bare(feedback: str) -> str:
    """The reasons without the form's words around them, which some rows have."""
    return feedback.partition("[RESULT]")[0].removeprefix("Feedback:").strip()
