"""Training curves and what training took, from the ``metrics.jsonl`` of the runs.

Knows run folders. Knows nothing of methods: whatever a run logs by step under a telling name becomes a curve.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idiolect.errors import InputError
from idiolect.settings import pocket_model
from idiolect.workspace import Workspace, read_json, read_json_lines

__all__ = ["Curves", "Training", "curves_of", "portable", "trainings_of"]

_LABELS = {
    "train_mean_nll": "training loss (nats a token)",
    "test_mean_nll": "test loss (nats a token)",
    "win_rate_vs_base": "win rate against the first policy",
    "dev/facts_kept": "facts kept on development requests",
    "dev/kl": "KL from the first policy (nats a token)",
    "env/all/reward/total": "reward of a draft",
    "loss": "loss of the imitation (nats a token)",
    "dpo_loss": "DPO loss (nats)",
    "accuracy": "share of pairs in the right order",
}
"""Metrics that are shown wherever they are logged, in this order."""
_METRIC = re.compile(r"nll|loss|reward|accuracy|margin|(?:^|[/_])kl(?:$|[/_])")
_NO_METRIC = re.compile(r"^(?:num_|time/|progress|epoch|step|optim/)")
_MOST_METRICS = 4
"""Others join where fewer of the known ones are there."""


@dataclass(frozen=True)
class Training:
    """One run that logged steps."""

    name: str
    """Its writer's name."""
    rows: tuple[Mapping[str, Any], ...]
    config: Mapping[str, Any]
    watch: Mapping[str, Any] = field(default_factory=dict)
    """Of a training that was watched: which step was kept, and why."""

    @property
    def steps(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int | None:
        """Tokens trained on, where the run counted them."""
        counts = [int(row["num_tokens"]) for row in self.rows if _is_number(row.get("num_tokens"))]
        return sum(counts) if counts else None

    @property
    def seconds(self) -> float | None:
        times = [float(row["time/step"]) for row in self.rows if _is_number(row.get("time/step"))]
        return math.fsum(times) if times else None


@dataclass(frozen=True)
class Curves:
    """One metric of all runs that have it."""

    name: str
    label: str
    lines: dict[str, tuple[tuple[int, float], ...]]
    """Points (step, value) by writer."""


def trainings_of(workspace: Workspace, writers: Mapping[str, Mapping[str, Any]]) -> list[Training]:
    """The run behind each of the compared writers, where it trained; ``writers`` are their settings in the result file."""
    found: dict[str, Training] = {}
    for folder in sorted(workspace.runs.glob("*/")):
        writer = _read(folder / "writer.json")
        name = writer.get("name")
        if not isinstance(name, str) or name not in writers or not (folder / "metrics.jsonl").is_file():
            continue
        compared = writers[name].get("adapter")
        if compared and writer.get("adapter") != compared:
            # A later or an earlier run of the same method, which was not compared.
            continue
        rows = tuple(row for row in read_json_lines(folder / "metrics.jsonl", torn_tail=True) if isinstance(row, dict))
        if rows:
            found[name] = Training(name, rows, portable(_read(folder / "config.json")), _read(folder / "watch.json"))
    return [found[name] for name in writers if name in found]


def curves_of(trainings: Sequence[Training]) -> list[Curves]:
    """A curve for each metric that has two steps or more: the known ones, then others, those that most runs have first."""
    metrics: dict[str, dict[str, tuple[tuple[int, float], ...]]] = {}
    for training in trainings:
        for key in dict.fromkeys(key for row in training.rows for key in row):
            if key not in _LABELS and (not _METRIC.search(key) or _NO_METRIC.search(key)):
                continue
            points = tuple(_points(training.rows, key))
            if len(points) > 1:
                metrics.setdefault(key, {})[training.name] = points
    known = [key for key in _LABELS if key in metrics]
    others = sorted((key for key in metrics if key not in _LABELS), key=lambda key: -len(metrics[key]))
    chosen = [*known, *others[: max(0, _MOST_METRICS - len(known))]]
    return [Curves(re.sub(r"\W+", "-", key), _LABELS.get(key, key.replace("_", " ")), metrics[key]) for key in chosen]


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> Iterator[tuple[int, float]]:
    for index, row in enumerate(rows):
        if _is_number(row.get(key)):
            yield (int(row["step"]) if _is_number(row.get("step")) else index), float(row[key])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read(path: Path) -> dict[str, Any]:
    """A run's file; an unfinished or damaged one tells nothing, and the report does without."""
    try:
        value = read_json(path) if path.is_file() else {}
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """The config without folders of this machine."""

    def shown(value: Any) -> Any:
        if value == pocket_model():
            return "pocket"
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    return json.loads(json.dumps({key: shown(value) for key, value in config.items()}))
