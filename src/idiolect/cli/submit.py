"""``idiolect submit``: the ZIP that is handed in, when nothing stands against it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, Folder, open_workspace
from idiolect.cli.options import report as tell
from idiolect.methods.tracking import REMINDER, links
from idiolect.report.submission import gather, pack
from idiolect.settings import load_env_files

__all__ = ["submit"]


def submit(
    workspace: Folder = Path(),
    project: Annotated[Path, typer.Option(help="The folder with the notebook and the scripts.", show_default="this folder")] = Path(),
    out: Annotated[Path, typer.Option(help="The ZIP to write.")] = Path("submission.zip"),
    own_mail: Annotated[bool, typer.Option("--own-mail", help="Agree to hand in passages of your own mail.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check what is handed in, and pack it as a ZIP."""
    place, _ = open_workspace(workspace)
    # The keys that a .env beside the notebook holds are looked for, too.
    load_env_files(project.expanduser())
    found = gather(project.expanduser().resolve(), place, own_mail=own_mail)
    if found.faults:
        if as_json:
            print(json.dumps({"zip": None, "faults": found.faults}, ensure_ascii=False))
        else:
            print(
                "Nothing was packed. What stands against handing in:", *(f"- {fault}" for fault in found.faults), sep="\n", file=sys.stderr
            )
        raise typer.Exit(1)
    pack(found, out.expanduser())
    reminder = f"\n{REMINDER}" if links(place) else ""
    tell(as_json, {"zip": str(out), "files": sorted(found.files)}, f"{out}: {len(found.files)} files, nothing stands against it{reminder}")
