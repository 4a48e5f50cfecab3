"""A task: one small file that says what is written, about what, and what counts as good.

Knows the file's fields. Knows nothing of models. A task file of one's own lies in the workspace as ``<name>.toml``
(docs/tasks.md tells how to write one).
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.errors import InputError
from idiolect.workspace import Workspace, read_text

__all__ = ["Checks", "Task", "load_task", "packaged_tasks", "read_task"]

_PACKAGED = Path(__file__).parent


class Checks(BaseModel):
    """What every draft of the task is held to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    max_tokens: int = Field(default=256, ge=1)
    """Tokens a draft may have; a longer one counts as truncated."""
    min_words: int = Field(default=3, ge=0)
    """A draft with fewer words counts as empty."""


class Task(BaseModel):
    """Something that people ask to have written."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    name: str
    """The task's short name, as in the settings."""
    one: str = "text"
    """What one of the texts is called: "e-mail", "commit message"."""
    many: str = "texts"
    """What several are called: "e-mails"."""
    letter: bool = False
    """Whether the texts greet by name and sign off: names that stand there only are no facts that a request must state."""
    instruction: str
    """What a general model is told to write; the pocket model knows without."""
    request_form: str
    """What a general model is told about requests when it is to propose one."""
    topics: tuple[str, ...] = Field(min_length=1)
    """Seed topics of synthetic requests."""
    rubric: str
    """The judge's rubric where the workspace has no rubric.md, in the same form: Criteria with anchors, Hard failures."""
    checks: Checks = Checks()
    """What every draft is held to."""


def load_task(name: str, workspace: Workspace | None = None) -> Task:
    """The workspace's own ``<name>.toml``, or else the packaged task of that name.

    Raises ``InputError`` for an unknown name or a file with a wrong field.
    """
    folders = [workspace.root, _PACKAGED] if workspace else [_PACKAGED]
    stem = name.removesuffix(".toml")
    for folder in folders:
        path = folder / f"{stem}.toml"
        if path.is_file():
            return read_task(path)
    raise InputError(
        f"unknown task {name!r}",
        where="idiolect.toml, field task",
        hint=f"Known: {', '.join(packaged_tasks())}; or write {stem}.toml in the workspace",
    )


def packaged_tasks() -> list[str]:
    """The names of the tasks that ship with the package, e-mail first."""
    return sorted((path.stem for path in _PACKAGED.glob("*.toml")), key=lambda name: (name != "email", name))


def read_task(path: Path) -> Task:
    """The task of a file. Raises ``InputError`` naming the file and the field that is wrong."""
    try:
        return Task.model_validate(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not valid TOML: {error}", where=str(path), hint="Correct it there") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(first["msg"], where=f"{path}, field {field}", hint="Compare with the packaged email.toml") from error
