"""Progress bars on stderr.

Knows rich. Knows nothing of the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Progress", "bars", "stage"]

_EVERY = 60.0
"""Seconds between two lines about the same work."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, of how many."""


@contextmanager
def bars() -> Iterator[Progress]:
    """A bar for each kind of work, in the order in which it begins. Where stderr is no terminal, a line for each as it begins and
    ends, and once a minute.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as shown:
        tasks: dict[str, object] = {}
        ended: set[tuple[str, int]] = set()
        last: dict[str, float] = {}

        def progress(what: str, done: int, total: int) -> None:
            new = what not in tasks
            if new:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]
            due = new or (done == total and (what, total) not in ended) or (done < total and time.monotonic() - last[what] >= _EVERY)
            if not console.is_terminal and due:
                last[what] = time.monotonic()
                console.print(f"{what}: {done} of {total}", highlight=False)
            if done == total:
                ended.add((what, total))

        yield progress


def stage(progress: Progress, what: str) -> Callable[[int, int], None]:
    """The progress of one kind of work."""
    return lambda done, total: progress(what, done, total)
