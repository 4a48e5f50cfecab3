"""DITTO's comparisons: drafts of every round, kept on disk, and the pairs that are drawn from them.

Knows texts and rounds. Knows nothing of models or losses.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from idiolect.workspace import read_json_lines, write_json_lines

__all__ = ["Draft", "Mix", "ReplayBuffer"]


@dataclass(frozen=True)
class Draft:
    """What the policy of one round wrote for a demonstration's request."""

    demonstration: int
    text: str
    reference: float
    """Its log-probability under the reference, nats."""


@dataclass(frozen=True)
class Mix:
    """Shares of the three kinds of comparison (arXiv 2406.00888, section 3.2)."""

    online: float = 0.7
    """Demonstration over a draft of the current round."""
    replay: float = 0.2
    """Demonstration over a draft of an earlier round."""
    between: float = 0.1
    """A draft of the current round over one of an earlier round."""


Comparison = tuple[Draft | int, Draft]
"""The better text, by the number of a demonstration or a draft, and the worse one; both answer the same request."""


class ReplayBuffer:
    """``rounds/<number>.jsonl``: the drafts of each round. A file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds: dict[int, list[Draft]] = {}

    def has(self, number: int) -> bool:
        return self._path(number).exists()

    def add(self, number: int, drafts: list[Draft]) -> None:
        write_json_lines(self._path(number), [[draft.demonstration, draft.text, draft.reference] for draft in drafts])

    def of(self, number: int) -> list[Draft]:
        """A round's drafts, the same objects each time."""
        if number not in self._rounds:
            self._rounds[number] = [Draft(*row) for row in read_json_lines(self._path(number))]
        return self._rounds[number]

    def comparisons(self, number: int, count: int, mix: Mix, rng: random.Random) -> list[Comparison]:
        """``count`` comparisons in round ``number`` (from 0). Where no earlier round has a draft, all are of the first kind."""
        current = self.of(number)
        found: list[Comparison] = []
        for kind in rng.choices(("online", "replay", "between"), (mix.online, mix.replay, mix.between), k=count):
            draft = rng.choice(current)
            earlier = [old for past in range(number) for old in self.of(past) if old.demonstration == draft.demonstration]
            if kind == "online" or not earlier:
                found.append((draft.demonstration, draft))
            elif kind == "replay":
                found.append((draft.demonstration, rng.choice(earlier)))
            else:
                found.append((draft, rng.choice(earlier)))
        return found

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.jsonl"
