"""A simulated author with held-out requests, and drafts made by hand: the author's own, another author's, and damaged ones."""

from __future__ import annotations

import pytest

from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.service import Draft
from idiolect.world import HOUSE_AUTHOR, Author, demonstrations, realise, sample_author, sample_situation


@pytest.fixture(scope="session")
def author() -> Author:
    return sample_author("heldout", 3)


@pytest.fixture(scope="session")
def known(author: Author) -> list[Demonstration]:
    return demonstrations(author, "heldout", 10, seed=1)


@pytest.fixture(scope="session")
def heldout(author: Author) -> list[Demonstration]:
    return demonstrations(author, "heldout", 30, seed=2)


def written(rows: list[Demonstration], texts: list[str], *, finished: bool = True, seconds: float = 1.0) -> Drafted:
    drafts = [
        Draft(request=row.input, text=text, tokens=len(text.split()), seconds=0.1, finished=finished)
        for row, text in zip(rows, texts, strict=True)
    ]
    return Drafted(drafts, seconds)


def by(writer: Author, author: Author, rows: list[Demonstration], seed: int = 2) -> list[str]:
    """What ``writer`` would write for the rows that ``demonstrations(author, "heldout", …, seed)`` made."""
    return [realise(sample_situation("heldout", f"{author.name} {seed} {index}"), writer, 9) for index in range(len(rows))]


@pytest.fixture(scope="session")
def house(author: Author, heldout: list[Demonstration]) -> Drafted:
    return written(heldout, by(HOUSE_AUTHOR, author, heldout))


@pytest.fixture(scope="session")
def good(author: Author, heldout: list[Demonstration]) -> Drafted:
    return written(heldout, by(author, author, heldout), seconds=2.0)
