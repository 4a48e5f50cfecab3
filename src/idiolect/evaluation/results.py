"""The result files: ``results/compare.json`` (schema 1) and ``results/drafts.json`` with every draft behind it.

Knows the files' form. Knows nothing of how a number came about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.errors import InputError
from idiolect.evaluation.leakage import Leakage
from idiolect.evaluation.ranking import Ranked
from idiolect.evaluation.statistics import Difference, Measure
from idiolect.evaluation.winrate import Agreement, WinRate
from idiolect.workspace import read_json, write_json

__all__ = ["MEASURES", "DraftRow", "DraftRows", "Measure", "RequestRow", "Results", "WriterResult", "load_drafts", "load_results"]

MEASURES = ("style", "facts", "invented", "placeholders", "win_rate_vs_baseline", "length_ratio", "verbatim_overlap")
"""The measures of a writer, in the file's order."""


class WriterResult(BaseModel):
    """One writer over all held-out requests."""

    model_config = ConfigDict(frozen=True)
    style: Measure
    """Simulated: share of the author's true traits found. Real: the verifier's probability of same authorship."""
    facts: Measure
    """Share of the request's facts kept."""
    invented: Measure
    """Share of drafts with anything invented."""
    placeholders: Measure
    """Share of drafts with an unfilled slot."""
    win_rate_vs_baseline: Measure
    length_ratio: Measure
    """Words of the draft by words of the person's own text."""
    verbatim_overlap: Measure
    """Longest run copied from a demonstration, as a share of the draft."""
    seconds: float
    """Wall time of writing the drafts, while other writers wrote theirs."""
    tokens: int
    """Sampled tokens."""


class Results(BaseModel):
    """``results/compare.json``. What stands below ``writers`` came to the schema later; readers may go without it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)
    version: Literal[1] = Field(default=1, alias="schema")
    author: str
    task: str
    base_model: str
    heldout: int
    seed: int
    writers: dict[str, WriterResult]
    judge: Literal["truth", "verifier"]
    """What measures style."""
    decided_by: str = ""
    """The judge that decides win rates and ranking: truth, verifier or facts."""
    differences: dict[str, dict[str, Difference]] = Field(default_factory=dict)
    """Each writer's measures less the baseline's, paired by request, with p-values and the smallest difference that would show."""
    truncated: dict[str, Measure] = Field(default_factory=dict)
    """Share of drafts that ran into the token limit or end in the middle of a sentence."""
    meta_comments: dict[str, Measure] = Field(default_factory=dict)
    """Share of drafts with a remark about themselves ("Here is the text:")."""
    repeated: dict[str, Measure] = Field(default_factory=dict)
    """Share of drafts that say a line, a sentence or a word more than once."""
    misspelt: dict[str, Measure] = Field(default_factory=dict)
    """Share of drafts with a word that neither English, nor the person, nor the request has."""
    tries: dict[str, Measure] = Field(default_factory=dict)
    """How many drafts were sampled for each that was taken."""
    reference: dict[str, Measure] = Field(default_factory=dict)
    """The person's own held-out texts by the same measures: what a perfect writer would get."""
    win_rates: dict[str, list[WinRate]] = Field(default_factory=dict)
    """Each writer against the baseline, by every judge that there is; the deciding one first."""
    agreements: list[Agreement] = Field(default_factory=list)
    """How far each two judges agree."""
    ranking: list[Ranked] = Field(default_factory=list)
    """All writers in one order, by the deciding judge's verdicts on all pairs."""
    leakage: dict[str, Leakage] = Field(default_factory=dict)
    """What each writer gives away of its training texts; only where an audit was asked for."""
    about: dict[str, Any] = Field(default_factory=dict)
    """Settings, versions and how style was measured."""

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))


class DraftRow(BaseModel):
    """One writer's draft for one request, with all that was found in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    style: float | None
    missed: list[str]
    """True traits that it lacks, for a simulated author."""
    facts: float | None
    lost: list[str]
    invented: list[str]
    placeholders: list[str]
    win: float | None
    length_ratio: float | None
    verbatim_overlap: float
    copied: str
    truncated: bool
    tokens: int
    seconds: float
    meta_comments: list[str] = Field(default_factory=list)
    """Remarks about the draft."""
    repeated: list[str] = Field(default_factory=list)
    """What it says more than once."""
    misspelt: list[str] = Field(default_factory=list)
    """Words that no dictionary has."""
    tries: int = 1
    """How many were sampled to choose it."""


class RequestRow(BaseModel):
    """One held-out request and every writer's draft for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    request: str
    facts: list[str]
    own: str
    """What the person wrote; empty where that is not known."""
    drafts: dict[str, DraftRow]


class DraftRows(BaseModel):
    """``results/drafts.json``."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)
    version: Literal[1] = Field(default=1, alias="schema")
    requests: list[RequestRow]

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))


def load_results(path: Path) -> Results:
    """Read ``compare.json``. Raises ``InputError`` when it is missing, broken or of another schema version."""
    return _load(path, Results)


def load_drafts(path: Path) -> DraftRows:
    """Read ``drafts.json``. Raises ``InputError`` when it is missing, broken or of another schema version."""
    return _load(path, DraftRows)


def _load(path: Path, model: type[Any]) -> Any:
    hint = "Run `idiolect compare` again"
    if not path.is_file():
        raise InputError("there are no results yet", where=str(path), hint="Run `idiolect compare` first")
    raw = read_json(path)
    if isinstance(raw, dict) and raw.get("schema") != 1:
        raise InputError(f"has schema {raw.get('schema')!r}, this version reads 1", where=str(path), hint=hint)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"is not a result file: {first['msg']}", where=f"{path}, field {field}", hint=hint) from error
