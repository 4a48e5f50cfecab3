"""Open vocabularies of the simulated world: names, topics, days, amounts and the like, mostly made up.

Knows random numbers and strings. Knows nothing of authors or e-mails. Open values belong to one split each
(by a hash of their words), so that a held-out name or topic is one that no training text contains.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

__all__ = ["SPLITS", "draw", "kinds", "split_of"]

SPLITS = ("train", "development", "heldout")

_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cr dr fl gr kl pl pr qu sh sl st tr th".split()
_VOWELS = "a e i o u a e i o ai ea ee ie oa oo ou".split()
_CODAS = "b d g k l m n p r s t v x ck ld lm lt nd nk nt rd rk rn rt sk ss st th".split()

_REAL_NAMES = """Ada Alan Alice Amir Ana Anders Anita Anton Aisha Bela Ben Boris Bruno Carla Cem Chloe Clara Dana Daniel
Dario David Diego Elena Elif Emil Emma Erik Eva Farid Felix Fiona Finn Gina Goran Grace Hana Hans Hugo Ida Igor Ines Irene
Ivan Jan Jane Jonas Juan Julia Kai Karen Karim Karl Kate Lars Laura Lea Leo Lina Lucas Luis Luna Mara Maria Mario Mark Marta
Max Maya Mia Milan Mina Mona Nadia Nina Noah Nora Olga Oscar Otto Paul Peter Petra Priya Rahul Rita Robin Rosa Ruth Sam
Sara Selma Simon Sofia Stefan Sven Tara Theo Tim Tina Tom Uma Vera Viktor Wei Yara Yusuf Zoe""".split()

_TOPIC_NOUNS = """audit briefing budget call campaign contract course demo design dinner estimate exhibition festival
interview inspection launch lecture lesson meeting migration move order pilot plan project proposal rehearsal release
renovation report retreat review rollout schedule seminar session sprint survey tour training trial trip update visit
workshop""".split()
_TOPIC_WORDS = """annual autumn city customer field garden kitchen library market museum office partner quarterly safety
sales school spring staff summer supplier team website weekly winter yearly""".split()
_ITEM_NOUNS = """agenda badge book box brochure cable camera chart draft folder form invoice key ladder laptop letter list
manual map notes photo poster printout projector receipt sample sketch slides spreadsheet summary tent ticket""".split()
_ITEM_WORDS = "blue corrected final first green last missing new old printed red revised signed small spare".split()
_EVENTS = "audit conference delay flood holiday illness inspection move outage party repair storm strike wedding".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()
_ORDINALS = [f"{n}{'th' if 10 < n < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}" for n in range(1, 32)]
_PLACE_NOUNS = ["building", "office", "hall", "house", "centre", "café", "library", "studio"]
_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()


def split_of(word: str) -> str:
    """The one split that an open value may appear in: 8 of 10 in training, 1 each in development and held-out."""
    slot = zlib.crc32(word.lower().encode()) % 10
    return "heldout" if slot == 9 else "development" if slot == 8 else "train"


def _syllable_word(rng: random.Random) -> str:
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((1, 1, 2))))
    return word + rng.choice(_CODAS) + (rng.choice(("a", "o", "er", "en", "in", "us", "")) if len(word) < 4 else "")


def made_up(rng: random.Random, split: str) -> str:
    """A pronounceable lower-case word of 3 to 10 letters that belongs to ``split``."""
    while True:
        word = _syllable_word(rng)
        if split_of(word) == split and 3 <= len(word) <= 10:
            return word


def _name(rng: random.Random, split: str) -> str:
    if rng.random() < 0.3:
        name = rng.choice(_REAL_NAMES)
        if split_of(name) == split:
            return name
    return made_up(rng, split).capitalize()


def _topic(rng: random.Random, split: str) -> str:
    noun = rng.choice(_TOPIC_NOUNS)
    form = rng.random()
    if form < 0.1:
        return noun
    if form < 0.3:
        return f"{rng.choice(_TOPIC_WORDS)} {noun}"
    word = made_up(rng, split)
    return f"{word.capitalize() if form < 0.6 else word} {noun}"


def _item(rng: random.Random, split: str) -> str:
    noun = rng.choice(_ITEM_NOUNS)
    form = rng.random()
    if form < 0.4:
        return f"{rng.choice(_ITEM_WORDS)} {noun}"
    word = made_up(rng, split)
    return f"{word} {noun}" if form < 0.7 else f"{word.capitalize()} {noun}"


def _day(rng: random.Random, split: str) -> str:
    form = rng.random()
    if form < 0.4:
        return rng.choice(_WEEKDAYS)
    if form < 0.65:
        return f"{rng.randint(1, 28)} {rng.choice(_MONTHS)}"
    if form < 0.8:
        return f"{rng.choice(_MONTHS)} {rng.randint(1, 28)}"
    if form < 0.9:
        return f"the {rng.choice(_ORDINALS)}"
    return f"{rng.choice(_WEEKDAYS)} the {rng.choice(_ORDINALS)}"


def _time(rng: random.Random, split: str) -> str:
    form = rng.random()
    if form < 0.35:
        return f"{rng.randint(1, 12)} {rng.choice(('am', 'pm'))}"
    if form < 0.75:
        return f"{rng.randint(7, 21)}:{rng.choice(('00', '05', '10', '15', '20', '30', '40', '45', '50'))}"
    if form < 0.85:
        return f"half past {rng.choice(_HOURS)}"
    return f"{rng.choice(_HOURS)} o'clock"


def _amount(rng: random.Random, split: str) -> str:
    form = rng.random()
    number = str(rng.randint(2, 999))
    if form < 0.3:
        return f"${number}"
    if form < 0.5:
        return f"{number}.{rng.randint(10, 99)} euros"
    return f"{number} {rng.choice(('euros', 'dollars', 'pounds', 'francs'))}"


def _place(rng: random.Random, split: str) -> str:
    form = rng.random()
    if form < 0.4:
        return f"room {rng.randint(1, 499)}"
    return f"the {made_up(rng, split).capitalize()} {rng.choice(_PLACE_NOUNS)}"


def _code(rng: random.Random, split: str) -> str:
    letters = "".join(rng.choice("ABCDEFGHKLMNPQRSTUVWXZ") for _ in range(2))
    return rng.choice((f"{letters}-{rng.randint(10, 9999)}", str(rng.randint(1000, 99999))))


def _count(rng: random.Random, split: str) -> str:
    return f"{rng.randint(2, 60)} {rng.choice(('people', 'guests', 'colleagues', 'visitors'))}"


def _reason(rng: random.Random, split: str) -> str:
    event = rng.choice(_EVENTS)
    return f"the {made_up(rng, split)} {event}" if rng.random() < 0.7 else f"the {event}"


def _address(rng: random.Random, split: str) -> str:
    return f"{made_up(rng, split)}@{made_up(rng, split)}.example"


def _link(rng: random.Random, split: str) -> str:
    return f"{made_up(rng, split)}.example/{made_up(rng, split)}"


_DRAWS: dict[str, Callable[[random.Random, str], str]] = {
    "recipient": _name,
    "person": _name,
    "topic": _topic,
    "item": _item,
    "day": _day,
    "time": _time,
    "amount": _amount,
    "place": _place,
    "code": _code,
    "count": _count,
    "reason": _reason,
    "address": _address,
    "link": _link,
}
kinds = tuple(_DRAWS)


def draw(kind: str, rng: random.Random, split: str) -> str:
    """A value of a slot kind, as it would stand in a sentence."""
    return _DRAWS[kind](rng, split)
