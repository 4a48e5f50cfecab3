"""``idiolect baseline``: the base model as a writer."""

from __future__ import annotations

from pathlib import Path

from idiolect.cli.options import AsJson, Folder, open_workspace, report, with_config
from idiolect.methods.baseline import BaselineConfig
from idiolect.methods.baseline import baseline as make

__all__ = ["baseline"]


@with_config(BaselineConfig)
def baseline(config: BaselineConfig, workspace: Folder = Path(), as_json: AsJson = False) -> None:
    """Set down the base model as it is, the mark to beat."""
    place, settings = open_workspace(workspace)
    writer = make(place, settings, config)
    report(as_json, {"writer": writer.model_dump(mode="json")}, f"The baseline is {writer.base_model}. It lies in {place.runs}")
