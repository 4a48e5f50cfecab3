"""Command lines of the form ``python -m scripts.NAME key=value …``, as tinker-cookbook's recipes have them.

Knows how words become a frozen config, and which workspace and models a script works with. Knows nothing of what a script does.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.cli.options import open_workspace
from idiolect.errors import IdiolectError, InputError
from idiolect.methods.tracking import Tracking
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["ScriptConfig", "from_words", "run_script", "usage"]

C = TypeVar("C", bound=BaseModel)
S = TypeVar("S", bound="ScriptConfig")
_NONE = ("None", "none", "null")
_ASKS_FOR_HELP = ("--help", "-h", "help")


class ScriptConfig(BaseModel):
    """What every script takes beside its own settings. None leaves the choice to the workspace and its preset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())
    workspace: Path = Path()
    """The workspace's folder; by default the one the script is started in."""
    model_name: str | None = None
    """The model that is trained: a hub name, a checkpoint folder, or pocket."""
    renderer_name: str | None = None
    """The cookbook renderer of that model."""
    base_url: str | None = None
    """Address of a Tinker-compatible server."""
    wandb_project: str | None = None
    """The Weights & Biases project to log to; without one nothing is logged there."""
    wandb_name: str | None = None
    """The run's name there."""
    dry_run: bool = False
    """Only say what would be done, with how many tokens, and what that costs."""

    @property
    def tracking(self) -> Tracking:
        if self.wandb_project is None:
            return Tracking()
        return Tracking(wandb=True, wandb_project=self.wandb_project, wandb_name=self.wandb_name)

    def opened(self) -> tuple[Workspace, Settings]:
        """The workspace, and its settings with what the command line says instead."""
        workspace, settings = open_workspace(self.workspace)
        model = {"policy": self.model_name, "renderer": self.renderer_name}
        named = settings.model.model_copy(update={name: value for name, value in model.items() if value})
        service = settings.service.model_copy(update={"base_url": self.base_url} if self.base_url else {})
        return workspace, settings.model_copy(update={"model": named, "service": service})

    def told(self, config: type[C], **renamed: str) -> C:
        """A method's config with those of this command line's settings that were given; ``renamed`` is theirs by our name of it.

        What was not given stays unset in it, so that the preset may fill it in.
        """
        given = {renamed.get(name, name): getattr(self, name) for name in self.model_fields_set}
        return _checked(config, {name: value for name, value in given.items() if name in config.model_fields and value is not None})


def from_words(config: type[C], words: Sequence[str]) -> C:
    """The config that ``key=value`` words describe; a comma parts the items of a list, ``a.b=value`` sets field b of field a.

    Raises ``InputError`` naming the word or the field, and the nearest field that there is.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        if not equals or not name:
            raise InputError("is not of the form key=value", where=f"argument {word!r}", hint=f"For example {_example(config)}")
        *outer, last = name.split(".")
        table = values
        for part in outer:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise InputError(f"{part} has a value already", where=f"argument {word!r}", hint="Leave one of the two out")
        if last in table:
            raise InputError("is given twice", where=f"field {name}", hint="Leave one of the two out")
        table[last] = None if value in _NONE else value
    return _checked(config, _with_lists(config, values))


def usage(config: type[BaseModel], module: str) -> str:
    """The fields with their defaults and what they mean, for people."""
    lines = [f"usage: python -m {module} key=value …", "", config.__doc__ or "", ""]
    for name, field in config.model_fields.items():
        lines.append(f"  {name}={field.default}")
        lines.append(f"      {' '.join((field.description or '').split())}")
    return "\n".join(lines)


def run_script(config: type[S], main: Callable[[S], None], words: Sequence[str] | None = None) -> None:
    """Call ``main`` with the config of the command line. Errors are one line; the process ends with their exit code."""
    words = sys.argv[1:] if words is None else words
    try:
        if any(word in _ASKS_FOR_HELP for word in words):
            print(usage(config, f"scripts.{Path(sys.argv[0]).stem}"))
            return
        main(from_words(config, words))
    except IdiolectError as error:
        print(f"{Path(sys.argv[0]).stem}: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None


def _with_lists(config: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """The values with ``a,b`` split where the field is a list or tuple."""

    def split(name: str, value: Any) -> Any:
        field = config.model_fields.get(name)
        many = field is not None and str(field.annotation).removeprefix("typing.").startswith(("tuple", "list"))
        return [part.strip() for part in value.split(",") if part.strip()] if many and isinstance(value, str) else value

    return {name: split(name, value) for name, value in values.items()}


def _checked(config: type[C], values: dict[str, Any]) -> C:
    try:
        return config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(field, config.model_fields, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known fields: {', '.join(config.model_fields)}"
            raise InputError("unknown field", where=f"field {field}", hint=hint) from error
        raise InputError(f"{first['msg']}, not {first['input']!r}", where=f"field {field}", hint="Correct it there") from error


def _example(config: type[BaseModel]) -> str:
    return f"{next(iter(config.model_fields))}=…"
