"""What is held out: the newest conversations, whole. Knows threads and dates, no texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError

__all__ = ["default_heldout", "split"]

_OLDEST = datetime.min.replace(tzinfo=UTC)


def _grouped(demonstrations: Sequence[Demonstration]) -> dict[str, list[int]]:
    """Positions by thread; a demonstration without a thread is its own, except that equal outputs belong together."""
    groups: dict[str, list[int]] = {}
    for at, one in enumerate(demonstrations):
        groups.setdefault(f"thread {one.thread}" if one.thread else f"output {one.output or one.input}", []).append(at)
    return groups


def default_heldout(demonstrations: Sequence[Demonstration], most: int = 50) -> int:
    """A fifth of the threads, at least 1 and at most ``most``; 0 where there is but one thread."""
    threads = len(_grouped(demonstrations))
    return min(most, max(1, threads // 5)) if threads > 1 else 0


def split(demonstrations: Sequence[Demonstration], heldout: int) -> tuple[list[Demonstration], list[Demonstration]]:
    """``(train, heldout)``: the newest threads, up to ``heldout`` demonstrations of them, are held out; no thread is on both sides.

    A thread counts as old as its newest message, undated ones as oldest, and of equals the later in the list is newer. A thread larger than
    the room that is left stays in train, unless nothing else fits; then its newest messages are held out and the rest is left out of both.
    Both lists keep the given order. Raises ``InputError`` where nothing would be left to learn from.
    """
    if heldout < 0:
        raise InputError(f"{heldout} cannot be held out", where="--heldout", hint="Give 0 or more")
    groups = _grouped(demonstrations)
    if heldout == 0:
        return list(demonstrations), []
    if len(groups) < 2 or heldout >= len(demonstrations):
        raise InputError(
            f"{heldout} cannot be held out of {len(demonstrations)} demonstrations in {len(groups)} conversation(s)",
            where="--heldout",
            hint="Import more, or hold out fewer (--heldout 0 holds out none)",
        )

    def age(at: int) -> tuple[datetime, int]:
        date = demonstrations[at].date or _OLDEST
        return (date if date.tzinfo else date.replace(tzinfo=UTC), at)

    newest_first = sorted(groups.values(), key=lambda group: max(map(age, group)), reverse=True)
    chosen: set[int] = set()
    unused: set[int] = set()
    for group in newest_first:
        if len(chosen) + len(group) <= heldout:
            chosen.update(group)
    if not chosen:
        group = sorted(newest_first[0], key=age, reverse=True)
        chosen, unused = set(group[:heldout]), set(group[heldout:])
    train = [one for at, one in enumerate(demonstrations) if at not in chosen and at not in unused]
    if not train:
        raise InputError(
            f"nothing is left to learn from when {heldout} are held out", where="--heldout", hint="Import more, or hold out fewer"
        )
    return train, [demonstrations[at] for at in sorted(chosen)]
