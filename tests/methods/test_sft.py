"""What fine-tuning is shown."""

from __future__ import annotations

import pytest

from idiolect.corpus import Demonstration
from idiolect.methods.sft import SftConfig, shown_rows

OWN = [Demonstration(id=name, input=f"Ask {name} for 5 copies", output=f"{name}, 5 copies please") for name in ("Mara", "Bruno")]
MADE = [Demonstration(id=str(n), input=f"Tell them {n}", output=f"it is {n}") for n in range(7)]


def test_own_texts_alone_are_never_shown_twice_with_the_same_facts() -> None:
    config = SftConfig(data="demonstrations", steps=5, batch_size=4)
    rows = shown_rows(config, OWN, MADE, 0)
    assert len(rows) == 20
    assert len({tuple(row) for row in rows}) == 20
    assert all(text == f"{request.split()[1]}, {request.split()[3]} copies please" for request, text in rows)
    assert shown_rows(config.model_copy(update={"varied": False}), OWN, MADE, 0) == [[row.input, row.output] for row in OWN]


def test_no_more_versions_are_made_up_than_anything_can_learn_from() -> None:
    config = SftConfig(data="demonstrations", steps=100_000)
    assert len(shown_rows(config, OWN, MADE, 0)) == 1000 * len(OWN)


@pytest.mark.parametrize("varied", [True, False])
def test_own_texts_have_their_share_beside_synthetic_ones(varied: bool) -> None:
    rows = shown_rows(SftConfig(own_share=0.6, varied=varied), OWN, MADE, 0)
    own = [row for row in rows if "copies" in row[0]]
    assert len(rows) - len(own) == len(MADE)
    assert 0.6 <= len(own) / len(rows) < 0.7
    assert len({tuple(row) for row in own}) == (len(own) if varied else len(OWN))


def test_synthetic_texts_are_shown_as_they_are() -> None:
    assert shown_rows(SftConfig(data="synthetic"), OWN, MADE, 0) == [[row.input, row.output] for row in MADE]
