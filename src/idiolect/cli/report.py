"""``idiolect report``: the HTML page anew from the result files."""

from __future__ import annotations

from pathlib import Path

from idiolect.cli.options import AsJson, Folder, open_workspace
from idiolect.cli.options import report as tell
from idiolect.report import build_report

__all__ = ["report"]


def report(workspace: Folder = Path(), as_json: AsJson = False) -> None:
    """Write the report anew from the result files."""
    place, _ = open_workspace(workspace)
    page = build_report(place)
    tell(as_json, {"report": str(page)}, f"Report: {page}")
