"""Checkpoints of another state folder, brought into this one under their own paths before an engine serves it.

Knows how checkpoints lie on disk; nothing of what is in them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from idiolect.engine.places import Place
from idiolect.errors import InputError

__all__ = ["borrow"]


def borrow(path: str, source: Path, state: Path) -> None:
    """Copy the checkpoint ``tinker://…`` from the state folder ``source`` into ``state``; one that is there already stays.

    Raises ``InputError`` where ``source`` has none of that path.
    """
    place = Place.parsed(path)
    run = place.run.replace(":", "=")
    home, target = source / run / place.kind / place.name, state / run / place.kind / place.name
    if (target / "checkpoint.json").is_file():
        return
    try:
        version = json.loads((home / "checkpoint.json").read_text(encoding="utf-8"))["version"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / run / "run.json", state / run / "run.json")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(home / version, copy / version)
            shutil.copyfile(home / "checkpoint.json", copy / "checkpoint.json")
            copy.rename(target)
    except (OSError, ValueError, KeyError) as error:
        hint = "Where it was trained on a service, set TINKER_BASE_URL to that service"
        raise InputError(f"the adapter {path} cannot be brought from there: {error}", where=str(source), hint=hint) from error
