"""Rounds of drafts: one request, and what some writers wrote for it. Each is a file in the workspace's ``studio/``.

Knows files. Knows nothing of how drafts are made or shown.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.corpus import Fact
from idiolect.corpus.retrieval import Passage
from idiolect.errors import InputError
from idiolect.service.replies import request_and_quote
from idiolect.service.writer import Writer
from idiolect.workspace import Workspace, read_json, write_json

__all__ = ["Round", "RoundDraft", "Rounds", "folder_of"]

_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
Kind = Literal["write", "compare", "sample"]


class RoundDraft(BaseModel):
    """A writer's draft in a round, empty until it is written."""

    model_config = ConfigDict(extra="forbid")
    writer: Writer
    text: str = ""
    done: bool = False
    finished: bool = False
    """Whether it ended by itself; else it was cut at its longest."""
    tokens: int = 0
    seconds: float = 0.0
    error: str | None = None
    attempt: int = 0
    """How often it was written anew; each attempt has a seed of its own."""
    edited: str | None = None
    """What the person made of it."""
    tries: int = 1
    """How many were sampled to choose it."""
    stand_in: str = ""
    """Who wrote it where that is not the writer."""

    def again(self) -> None:
        """Forget what is written; the next attempt gives another draft."""
        self.text, self.done, self.finished, self.error, self.edited = "", False, False, None, None
        self.tokens, self.seconds, self.attempt, self.tries, self.stand_in = 0, 0.0, self.attempt + 1, 1, ""


class Round(BaseModel):
    """One request, and what some writers wrote for it."""

    model_config = ConfigDict(extra="forbid")
    name: str
    kind: Kind
    request: str
    """What the person asked for."""
    quoted: str = ""
    """The mail that is answered, if any."""
    asked: str
    """What the writers are asked: the request, with the quoted mail where there is one."""
    passages: list[Passage] | None = None
    """The person's past mail that has to do with it; None where none was looked up."""
    given: str = ""
    """What the writers read where that is more than ``asked``: with the past mail."""
    facts: tuple[Fact, ...] = ()
    """What a draft has to say, as far as plain drafts were asked; else it is what the request states by its form."""
    others: list[Writer] = []
    """Who stands in, in turn, where all tries of the writer have faults."""
    drafts: list[RoundDraft]
    """In the order in which they are shown: of a comparison, the side is chance."""
    run: str = ""
    """Of a sample: the training whose checkpoint wrote it."""
    automatic: bool = False
    """Of a sample: whether nobody asked for it, so that it may go when newer ones come."""
    vote: Literal["a", "b", "tie"] | None = None
    """Of a comparison: the side that the person liked better."""
    time: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @property
    def done(self) -> bool:
        return all(draft.done for draft in self.drafts)


def folder_of(workspace: Workspace) -> Path:
    return workspace.root / "studio"


class Rounds:
    """The rounds of one workspace. Those under way are held in memory, so that a page and a job see the same one."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = folder_of(workspace)
        self._open: dict[str, Round] = {}

    def new(
        self, kind: Kind, request: str, writers: list[Writer], *, asked: str | None = None, quoted: str = "",
        passages: list[Passage] | None = None, given: str = "", others: Sequence[Writer] = (), run: str = "", automatic: bool = False,
    ) -> Round:  # fmt: skip
        """``asked`` is what the request and the quoted mail make together; by default the request holds both.

        Raises ``InputError`` for an empty request or no writers.
        """
        if not request.strip():
            raise InputError("the request is empty", hint="Say in a few words what the text is to say")
        if not writers:
            raise InputError("no writer is chosen", hint="Choose at least one")
        if kind == "compare":
            random.SystemRandom().shuffle(writers)
        if asked is None:
            asked = request.strip()
            request, quoted = request_and_quote(asked)
        now = datetime.now(UTC)
        # Names sort by age, within a second too: three digits are its 4096ths, the others chance.
        name = f"{now:%Y%m%d-%H%M%S}-{now.microsecond * 4096 // 1_000_000:03x}{secrets.randbits(20):05x}"
        made = Round(
            name=name,
            kind=kind,
            request=request.strip(),
            quoted=quoted,
            asked=asked,
            passages=passages,
            given=given,
            others=list(others),
            drafts=[RoundDraft(writer=writer) for writer in writers],
            run=run,
            automatic=automatic,
        )
        self._open[name] = made
        self.save(made)
        return made

    def save(self, found: Round) -> None:
        write_json(self.folder / f"{found.name}.json", found.model_dump(mode="json"))

    def drop(self, found: Round) -> None:
        """Forget a round, and delete its file."""
        self._open.pop(found.name, None)
        (self.folder / f"{found.name}.json").unlink(missing_ok=True)

    def get(self, name: str, kind: Kind | None = None) -> Round:
        """Raises ``InputError`` where there is none of that name and kind."""
        path = self.folder / f"{name}.json"
        if name not in self._open:
            if not _NAME.fullmatch(name) or not path.is_file():
                raise InputError("there is no such page", hint="Begin anew from the menu above")
            self._open[name] = _read(path)
        found = self._open[name]
        if kind is not None and found.kind != kind:
            raise InputError("there is no such page", hint="Begin anew from the menu above")
        return found

    def newest(self, kind: Kind, count: int | None = None, *, run: str = "") -> list[Round]:
        """At most ``count``, the newest first. Damaged files are passed over."""
        found: list[Round] = []
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            try:
                one = self.get(path.stem)
            except InputError:
                continue
            if one.kind == kind and one.run == run:
                found.append(one)
            if len(found) == count:
                break
        return found


def _read(path: Path) -> Round:
    try:
        return Round.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"is not a round of drafts: {first['msg']}", where=f"{path}, field {field}", hint="Delete the file") from error
