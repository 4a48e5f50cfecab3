"""Simulated people: their traits, registers and habits, their description, and how to see them in a text.

Knows what texts look like. Knows nothing of intents, facts or models.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.errors import InputError
from idiolect.workspace import read_json, write_json
from idiolect.world import reviews
from idiolect.world.habits import HABITS, find_habit, sample_habits, without_habits
from idiolect.world.registers import REGISTER_TRAITS, RELATIONS, describe_registers, relation_of, sample_registers
from idiolect.world.traits import HOUSE, TRAITS, describe_trait, find_trait, sample_traits
from idiolect.world.vocabulary import draw

__all__ = ["HOUSE_AUTHOR", "Author", "Genre", "describe", "habits_found", "parts_found", "sample_author", "traits_found"]

Genre = Literal["email", "review"]
"""What a simulated person writes."""


class Author(BaseModel):
    """A simulated person: a name, a value for each style trait of what the person writes, registers and habits."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    traits: dict[str, str]
    habits: dict[str, str] = {}
    registers: dict[str, dict[str, str]] = {}
    """Relation of a recipient to the author → the traits that differ towards such a one."""
    genre: Genre = "email"

    @property
    def own_words(self) -> tuple[str, ...]:
        """What the author may write without its being a fact that nobody gave."""
        changed = (value for traits in self.registers.values() for value in traits.values())
        return (self.name, *self.traits.values(), *changed, *self.habits.values())

    def towards(self, request: str) -> Author:
        """The author as the recipient of this request meets him or her; without registers."""
        if not self.registers:
            return self
        changed = self.registers.get(relation_of(request) or "", {})
        return self.model_copy(update={"traits": self.traits | changed, "registers": {}})

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(exclude_defaults=True))

    @classmethod
    def load(cls, path: Path) -> Author:
        try:
            author = cls.model_validate(read_json(path))
        except ValidationError as error:
            raise InputError(f"is not an author: {error.errors()[0]['msg']}", where=str(path), hint="Delete it or make it anew") from error
        unknown = set(author.traits) ^ set(reviews.TRAITS if author.genre == "review" else TRAITS)
        if unknown:
            raise InputError(f"unknown or missing traits {sorted(unknown)}", where=f"{path}, field traits")
        if not set(author.habits) <= set(HABITS):
            raise InputError(f"unknown habits {sorted(set(author.habits) - set(HABITS))}", where=f"{path}, field habits")
        changed = {trait for traits in author.registers.values() for trait in traits}
        known = not author.registers or author.genre == "email"
        if not (known and set(author.registers) <= set(RELATIONS) and changed <= set(REGISTER_TRAITS)):
            raise InputError("unknown relations or traits in them", where=f"{path}, field registers")
        return author


HOUSE_AUTHOR = Author(name="nobody", traits=dict(HOUSE))


def sample_author(split: str, seed: int, genre: Genre = "email", *, habits: bool = True) -> Author:
    """The author number ``seed`` of a split; sets of traits are disjoint between splits.

    Without ``habits`` the author is one that the pocket model can be told of completely; reviewers have none.
    """
    rng = random.Random(f"author {split} {seed}")
    name = draw("recipient", rng, split)
    if genre == "review":
        return Author(name=name, traits=reviews.sample_traits(name, split, rng), genre=genre)
    traits = sample_traits(name, split, rng)
    return Author(
        name=name,
        traits=traits,
        habits=sample_habits(split, random.Random(f"habits {split} {seed}")) if habits else {},
        registers=sample_registers(traits, random.Random(f"registers {split} {seed}")),
    )


def describe(author: Author, wording: int | random.Random = 0) -> list[str]:
    """The author's traits and registers as lines of plain English; the house style's go without saying, and habits can't be told."""
    if author.genre == "review":
        return [line for trait, value in author.traits.items() if (line := reviews.describe_trait(trait, value))]
    lines = []
    for trait in TRAITS:
        line = describe_trait(trait, author.traits[trait], wording.randrange(2) if isinstance(wording, random.Random) else wording)
        if line:
            lines.append(line)
    return lines + describe_registers(author.registers, wording)


def traits_found(author: Author, text: str, request: str = "") -> dict[str, bool]:
    """For each trait, whether the text shows the author's value, whatever habits it shows beside.

    With the ``request`` that the text answers, the value is the one that holds towards its recipient.
    """
    author = author.towards(request)
    find = reviews.find_trait if author.genre == "review" else find_trait
    plain = without_habits(text, author.habits)
    return {trait: find(trait, value, plain) for trait, value in author.traits.items()}


def habits_found(author: Author, text: str, request: str = "") -> dict[str, bool]:
    """For each of the author's habits, whether the text shows it."""
    return {kind: find_habit(kind, form, text) for kind, form in author.habits.items()}


def parts_found(author: Author, text: str, request: str = "") -> dict[str, bool]:
    """Traits and habits together. The share of True is the draft's style."""
    return traits_found(author, text, request) | habits_found(author, text, request)
