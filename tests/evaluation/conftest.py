"""A simulated author with held-out requests, and drafts made by hand: the author's own, another author's, and damaged ones."""

from __future__ import annotations

import pytest

from handmade_drafts import by, written
from idiolect.corpus import Demonstration
from idiolect.evaluation.drafts import Drafted
from idiolect.world import HOUSE_AUTHOR, Author, demonstrations, sample_author


@pytest.fixture(scope="session")
def author() -> Author:
    return sample_author("heldout", 3, habits=False)


@pytest.fixture(scope="session")
def known(author: Author) -> list[Demonstration]:
    return demonstrations(author, "heldout", 10, seed=1, replies=False)


@pytest.fixture(scope="session")
def heldout(author: Author) -> list[Demonstration]:
    return demonstrations(author, "heldout", 30, seed=2, replies=False)


@pytest.fixture(scope="session")
def house(author: Author, heldout: list[Demonstration]) -> Drafted:
    return written(heldout, by(HOUSE_AUTHOR, author, heldout))


@pytest.fixture(scope="session")
def good(author: Author, heldout: list[Demonstration]) -> Drafted:
    return written(heldout, by(author, author, heldout), seconds=2.0)
