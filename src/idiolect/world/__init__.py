"""The simulated world: correspondents whose style traits, and requests whose facts, are known."""

from idiolect.corpus import Fact
from idiolect.world.authors import HOUSE_AUTHOR, Author, describe, habits_found, parts_found, sample_author, traits_found
from idiolect.world.facts import facts_invented, facts_kept, placeholders
from idiolect.world.intents import TOPICS
from idiolect.world.registers import RELATIONS
from idiolect.world.simulate import Situation, demonstrations, realise, sample_situation
from idiolect.world.traits import TRAITS

__all__ = [
    "HOUSE_AUTHOR",
    "RELATIONS",
    "TOPICS",
    "TRAITS",
    "Author",
    "Fact",
    "Situation",
    "demonstrations",
    "describe",
    "facts_invented",
    "facts_kept",
    "habits_found",
    "parts_found",
    "placeholders",
    "realise",
    "sample_author",
    "sample_situation",
    "traits_found",
]
