"""Examples of the person's texts for a few-shot prompt: which ones, and how many the model's context holds.

Knows demonstrations and tokens. Samples nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from idiolect.corpus import Demonstration
from idiolect.service.connect import Connection
from idiolect.service.datums import prompt_tokens
from idiolect.service.writer import Writer

__all__ = ["Selection", "diverse", "with_examples"]

Selection = Literal["diverse", "similar", "fixed"]
_REQUEST_TOKENS = 128


async def with_examples(
    connection: Connection, writer: Writer, demonstrations: Sequence[Demonstration], count: int, selection: Selection = "diverse"
) -> Writer:
    """The writer with up to ``count`` examples, fewer where the model's context is short.

    ``diverse`` takes those that differ most, ``fixed`` the first ones of the file, whose order is the person's to choose; ``similar``
    gives the writer all of them and lets each request choose its own.
    """
    limit = await connection.context_length(writer.base_model)
    rows = [row for row in demonstrations if row.input and row.output]
    # Requests to come may quote an e-mail as the longest known one does, and be somewhat longer.
    request = max((row.input for row in rows), key=len, default="")

    def fits(chosen: Sequence[Demonstration]) -> bool:
        shown = _showing(writer, chosen)
        used = prompt_tokens(connection.renderer(shown), shown.messages(request)) + _REQUEST_TOKENS + shown.max_tokens
        return not chosen or not limit or used <= limit

    if selection == "similar":
        longest = sorted(rows, key=lambda row: -len(row.input + row.output))[:count]
        while not fits(longest):
            longest.pop()
        return _showing(writer, rows).model_copy(update={"shown": len(longest)}) if longest else _showing(writer, [])
    chosen = rows[:count] if selection == "fixed" else diverse(rows, count)
    while not fits(chosen):
        # The longest goes first: it frees the most room for the others.
        chosen.remove(max(chosen, key=lambda row: len(row.output)))
    return _showing(writer, chosen)


def _showing(writer: Writer, rows: Sequence[Demonstration]) -> Writer:
    return writer.model_copy(update={"examples": tuple((row.input, row.output) for row in rows), "shown": None})


def diverse(demonstrations: Sequence[Demonstration], count: int) -> list[Demonstration]:
    """Up to ``count`` demonstrations that differ most: each next one is the least similar to those chosen before.

    Similarity is the cosine of TF-IDF over character 2- to 4-grams of the texts; the first is the most central one.
    """
    rows = list(demonstrations)
    if len(rows) <= count:
        return rows
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit_transform([row.output for row in rows])
    alike = (vectors @ vectors.T).toarray()
    chosen = [int(alike.sum(axis=1).argmax())]
    while len(chosen) < count:
        nearest = alike[:, chosen].max(axis=1)
        nearest[chosen] = float("inf")
        chosen.append(int(nearest.argmin()))
    return [rows[index] for index in sorted(chosen)]
