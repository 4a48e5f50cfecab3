"""What a training would cost before anything is spent: tokens read, sampled and trained on, and their price.

Arithmetic over the methods' settings and the mean length of requests and texts; asks no service and loads no model. It counts what
is expected: every first attempt is kept, and nothing is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idiolect.corpus import Demonstration
from idiolect.settings import Prices, Settings, pocket_model

__all__ = [
    "Estimate",
    "Lengths",
    "Work",
    "ditto_work",
    "lengths_of",
    "prompt_work",
    "rlaif_work",
    "rubric_work",
    "sft_work",
    "synthesis_work",
]

_CHARACTERS_A_TOKEN = 4.0
"""Of English text in vocabularies of the size that hosted models have."""
_TURN = 8
"""Tokens that mark the turns of a request and its text."""
_DESCRIPTION, _LINE, _VERDICT, _THOUGHTS = 384, 40, 160, 200
"""Tokens that a style description, a proposed request and a judge's reasons with the verdict take."""
_RUBRIC = 250
"""Tokens of a judge's instruction and the rubric."""
_COLLECTION_ROW = 1200
"""Tokens of a row of the Preference Collection with its rubric, two answers and feedback: an assumption, not counted."""


@dataclass(frozen=True)
class Work:
    """One step and its tokens on one model."""

    what: str
    model: str
    read: int = 0
    sampled: int = 0
    trained: int = 0

    def cost(self, prices: Prices) -> float | None:
        """In the prices' currency; None where a price that it takes is not stated."""
        price = prices.of(self.model)
        parts = ((self.read, price.read), (self.sampled, price.sampled), (self.trained, price.trained))
        if any(tokens and each is None for tokens, each in parts):
            return None
        return math.fsum(tokens * (each or 0.0) for tokens, each in parts) / 1e6


@dataclass(frozen=True)
class Estimate:
    """All steps of a run, in their order."""

    works: tuple[Work, ...]

    def total(self, prices: Prices) -> float | None:
        costs = [work.cost(prices) for work in self.works]
        return None if any(cost is None for cost in costs) else math.fsum(cost or 0.0 for cost in costs)

    def told(self, prices: Prices) -> str:
        """A table for people: a line a step, and the sum."""
        rows: list[tuple[str, ...]] = [("step", "model", "read", "sampled", "trained on", prices.currency)]
        rows += [
            (work.what, _short(work.model), f"{work.read:,}", f"{work.sampled:,}", f"{work.trained:,}", _money(work.cost(prices)))
            for work in self.works
        ]
        sums = (f"{sum(getattr(work, kind) for work in self.works):,}" for kind in ("read", "sampled", "trained"))
        rows.append(("together", "", *sums, _money(self.total(prices))))
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        notes = ["Nothing was spent. Tokens are expected ones, by mean lengths and 4 characters a token."]
        if self.total(prices) is None:
            notes.append(
                "Prices are missing: state prices.read, prices.sampled and prices.trained, for a million tokens, in idiolect.toml."
            )
        return "\n".join([*(line.rstrip() for line in lines), *notes])

    def values(self, prices: Prices) -> dict[str, object]:
        """The same for programs."""
        rows = [{**vars(work), "cost": work.cost(prices)} for work in self.works]
        return {"steps": rows, "cost": self.total(prices), "currency": prices.currency}


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a request, of a text and of the style prompt."""

    request: float
    text: float
    prompt: float = 0.0

    @property
    def row(self) -> float:
        """A request and its text as a conversation."""
        return self.request + self.text + _TURN


def lengths_of(demonstrations: Sequence[Demonstration], prompt: str = "") -> Lengths:
    """Lengths by the demonstrations' characters; texts without a request are asked for in about a fifth of their length."""
    texts = [len(row.output) for row in demonstrations if row.output]
    requests = [len(row.input) for row in demonstrations if row.input]
    text = math.fsum(texts) / len(texts) if texts else 0.0
    request = math.fsum(requests) / len(requests) if requests else text / 5
    return Lengths(request / _CHARACTERS_A_TOKEN, text / _CHARACTERS_A_TOKEN, len(prompt) / _CHARACTERS_A_TOKEN)


def prompt_work(settings: Settings, lengths: Lengths, *, texts: int, without_request: int, emails_per_call: int, calls: int) -> list[Work]:
    """The style description, and requests for texts that have none (four tries each)."""
    calls, shown = (1, texts) if texts <= emails_per_call else (calls, emails_per_call)
    works = [Work("describe the style", settings.policy, read=round(calls * shown * lengths.text), sampled=calls * _DESCRIPTION)]
    if without_request:
        read, sampled = round(without_request * lengths.text), round(without_request * 4 * lengths.request)
        works.insert(0, Work("write requests for the texts", settings.policy, read=read, sampled=sampled))
    return works


