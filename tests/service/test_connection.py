"""A connection as notebooks and the cookbook's loops meet it."""

from __future__ import annotations

import asyncio
import copy
import threading

from idiolect.service import Connection


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_it_runs_work_inside_a_running_loop_too() -> None:
    connection = Connection()

    async def notebook() -> int:
        return connection.run(answer())

    assert connection.run(answer()) == 42
    assert asyncio.run(notebook()) == 42


def test_a_copied_config_holds_the_same_connection() -> None:
    connection = Connection(health=threading.Event().is_set)
    assert copy.deepcopy({"judge": connection})["judge"] is connection
