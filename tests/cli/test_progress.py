"""Progress where nobody watches a terminal."""

from __future__ import annotations

import pytest

from idiolect.cli import progress
from idiolect.cli.progress import bars


def test_a_log_has_a_line_for_the_beginning_the_end_and_every_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with bars() as told:
        for done, now in ((0, 0.0), (1, 59.0), (2, 61.0), (3, 100.0), (4, 122.0), (5, 300.0), (5, 400.0)):
            clock[0] = now
            told("Drafts", done, 5)
    assert capsys.readouterr().err.splitlines() == ["Drafts: 0 of 5", "Drafts: 2 of 5", "Drafts: 4 of 5", "Drafts: 5 of 5"]
