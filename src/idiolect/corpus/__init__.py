"""The person's writing: importing, cleaning, redacting and splitting it.

The names are loaded when they are asked for, so that the command line's help need not wait for the HTML and charset libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idiolect.corpus.types import Demonstration, Fact, Message

if TYPE_CHECKING:
    from idiolect.corpus.choose import choose_demonstrations
    from idiolect.corpus.clean import clean_body
    from idiolect.corpus.importing import ImportResult, import_messages, to_demonstrations
    from idiolect.corpus.redaction import RedactionTable, redact, redact_demonstrations, restore
    from idiolect.corpus.report import ImportReport
    from idiolect.corpus.splits import default_heldout, split
    from idiolect.corpus.store import redaction_path, save

__all__ = [
    "Demonstration",
    "Fact",
    "ImportReport",
    "ImportResult",
    "Message",
    "RedactionTable",
    "choose_demonstrations",
    "clean_body",
    "default_heldout",
    "import_messages",
    "redact",
    "redact_demonstrations",
    "redaction_path",
    "restore",
    "save",
    "split",
    "to_demonstrations",
]

_HOMES = {
    "choose": ("choose_demonstrations",),
    "clean": ("clean_body",),
    "importing": ("ImportResult", "import_messages", "to_demonstrations"),
    "redaction": ("RedactionTable", "redact", "redact_demonstrations", "restore"),
    "report": ("ImportReport",),
    "splits": ("default_heldout", "split"),
    "store": ("redaction_path", "save"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
