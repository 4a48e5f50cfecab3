"""Weights & Biases: a run's curves, and tables of what it wrote, beside the files that every run keeps anyway.

Off unless asked for. Knows wandb and run folders. Never sets who may see a project, and sends no code, no console output and
nothing of the machine. WANDB_MODE=offline logs to files in the run's folder, which ``wandb sync`` sends later.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from idiolect.errors import InputError
from idiolect.methods.run import Run
from idiolect.settings import pocket_model
from idiolect.workspace import Workspace, read_json, write_json

__all__ = ["REMINDER", "Tracker", "Tracking", "links", "tracked"]

REMINDER = (
    "Handing in asks that everybody can see the Weights & Biases project. Its privacy is yours to set, on the project's page under "
    "Edit; nothing here makes it public for you."
)
_RECORD = "wandb.json"


class Tracking(BaseModel):
    """Whether and where a training is logged beside its run folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    wandb: bool = False
    """Log the curves, and tables of drafts, to Weights & Biases; WANDB_MODE=offline logs to files only."""
    wandb_project: str = Field(default="idiolect", min_length=1)
    """The project there."""
    wandb_name: str | None = None
    """The run's name there; by default that of its folder."""


@dataclass(frozen=True)
class Tracker:
    """What a training logs to. Without a run there, everything is a no-op."""

    live: Any = None
    """The wandb run, or None."""
    project: str | None = None
    """For the loops of the cookbook, which log by themselves where they are told a project; their run is then this one."""
    name: str | None = None

    def log(self, step: int, **values: Any) -> None:
        """Points of curves; what is no number is left out."""
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)}
        if self.live is not None and numbers:
            self.live.log(numbers, step=step)

    def table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int | None = None) -> None:
        """Rows with the same keys, such as requests and drafts, as a table."""
        if self.live is None or not rows:
            return
        import wandb

        columns: list[Any] = list(rows[0])
        self.live.log({name: wandb.Table(columns=columns, data=[[row[column] for column in columns] for row in rows])}, step=step)


@contextmanager
def tracked(run: Run, tracking: Tracking | None) -> Iterator[Tracker]:
    """The tracker of a run folder. A run that goes on after a kill goes on there too.

    ``wandb.json`` in the run's folder keeps the project, the id and the link. Raises ``InputError`` where wandb cannot begin.
    """
    if tracking is None or not tracking.wandb:
        yield Tracker()
        return
    record = run.folder / _RECORD
    known = read_json(record) if record.is_file() else {}
    live = _begun(run, tracking, known.get("id") or secrets.token_hex(4))
    offline = bool(live.settings._offline)
    write_json(record, {
        "project": tracking.wandb_project, "name": live.name, "id": live.id, "url": None if offline else live.url, "offline": offline,
    })  # fmt: skip
    code = 1
    try:
        yield Tracker(live, tracking.wandb_project, live.name)
        code = 0
    finally:
        # The loops of the cookbook end the run by themselves; then there is nothing left to end.
        live.finish(exit_code=code)


def _begun(run: Run, tracking: Tracking, identity: str) -> Any:
    try:
        import wandb
        from wandb.errors import Error
    except ImportError as error:
        raise InputError("wandb is not installed", where="--wandb", hint="Install it: pip install 'idiolect[wandb]'") from error
    # The cookbook's own wandb.init must get this run, in notebooks too, where it would begin another.
    os.environ["WANDB_REINIT"] = "return_previous"
    quiet = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )
    try:
        return wandb.init(
            project=tracking.wandb_project,
            name=tracking.wandb_name or run.folder.name,
            id=identity,
            resume="allow",
            dir=str(run.folder),
            config=_portable(read_json(run.folder / "config.json")),
            settings=quiet,
        )
    except (Error, OSError) as error:
        raise InputError(
            f"Weights & Biases did not begin: {error}", where="--wandb",
            hint="Set WANDB_API_KEY, or WANDB_MODE=offline to log to files",
        ) from error  # fmt: skip


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """The config without folders of this machine."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(one) for name, one in value.items()}
        if value == pocket_model():
            return "pocket"
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    # What is None is decided by the method; the loops of the cookbook log what it became, and wandb lets no value change.
    return {name: shown(value) for name, value in config.items() if value is not None}


def links(workspace: Workspace) -> dict[str, str]:
    """Where the workspace's runs are logged, by the names of their folders: a link, or that they are kept offline."""
    found = {}
    for record in sorted(workspace.runs.glob(f"*/{_RECORD}")):
        known = read_json(record)
        offline = f"logged offline, project {known['project']}, run {known['id']}; `wandb sync` sends it"
        found[record.parent.name] = known.get("url") or offline
    return found
