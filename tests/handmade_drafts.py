"""Drafts made by hand for tests of the measures and of the report."""

from __future__ import annotations

from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.service import Draft
from idiolect.world import Author, realise, sample_situation

__all__ = ["by", "written"]


def written(rows: list[Demonstration], texts: list[str], *, finished: bool = True, seconds: float = 1.0) -> Drafted:
    drafts = [
        Draft(request=row.input, text=text, tokens=len(text.split()), seconds=0.1, finished=finished)
        for row, text in zip(rows, texts, strict=True)
    ]
    return Drafted(drafts, seconds)


def by(writer: Author, author: Author, rows: list[Demonstration], seed: int = 2) -> list[str]:
    """What ``writer`` would write for the rows that ``demonstrations(author, "heldout", …, seed)`` made."""
    replies = any("\n> " in row.input for row in rows)
    situations = [sample_situation("heldout", f"{author.name} {seed} {index}", replies=replies) for index in range(len(rows))]
    return [realise(situation, writer, 9) for situation in situations]
