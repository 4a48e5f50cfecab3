"""Registers: how a person's style changes with who the recipient is to the person, and how a request tells.

Knows traits and the phrases that name a relation. Knows nothing of intents, facts or models.
"""

from __future__ import annotations

import random
import re

from idiolect.world.traits import HOUSE, VALUES, describe_trait

__all__ = ["REGISTER_TRAITS", "RELATIONS", "describe_registers", "relation_of", "sample_registers"]

RELATIONS: dict[str, tuple[str, ...]] = {
    "boss": ("my boss", "my manager"),
    "friend": ("my friend", "my old friend"),
    "stranger": ("a stranger called", "a new contact called"),
}
"""What stands before the recipient's name in a request."""
REGISTER_TRAITS = ("greeting", "opener", "closing", "exclamation", "emoji", "sign_off")
"""What may change, in the order of the e-mail."""
_SHARE = 0.5
_SHARE_OF_HOUSE = 0.25
_TOLD = {"boss": "to the boss", "friend": "to a friend", "stranger": "to a stranger"}
_PHRASES = {phrase: relation for relation, phrases in RELATIONS.items() for phrase in phrases}
_FOUND = re.compile(rf"(?<!\w)({'|'.join(sorted(_PHRASES, key=len, reverse=True))}) (?=\w)")


def relation_of(request: str) -> str | None:
    """Who the recipient is, as the request's own part says; what a quoted e-mail says does not count."""
    found = _FOUND.search(request.partition("\n> ")[0])
    return _PHRASES[found[1]] if found else None


def sample_registers(traits: dict[str, str], rng: random.Random) -> dict[str, dict[str, str]]:
    """For about half of the relations, other values for one to three traits."""
    registers = {}
    for relation in RELATIONS:
        if rng.random() < _SHARE:
            changed = sorted(rng.sample(REGISTER_TRAITS, rng.randint(1, 3)), key=REGISTER_TRAITS.index)
            registers[relation] = {trait: _other(trait, traits[trait], rng) for trait in changed}
    return registers


def _other(trait: str, base: str, rng: random.Random) -> str:
    if base != HOUSE[trait] and rng.random() < _SHARE_OF_HOUSE:
        return HOUSE[trait]
    return rng.choice([value for value in VALUES[trait] if value != base])


def describe_registers(registers: dict[str, dict[str, str]], wording: int | random.Random = 0) -> list[str]:
    """One line for each trait that changes; a change to the house style's value is told as well."""
    lines = []
    for relation, changed in registers.items():
        for trait, value in changed.items():
            chosen = wording.randrange(2) if isinstance(wording, random.Random) else wording
            lines.append(f"{_TOLD[relation]}: {describe_trait(trait, value, chosen, house=True)}")
    return lines
