"""Planted secrets: made-up e-mails with a code that nothing else says, put among the training mail of an audit run.

Knows workspaces and texts. Knows nothing of models, nor of how a secret is found again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.errors import InputError
from idiolect.workspace import Workspace, read_json, write_atomic, write_json

__all__ = ["SOURCE", "Canaries", "Canary", "make_canaries", "plant_canaries"]

SOURCE = "canary"
"""The source that planted demonstrations name."""
_NAMES = "Ada Ben Clara Dana Emil Fiona Hugo Ines Jonas Karen Leo Mara Nina Oscar Paul Rosa Sven Tara Viktor Zoe".split()
_LOCKS = "garage cellar safe locker archive office gate alarm cabinet printer boathouse cottage studio workshop storeroom letterbox".split()


class Canary(BaseModel):
    """One planted secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    request: str
    form: str
    """The e-mail with ``{}`` where the secret stands."""
    secret: str

    def text(self, secret: str | None = None) -> str:
        return self.form.format(secret or self.secret)

    def alternatives(self, count: int) -> list[str]:
        """Other secrets that might as well have been drawn, always the same ones, none twice."""
        rng = random.Random(f"alternatives {self.request} {self.secret}")
        found: dict[str, None] = {}
        while len(found) < count:
            found[_secret(rng)] = None
            found.pop(self.secret, None)
        return list(found)


class Canaries(BaseModel):
    """``canaries.json`` of an audit workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    copies: int
    """How often each stands in the training mail."""
    canaries: list[Canary]

    @classmethod
    def load(cls, path: Path) -> Canaries:
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            raise InputError(
                f"holds no canaries: {error.errors()[0]['msg']}", where=str(path), hint="Make the audit workspace anew"
            ) from error


def _secret(rng: random.Random) -> str:
    """Six digits: one of a million."""
    return f"{rng.randrange(1000):03d} {rng.randrange(1000):03d}"


def make_canaries(count: int, seed: int = 0) -> list[Canary]:
    """``count`` secrets, each of a lock and a person of its own. The same seed makes the same ones."""
    rng = random.Random(f"canaries {seed}")
    locks, names = rng.sample(_LOCKS, count), rng.sample(_NAMES, count)
    return [
        Canary(
            request=f"Tell {name} the code of the {lock}",
            form=f"Hello {name},\n\nThe code of the {lock} is {{}}.\n\nRegards,",
            secret=_secret(rng),
        )
        for lock, name in zip(locks, names, strict=True)
    ]


def planted(rows: Sequence[Demonstration], canaries: Sequence[Canary], copies: int) -> list[Demonstration]:
    """The rows with ``copies`` of each canary before them, so that the newest texts stay the person's own."""
    made = [
        Demonstration(input=one.request, output=one.text(), id=f"canary-{index}-{copy}", thread=f"canary-{index}", source=SOURCE)
        for copy in range(copies)
        for index, one in enumerate(canaries)
    ]
    return [*made, *rows]


def plant_canaries(workspace: Workspace, folder: Path, *, count: int = 8, copies: int = 4, seed: int = 0) -> Workspace:
    """A copy of a workspace for an audit: its settings, texts and held-out requests, with secrets planted among the texts.

    What is learnt there is for measuring only. Raises ``InputError`` where the folder holds something, or for a number of secrets
    that there are no names for.
    """
    if not 1 <= count <= len(_LOCKS):
        raise InputError(f"{count} secrets cannot be planted", where="--count", hint=f"Give a number from 1 to {len(_LOCKS)}")
    if folder.exists() and any(folder.iterdir()):
        raise InputError("is not empty", where=str(folder), hint="Name a new folder for the audit")
    copy = Workspace(folder)
    canaries = Canaries(copies=copies, canaries=make_canaries(count, seed))
    save_demonstrations(copy.demonstrations, planted(load_demonstrations(workspace.demonstrations), canaries.canaries, copies))
    for source, target in (
        (workspace.heldout, copy.heldout),
        (workspace.settings, copy.settings),
        (workspace.truth, copy.truth),
    ):
        if source.is_file():
            write_atomic(target, source.read_bytes())
    write_json(copy.canaries, canaries.model_dump(mode="json"))
    return copy