def synthesis_work(
    settings: Settings, lengths: Lengths, *, topics: int, per_topic: int, examples: int, think: bool = False, critique: bool = False
) -> list[Work]:
    """Requests (a topic is read once for all of its samples), and the teacher's text for each, with thoughts before it where it
    thinks; where it criticizes, each text is read and written once more.
    """
    rows = topics * per_topic
    shown = lengths.prompt + examples * lengths.row + lengths.request
    return [
        Work("propose requests", settings.teacher, read=topics * 2 * _LINE, sampled=rows * _LINE),
        Work("write synthetic texts", settings.teacher, read=round(rows * shown), sampled=round(rows * (lengths.text + think * _THOUGHTS))),
        *(
            [
                Work(
                    "criticize them",
                    settings.teacher,
                    read=round(rows * (shown + lengths.text)),
                    sampled=round(rows * (lengths.text + _THOUGHTS)),
                )
            ]
            if critique
            else []
        ),
    ]


def sft_work(
    settings: Settings, lengths: Lengths, *, steps: int, batch_size: int, max_length: int, rows: int, prompted: bool = False
) -> list[Work]:
    """Steps × batch × tokens of a row and, if ``prompted``, of the style prompt. The last batch of each pass over the rows is smaller."""
    batches = math.ceil(rows / batch_size)
    passes, rest = divmod(steps, batches)
    learnt = passes * rows + min(rest * batch_size, rows)
    return [Work("fine-tune", settings.policy, trained=round(learnt * min(lengths.row + prompted * lengths.prompt, max_length)))]


def rubric_work(
    settings: Settings,
    judge: str,
    lengths: Lengths,
    *,
    steps: int,
    batch_size: int,
    max_length: int,
    reasons: float,
    drafts: int,
    collection: bool,
) -> list[Work]:
    """A reward model: the plain policy's drafts that own texts are held against, and steps × batch × tokens of a pair with its rubric.

    ``reasons`` is the share of pairs with reasons before the verdict, ``drafts`` how many are written, ``collection`` whether the rows
    are the Preference Collection's.
    """
    row = _COLLECTION_ROW if collection else _RUBRIC + lengths.request + 2 * lengths.text + reasons * _VERDICT
    works = [Work("train the reward model", judge, trained=round(steps * batch_size * min(row, max_length)))]
    if drafts:
        read, sampled = round(drafts * lengths.request), round(drafts * lengths.text)
        works.insert(0, Work("write plain drafts", settings.policy, read=read, sampled=sampled))
    return works


def rlaif_work(
    settings: Settings, judge: str | None, lengths: Lengths, *, steps: int, batch_size: int, group_size: int, every: int, dev_requests: int
) -> list[Work]:
    """Groups of drafts, every ordered pair of a group judged, one training pass over all drafts, and looks at development requests.

    A look compares with the first policy's draft in both orders; one stands before the first step. Without a ``judge`` no model is asked.
    """
    drafts, looks = steps * batch_size * group_size, steps // every + 1
    matches, looked = drafts * (group_size - 1), looks * dev_requests
    shown = _RUBRIC + lengths.request + 2 * lengths.text
    asked = lengths.prompt + lengths.request
    works = [
        Work("write drafts", settings.policy, read=round(drafts * asked), sampled=round(drafts * lengths.text)),
        Work("reinforce", settings.policy, trained=round(drafts * (asked + lengths.text + _TURN))),
        Work("look: drafts", settings.policy, read=round(looked * lengths.request), sampled=round(looked * lengths.text)),
    ]
    if judge:
        works.insert(1, Work("judge drafts", judge, read=round(matches * shown), sampled=matches * _VERDICT))
        works.append(Work("look: verdicts", judge, read=round(2 * looked * shown), sampled=2 * looked * _VERDICT))
    return works


def ditto_work(
    settings: Settings,
    lengths: Lengths,
    *,
    demonstrations: int,
    samples: int,
    sft_steps: int,
    steps: int,
    every: int,
    batch_size: int,
    prompted: bool = False,
) -> list[Work]:
    """SFT on the demonstrations, then preference steps on pairs, with new drafts of the current policy every few of them.

    A pair is two rows, each trained on once and read once by the reference; if ``prompted`` a row begins with the style prompt.
    """
    asked, row = (length + prompted * lengths.prompt for length in (lengths.request, lengths.row))
    rounds = math.ceil(steps / every)
    drafts, pairs = rounds * demonstrations * samples, steps * batch_size
    return [
        Work("fine-tune first", settings.policy, trained=round(sft_steps * min(batch_size, demonstrations) * row)),
        Work("write drafts", settings.policy, read=round(drafts * asked), sampled=round(drafts * lengths.text)),
        Work("prefer", settings.policy, read=round(2 * pairs * row), trained=round(2 * pairs * row)),
    ]


def _short(model: str) -> str:
    return "pocket" if model == pocket_model() else Path(model).name


def _money(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
