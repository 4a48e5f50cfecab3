"""The person's own texts with other facts in them, so that voice is learnt from them and not their facts by heart.

Knows requests, texts and the forms of facts. Knows nothing of models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from idiolect.corpus import Fact
from idiolect.tasks.claims import usual_facts
from idiolect.tasks.facts import request_facts
from idiolect.tasks.values import MONTHS, WEEKDAYS

__all__ = ["known_facts", "rows_with_made_up_facts", "with_made_up_facts", "with_other_facts"]

_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p ph pl pr qu r s sc sh sk sl sm sn sp st str sw t th tr v w z".split()
_VOWELS = "a e i o u ai ea ee ie oa oo ou".split()
_CODAS = "b d ck ft g l ld ll m mp n nd ng nk nt p r rd rk rn rs rt s sh ss st t th x z".split()
_NUMBERED = frozenset({"day", "time", "amount", "count"})
_WORD = r"[^\W\d_]{2,}"


def known_facts(requests: Iterable[str]) -> dict[str, list[str]]:
    """The values of each kind of fact in the requests, in their order, each once."""
    found: dict[str, dict[str, None]] = {}
    for request in requests:
        for fact in request_facts(request):
            found.setdefault(fact.kind, {})[fact.value] = None
    return {kind: list(values) for kind, values in found.items()}


def with_other_facts(request: str, text: str, known: Mapping[str, Sequence[str]], rng: random.Random) -> tuple[str, str]:
    """Request and text in which each fact that both have word for word is another one of its kind, the same in both.

    A fact that the text says in other words stays, and so does one of a kind of which ``known`` has no other.
    """

    def other(fact: Fact, taken: Sequence[str]) -> str | None:
        others = [value for value in known.get(fact.kind, ()) if value not in (*taken, fact.value) and value not in request]
        return rng.choice(others) if others else None

    return _swapped(request, text, other)


def with_made_up_facts(request: str, text: str, usual: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """Request and text in which each fact that both have word for word is a made-up one of its form, the same in both.

    Names become words that no language has, numbers others of as many digits, days and months others: a model that is shown a few
    texts again and again can learn by heart how they are written, but what they tell only from the request. ``usual`` facts, in small
    letters (``usual_facts``), belong to the person and stay.
    """

    def other(fact: Fact, taken: Sequence[str]) -> str | None:
        if fact.value.lower() in usual or fact.kind == "quote":
            return None
        if fact.kind in _NUMBERED:
            return _renumbered(fact.value, rng)
        return _recoded(fact.value, rng) if fact.kind == "code" else _respelt(fact.value, fact.kind in ("link", "address"), rng)

    return _swapped(request, text, other)


def rows_with_made_up_facts(rows: Sequence[tuple[str, str]], number: int, seed: int) -> list[tuple[str, str]]:
    """(request, text) rows as they are shown for the ``number``-th time: at 0 as they are, then with other made-up facts each time."""
    if not number:
        return list(rows)
    usual = usual_facts([text for _, text in rows])
    return [with_made_up_facts(request, text, usual, random.Random(f"made up {seed} {number} {request}")) for request, text in rows]


def _swapped(request: str, text: str, other: Callable[[Fact, Sequence[str]], str | None]) -> tuple[str, str]:
    """Both with what ``other`` gives for each fact that stands in both and the values that were given before; None leaves it."""
    swaps: dict[str, str] = {}
    for fact in request_facts(request):
        found = other(fact, list(swaps.values())) if re.search(_whole(fact.value), text) else None
        if found is not None:
            swaps[fact.value] = found
    if not swaps:
        return request, text
    # The longest first and all at once: a value may stand in another one, and what came in is not replaced again.
    form = re.compile("|".join(map(_whole, sorted(swaps, key=len, reverse=True))))
    return form.sub(lambda found: swaps[found[0]], request), form.sub(lambda found: swaps[found[0]], text)


def _renumbered(value: str, rng: random.Random) -> str:
    """Other numbers of as many digits, within a month or a day where the value speaks of one; other weekdays and months."""
    low = value.lower()
    clock = re.search(r"\d:\d|\d ?[ap]\.?m|o['’]clock", low) is not None
    dated = re.search(rf"\d(?:st|nd|rd|th)\b|\b(?:{'|'.join(MONTHS)})", low) is not None

    def number(found: re.Match[str]) -> str:
        digits = found[0]
        if clock and value[: found.start()].endswith(":"):
            return f"{rng.randrange(0, 60, 5):02}"
        if (clock or dated) and len(digits) < 3:
            most = 28 if dated else 12 if int(digits) < 13 else 23
            return str(rng.randint(13 if clock and int(digits) > 12 else 1, most))
        return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in digits[1:])

    made = re.sub(r"\d+", number, value)
    made = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", lambda found: f"{found[1]}{_ordinal(int(found[1]))}", made)
    for names in (WEEKDAYS, MONTHS):
        made = re.sub(rf"\b(?:{'|'.join(names)})\b", lambda found, names=names: _as(found[0], rng.choice(names)), made, flags=re.IGNORECASE)
    return made


def _recoded(value: str, rng: random.Random) -> str:
    """Other letters and digits in the places of the value's."""
    digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyz"
    return re.sub(r"[0-9a-zA-Z]", lambda found: _as(found[0], rng.choice(digits if found[0].isdigit() else letters)), value)


def _ordinal(number: int) -> str:
    return "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _respelt(value: str, hosted: bool, rng: random.Random) -> str:
    """Made-up words of about the lengths of the value's; of an address or a link what comes before the last dot."""
    head, dot, end = value.rpartition(".") if hosted else (value, "", "")
    kept = r"(?:https?|www)\b" if hosted else r"(?!)"
    return re.sub(rf"{kept}|{_WORD}", lambda found: found[0] if re.match(kept, found[0]) else _made_up(found[0], rng), head) + dot + end


def _made_up(like: str, rng: random.Random) -> str:
    count = 1 if len(like) < 5 else 2 if len(like) < 8 else 3
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if rng.random() < 0.4 else "") for _ in range(count)]
    return _as(like, "".join(syllables))


def _as(like: str, word: str) -> str:
    """The word in the other one's case."""
    return word.upper() if like.isupper() and len(like) > 1 else word.capitalize() if like[:1].isupper() else word


def _whole(value: str) -> str:
    return rf"(?<!\w){re.escape(value)}(?!\w)"
