"""The package's one exception tree. Knows nothing of any other module.

Every error says what was wrong, where (file, line, field), and what to do about it. The command line
prints the three parts on one line and leaves with ``exit_code``.
"""

from __future__ import annotations

__all__ = ["EngineError", "IdiolectError", "InputError", "ServiceError"]


class IdiolectError(Exception):
    """Base of all errors that a person can act on.

    ``what`` says what was wrong, ``where`` names the file, line or field, ``hint`` says what to do.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.hint}" if self.hint else head


class InputError(IdiolectError):
    """What the user gave cannot be used: a file, an option, a setting, a full disk."""

    exit_code = 2


class ServiceError(IdiolectError):
    """The Tinker service could not be reached or refused the work."""

    exit_code = 3


class EngineError(IdiolectError):
    """The local engine cannot load or run a model."""

    exit_code = 2
