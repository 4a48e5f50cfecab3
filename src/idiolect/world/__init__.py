"""The simulated world: correspondents whose style traits, and requests whose facts, are known."""

from idiolect.corpus import Fact
from idiolect.world.facts import facts_invented, facts_kept, placeholders
from idiolect.world.intents import TOPICS
from idiolect.world.simulate import (
    HOUSE_AUTHOR,
    Author,
    Situation,
    demonstrations,
    describe,
    realise,
    sample_author,
    sample_situation,
    traits_found,
)
from idiolect.world.traits import TRAITS

__all__ = [
    "HOUSE_AUTHOR",
    "TOPICS",
    "TRAITS",
    "Author",
    "Fact",
    "Situation",
    "demonstrations",
    "describe",
    "facts_invented",
    "facts_kept",
    "placeholders",
    "realise",
    "sample_author",
    "sample_situation",
    "traits_found",
]
