"""A task: one small file that says what is written, about what, and what counts as good.

Knows the file's fields. Knows nothing of models. A task file of one's own lies in the workspace as ``<name>.toml``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idiolect.errors import InputError
from idiolect.workspace import Workspace, read_text

__all__ = ["Checks", "Task", "load_task"]


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
    instruction: str
    """What a general model is told to write; the pocket model knows without."""
    request_form: str
    """What a general model is told about requests when it is to propose one."""
    topics: tuple[str, ...] = Field(min_length=1)
    """Seed topics of synthetic requests."""
    rubric: str
    """The default rubric of a judge, as Markdown."""
    checks: Checks = Checks()
    """What every draft is held to."""


def load_task(name: str, workspace: Workspace | None = None) -> Task:
    """The workspace's own ``<name>.toml``, or else the packaged task of that name.

    Raises ``InputError`` for an unknown name or a file with a wrong field.
    """
    packaged = Path(__file__).parent
    folders = [workspace.root, packaged] if workspace else [packaged]
    stem = name.removesuffix(".toml")
    for folder in folders:
        path = folder / f"{stem}.toml"
        if path.is_file():
            return _read(path)
    known = sorted(path.stem for path in packaged.glob("*.toml"))
    raise InputError(
        f"unknown task {name!r}",
        where="idiolect.toml, field task",
        hint=f"Known: {', '.join(known)}; or write {stem}.toml in the workspace",
    )


def _read(path: Path) -> Task:
    try:
        return Task.model_validate(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not valid TOML: {error}", where=str(path), hint="Correct it there") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(first["msg"], where=f"{path}, field {field}", hint="Compare with the packaged email.toml") from error
