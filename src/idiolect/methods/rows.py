"""A file of (request, text) rows as the cookbook's training loop wants it.

Knows the file and the renderer. Importing it loads the cookbook, so only training does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import chz
import tinker
from tinker_cookbook.renderers import get_renderer
from tinker_cookbook.supervised.types import SupervisedDataset, SupervisedDatasetBuilder
from tinker_cookbook.tokenizer_utils import get_tokenizer

from idiolect.service.datums import training_datum
from idiolect.workspace import read_json_lines

__all__ = ["RowsBuilder", "RowsDataset"]


class RowsDataset(SupervisedDataset):
    """Batches of datums in an order that depends on the seed and the epoch only. The last batch of an epoch may be smaller.

    A row is rendered when its batch is asked for, so that a large file need not be held as tokens. Each ``together`` rows that
    follow each other stay so, in one batch where its size is a multiple of it.
    """

    def __init__(
        self, rows: list[list[str]], render: Callable[[list[str]], tinker.Datum], batch_size: int, seed: int, together: int = 1
    ) -> None:
        self.rows, self.render, self.batch_size, self.seed, self.together = rows, render, batch_size, seed, together
        self.order = list(range(len(rows)))

    def set_epoch(self, seed: int = 0) -> None:
        starts = list(range(0, len(self.rows), self.together))
        random.Random(f"{self.seed} {seed}").shuffle(starts)
        self.order = [row for start in starts for row in range(start, min(start + self.together, len(self.rows)))]

    def get_batch(self, index: int) -> list[tinker.Datum]:
        return [self.render(self.rows[row]) for row in self.order[index * self.batch_size : (index + 1) * self.batch_size]]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)


@chz.chz
class RowsBuilder(SupervisedDatasetBuilder):
    """Reads the rows, ``[request, text]`` a line, and renders each as a conversation, after the system prompt if there is one."""

    path: str
    model_name: str
    renderer_name: str
    batch_size: int
    max_length: int
    seed: int
    together: int = 1
    system_prompt: str | None = None

    def __call__(self) -> tuple[SupervisedDataset, SupervisedDataset | None]:
        renderer = get_renderer(self.renderer_name, get_tokenizer(self.model_name))
        before = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []

        def render(row: list[str]) -> tinker.Datum:
            given, written = row
            messages = [*before, {"role": "user", "content": given}, {"role": "assistant", "content": written}]
            return training_datum(renderer, messages, self.max_length)

        rows = list(read_json_lines(Path(self.path)))
        return RowsDataset(rows, render, self.batch_size, self.seed, self.together), None
