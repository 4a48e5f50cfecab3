"""The prompt texts, one Markdown file each, as Jinja templates. Knows nothing of models or methods."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["render"]


@cache
def _environment() -> Environment:
    # trim_blocks keeps a loop's own lines out of the text; autoescape would turn quotes into HTML entities.
    return Environment(loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, autoescape=False)


def render(name: str, /, **values: Any) -> str:
    """The prompt ``prompts/<name>.md`` with its values filled in, without surrounding white space.

    Raises ``jinja2.UndefinedError`` when a value is missing.
    """
    return _environment().get_template(f"{name}.md").render(**values).strip()
