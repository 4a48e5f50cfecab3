"""Blind votes: what they say about each writer, and the preference pairs that they and edits leave.

Knows rounds, ``votes.jsonl`` and ``preferences.jsonl``. Knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.corpus.preferences import Preference, append_preference
from idiolect.errors import InputError
from idiolect.evaluation.statistics import Measure, mean_with_interval
from idiolect.studio.rounds import Round, folder_of
from idiolect.workspace import Workspace, append_json_line, read_json_lines

__all__ = ["Standing", "Vote", "load_votes", "record_edit", "record_vote", "standings"]


class Vote(BaseModel):
    """One blind comparison, ties too. The texts lie in the round of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    round: str
    writers: tuple[str, str]
    """Side a, then side b."""
    won: float
    """1 where side a was liked better, 0.5 for a tie, 0 where side b was."""
    time: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


class Standing(NamedTuple):
    """One writer against another, or against all others."""

    writer: str
    opponent: str
    votes: int
    rate: Measure
    """Mean of the votes, ties as half, with a 95 % interval."""


def record_vote(workspace: Workspace, found: Round, choice: Literal["a", "b", "tie"]) -> None:
    """Keep the vote, and its pair of texts unless it is a tie. Marks the round; raises ``InputError`` for a second vote."""
    if found.vote is not None:
        raise InputError("this comparison has its vote already", hint="Go on with the next one")
    if not found.done or any(draft.error for draft in found.drafts):
        raise InputError("the drafts are not there yet", hint="Wait for both, then vote")
    first, second = found.drafts
    names = (first.writer.name, second.writer.name)
    vote = Vote(round=found.name, writers=names, won={"a": 1.0, "tie": 0.5, "b": 0.0}[choice])
    append_json_line(_path(workspace), vote.model_dump(mode="json"))
    found.vote = choice
    # Two drafts with the same words teach nothing.
    if choice != "tie" and first.text != second.text:
        better, worse = (first, second) if choice == "a" else (second, first)
        pair = Preference(
            request=found.asked,
            preferred=better.text,
            rejected=worse.text,
            source="vote",
            writers=(better.writer.name, worse.writer.name),
        )
        append_preference(workspace.preferences, pair)


def record_edit(workspace: Workspace, found: Round, index: int, edited: str) -> None:
    """Keep the person's version of a draft as preferred over it. Raises ``InputError`` where nothing, or nothing else, is left."""
    draft, text = found.drafts[index], edited.replace("\r\n", "\n").strip()
    if not draft.done or draft.error:
        raise InputError("the draft is not there yet", hint="Wait until it is written")
    if not text:
        raise InputError("the edited draft is empty", hint="Leave what you would send")
    if text == (draft.edited or draft.text):
        raise InputError("nothing was changed", hint="Change the text as you would send it, then save")
    pair = Preference(request=found.asked, preferred=text, rejected=draft.text, source="edit", writers=(draft.writer.name,))
    append_preference(workspace.preferences, pair)
    draft.edited = text


def load_votes(workspace: Workspace) -> list[Vote]:
    """Oldest first; a line that a kill tore is passed over. Raises ``InputError`` naming a record that is no vote."""
    path = _path(workspace)
    votes = []
    for number, row in enumerate(read_json_lines(path, torn_tail=True) if path.exists() else (), 1):
        try:
            votes.append(Vote.model_validate(row))
        except ValidationError as error:
            raise InputError("is not a vote", where=f"{path}, record {number}", hint="Correct or delete it") from error
    return votes


def standings(votes: Sequence[Vote], *, seed: int = 0) -> tuple[list[Standing], list[Standing]]:
    """Each writer against all others, best first; and, where there are more than two, each pair of writers that met."""
    won: dict[tuple[str, str], list[float]] = {}
    for vote in votes:
        a, b = vote.writers
        won.setdefault((a, b), []).append(vote.won)
        won.setdefault((b, a), []).append(1 - vote.won)
    names = sorted({name for pair in won for name in pair})

    def standing(writer: str, opponent: str, values: list[float]) -> Standing:
        return Standing(writer, opponent, len(values), mean_with_interval(values, seed=seed, bounds=(0, 1)))

    overall = [standing(name, "", [one for (a, _), values in won.items() if a == name for one in values]) for name in names]
    overall.sort(key=lambda one: -(one.rate.mean or 0))
    order = [one.writer for one in overall]
    pairs = [standing(a, b, won[a, b]) for a, b in combinations(order, 2) if (a, b) in won]
    return overall, pairs if len(names) > 2 else []


def _path(workspace: Workspace) -> Path:
    return folder_of(workspace) / "votes.jsonl"
