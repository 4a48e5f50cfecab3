"""Numbers as they are read."""

from __future__ import annotations

import pytest

from idiolect.evaluation.statistics import Measure
from idiolect.report.tables import number


@pytest.mark.parametrize(
    ("measure", "text", "below"),
    [
        (Measure(mean=0.5, low=0.25, high=0.75), "0.50", "0.25–0.75"),
        (Measure(mean=-0.001, low=-0.012, high=0.004), "0.00", "−0.01 to 0.00"),
        (Measure(mean=-0.5), "−0.50", ""),
        (Measure(), "–", ""),
        (None, "–", ""),
    ],
)
def test_a_number_stands_over_its_interval(measure: Measure | None, text: str, below: str) -> None:
    cell = number(measure)
    assert (cell.text, cell.below) == (text, below)
