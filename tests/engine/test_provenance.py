"""What is kept of samples for training on them, and for how long."""

from __future__ import annotations

import numpy as np

from idiolect.engine.provenance import Recorded, Records


def record(length: int = 10) -> Recorded:
    tokens = np.arange(length, dtype=np.int64)
    return Recorded(tokens, tokens + 1, np.zeros(length, dtype=np.float32))


def test_a_record_lives_for_a_day_after_its_last_use() -> None:
    now = [0.0]
    records = Records(clock=lambda: now[0])
    records.add("s", "used", record())
    records.add("s", "unused", record())
    now[0] = 20 * 3600.0
    assert records.find("s", "used") is not None
    now[0] = 25 * 3600.0
    assert records.find("s", "unused") is None
    assert records.find("s", "used") is not None
    assert records.size == record().size
    now[0] = 50 * 3600.0
    assert records.find("s", "used") is None
    assert records.size == 0


def test_the_longest_unused_give_way() -> None:
    records = Records(limit=3 * record().size)
    for name in ("a", "b", "c"):
        records.add("s", name, record())
    assert records.find("s", "a") is not None
    records.add("s", "d", record())
    assert [records.find("s", name) is not None for name in ("a", "b", "c", "d")] == [True, False, True, True]
    assert records.size == 3 * record().size
    records.add("s", "d", record(4))
    assert records.size == 2 * record().size + record(4).size


def test_a_session_has_its_own_and_takes_them_with_it() -> None:
    records = Records()
    for session in ("one", "two"):
        records.add(session, "x", record())
    assert records.find("three", "x") is None
    records.drop("one")
    assert records.find("one", "x") is None
    assert records.find("two", "x") is not None
    assert records.size == record().size
