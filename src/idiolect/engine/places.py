"""Checkpoint names: ``tinker://run/kind/name``. Knows which names are safe; nothing of files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idiolect.errors import InputError

__all__ = ["KINDS", "NAME", "RUN", "Place"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,127}")

KINDS = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
"""The middle part of a path -> what the SDK calls such a checkpoint's type."""


@dataclass(frozen=True)
class Place:
    """``tinker://run/kind/name``. Only made from checked parts, so it never leaves the state folder."""

    run: str
    kind: str
    name: str

    @classmethod
    def made(cls, run: str, kind: str, name: str) -> Place:
        if not RUN.fullmatch(run) or kind not in KINDS or not NAME.fullmatch(name):
            raise InputError(
                f"{name[:80]!r} is no name for a checkpoint of {kind[:40]!r}",
                hint="Use up to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
            )
        return cls(run, kind, name)

    @classmethod
    def parsed(cls, path: str) -> Place:
        parts = path[len("tinker://") :].split("/") if path.startswith("tinker://") else []
        if len(parts) != 3:
            raise InputError(f"{path[:200]!r} is no checkpoint path", hint="It reads tinker://run/weights/name")
        return cls.made(*parts)

    def __str__(self) -> str:
        return f"tinker://{self.run}/{self.kind}/{self.name}"
