"""Simulated people: who they are, what they write about, and the e-mails (or reviews, ``reviews``) that they would write.

The world with known truth: an author's traits and a request's facts are given, so that every measure can be checked
against them. Knows traits, intents and vocabularies. Knows nothing of models.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.corpus import Demonstration, Fact
from idiolect.errors import InputError
from idiolect.workspace import read_json, write_json
from idiolect.world import reviews
from idiolect.world.habits import HABITS, find_habit, sample_habits, with_habits, without_habits
from idiolect.world.intents import EXTRAS, FOLLOW_UPS, INTENTS, LONG_FILLERS, TAILS, Extra, Intent
from idiolect.world.traits import HEDGES, HOUSE, TRAITS, describe_trait, find_trait, sample_traits
from idiolect.world.vocabulary import draw

__all__ = [
    "HOUSE_AUTHOR",
    "Author",
    "Situation",
    "demonstrations",
    "describe",
    "habits_found",
    "parts_found",
    "realise",
    "sample_author",
    "sample_situation",
    "traits_found",
]

_INTENTS = {intent.name: intent for intent in INTENTS}
_EXTRAS = {extra.slot: extra for extra in EXTRAS}


Genre = Literal["email", "review"]
"""What a simulated person writes."""


class Author(BaseModel):
    """A simulated person: a name, a value for each style trait of what the person writes, and habits."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    traits: dict[str, str]
    habits: dict[str, str] = {}
    genre: Genre = "email"

    @property
    def own_words(self) -> tuple[str, ...]:
        """What the author may write without its being a fact that nobody gave."""
        return (self.name, *self.traits.values(), *self.habits.values())

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
        return author


HOUSE_AUTHOR = Author(name="nobody", traits=dict(HOUSE))


class Situation(BaseModel):
    """Something to write about: the request, its facts, and how it came about."""

    model_config = ConfigDict(frozen=True)
    intent: str
    request: str
    slots: dict[str, str]
    extra: str | None
    extra_value: str | None

    @property
    def facts(self) -> tuple[Fact, ...]:
        kinds = {"day2": "day"}
        found = [Fact(kind=kinds.get(slot, slot), value=value) for slot, value in self.slots.items()]
        if self.extra and self.extra_value:
            found.append(Fact(kind=self.extra, value=self.extra_value))
        return tuple(found)


def sample_author(split: str, seed: int, genre: Genre = "email", *, habits: bool = True) -> Author:
    """The author number ``seed`` of a split; sets of traits are disjoint between splits.

    Without ``habits`` the author is one that the pocket model can be told of completely; reviewers have none.
    """
    rng = random.Random(f"author {split} {seed}")
    name = draw("recipient", rng, split)
    if genre == "review":
        return Author(name=name, traits=reviews.sample_traits(name, split, rng), genre=genre)
    traits = sample_traits(name, split, rng)
    return Author(name=name, traits=traits, habits=sample_habits(split, random.Random(f"habits {split} {seed}")) if habits else {})


def sample_situation(split: str, seed: int | str) -> Situation:
    """The situation number ``seed`` of a split, with names and topics that no other split has."""
    rng = random.Random(f"situation {split} {seed}")
    intent = rng.choice(INTENTS)
    slots = {"recipient": draw("recipient", rng, split)}
    for slot in intent.slots:
        slots[slot] = _unlike(draw("day" if slot == "day2" else slot, rng, split), slots, slot, rng, split)
    request = _fill(rng.choice(intent.requests), slots)
    extra, value = None, None
    if rng.random() < 0.45:
        extra = rng.choice([extra for extra in EXTRAS if extra.slot not in intent.slots])
        value = _unlike(draw(extra.slot, rng, split), slots, extra.slot, rng, split)
        request += " " + _fill(extra.request, {extra.slot: value})
    if rng.random() < 0.3:
        request += "."
    return Situation(intent=intent.name, request=request, slots=slots, extra=extra.slot if extra else None, extra_value=value)


def _unlike(value: str, slots: dict[str, str], slot: str, rng: random.Random, split: str) -> str:
    """A value none of whose words another slot has, so that each fact can be found on its own."""
    taken = {word for other in slots.values() for word in other.lower().split()} - {"the", "of"}
    while taken & set(value.lower().split()):
        value = draw("day" if slot == "day2" else slot, rng, split)
    return value


def describe(author: Author, wording: int | random.Random = 0) -> list[str]:
    """The author's traits as lines of plain English; the house style's go without saying, and habits can't be told."""
    if author.genre == "review":
        return [line for trait, value in author.traits.items() if (line := reviews.describe_trait(trait, value))]
    lines = []
    for trait in TRAITS:
        line = describe_trait(trait, author.traits[trait], wording.randrange(2) if isinstance(wording, random.Random) else wording)
        if line:
            lines.append(line)
    return lines


def traits_found(author: Author, text: str) -> dict[str, bool]:
    """For each trait, whether the text shows the author's value, whatever habits it shows beside."""
    find = reviews.find_trait if author.genre == "review" else find_trait
    plain = without_habits(text, author.habits)
    return {trait: find(trait, value, plain) for trait, value in author.traits.items()}


def habits_found(author: Author, text: str) -> dict[str, bool]:
    """For each of the author's habits, whether the text shows it."""
    return {kind: find_habit(kind, form, text) for kind, form in author.habits.items()}


def parts_found(author: Author, text: str) -> dict[str, bool]:
    """Traits and habits together. The share of True is the draft's style."""
    return traits_found(author, text) | habits_found(author, text)


def _fill(template: str, slots: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: slots[match[1]], template)


def _sentence(template: str, author: Author, slots: dict[str, str], rng: random.Random) -> str:
    """One sentence in the author's grammar: contractions, hedges and dashes filled in."""
    contracted = author.traits["contractions"] == "yes"
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda match: match[2] if contracted else match[1], template)
    text = text.replace("<h>", rng.choice(HEDGES) if author.traits["hedging"] == "yes" else "")
    text = text.replace("^", " — " if author.traits["dash"] == "yes" else ", ")
    return _fill(text, slots)


def _hedged(sentences: list[str], author: Author, rng: random.Random) -> None:
    """A hedge where the wording left no place for one, so that the trait shows in every e-mail."""
    if author.traits["hedging"] == "yes" and not any(hedge.strip() in sentence for sentence in sentences for hedge in HEDGES):
        last = sentences[-1]
        sentences[-1] = f"{last[:-1]}, {rng.choice(HEDGES).strip()}{last[-1]}"


def _core(situation: Situation, author: Author, rng: random.Random) -> tuple[list[str], list[str]]:
    """The sentences that carry the facts, and the bullet points."""
    intent = _INTENTS[situation.intent]
    bullets_wanted = author.traits["bullets"] == "yes"
    main = intent.lead if bullets_wanted else rng.choice(intent.mains)
    tail = rng.choice(TAILS[intent.mood])
    first = _sentence(f"{main}^{tail}", author, situation.slots, rng)
    first += "?" if main.startswith(("Could", "Can", "Would", "Shall")) else "."
    sentences, bullets = [first], []
    extra = _EXTRAS[situation.extra] if situation.extra else None
    if bullets_wanted:
        bullets = _bullets(intent, situation, extra)
    elif extra and situation.extra_value:
        sentences.append(_fill(extra.sentence, {extra.slot: situation.extra_value}) + ".")
    sentences.append(_sentence(rng.choice(FOLLOW_UPS[intent.mood]), author, {}, rng))
    _hedged(sentences, author, rng)
    return sentences, bullets


def _bullets(intent: Intent, situation: Situation, extra: Extra | None) -> list[str]:
    labels = {"day2": "until", "person": "name"}
    told = set(re.findall(r"{(\w+)}", intent.lead))
    lines = [f"- {labels.get(slot, slot)}: {situation.slots[slot]}" for slot in intent.slots if slot not in told]
    if extra and situation.extra_value:
        lines.append(f"- {extra.label}: {situation.extra_value}")
    return lines or [f"- for: {situation.slots['recipient']}"]


def _lower(text: str) -> str:
    return re.sub(r"\bI\b", "i", text[:1].lower() + text[1:])


def realise(situation: Situation, author: Author, seed: int | str = 0) -> str:
    """The e-mail that the author would write; ``seed`` chooses among wordings that the traits leave open."""
    rng = random.Random(f"realise {situation.request} {author.name} {seed}")
    traits = author.traits
    sentences, bullets = _core(situation, author, rng)
    fillers = rng.sample(LONG_FILLERS, 2) if traits["length"] == "long" else []
    before = [traits["opener"]] if traits["opener"] != "none" else []
    after = [*fillers, *(traits[trait] for trait in ("catchphrase", "closing") if traits[trait] != "none")]
    after = [line if line[-1] in ".!?" else f"{line}." for line in after]
    if not bullets:
        before, after = [*before, *sentences, *after], []
    else:
        before, after = [*before, sentences[0]], [*sentences[1:], *after]
    last = after if after else before
    if traits["exclamation"] == "yes":
        last[-1] = last[-1].rstrip(".?!") + "!"
    if traits["emoji"] != "none":
        last[-1] += f" {traits['emoji']}"
    lower = traits["case"] == "lower"
    join = {"block": " ", "spaced": "\n\n", "lines": "\n"}[traits["paragraphs"]]
    blocks = [join.join(_lower(line) if lower else line for line in part) for part in (before, after)]
    if bullets:
        blocks.insert(1, "\n".join(bullets))
    greeting, sign_off = traits["greeting"].format(situation.slots["recipient"]), traits["sign_off"]
    ending = [_lower(sign_off) if lower else sign_off] + ([traits["signature"]] if traits["signature"] != "none" else [])
    parts = [_lower(greeting) if lower else greeting, *(block for block in blocks if block), "\n".join(ending)]
    text = "\n\n".join(parts + ([traits["ps"]] if traits["ps"] != "none" else []))
    return with_habits(text, author.habits, situation.slots["recipient"], ending[0])


def demonstrations(author: Author, split: str, count: int, seed: int = 0) -> list[Demonstration]:
    """``count`` texts of an author with their requests and facts, each about a situation of its own."""
    rows = []
    for index in range(count):
        if author.genre == "review":
            situation = reviews.sample_purchase(split, f"{author.name} {seed} {index}")
            output = reviews.realise(situation, author.traits, seed)
        else:
            situation = sample_situation(split, f"{author.name} {seed} {index}")
            output = realise(situation, author, seed)
        rows.append(
            Demonstration(
                id=f"{seed}-{index}",
                thread=f"{seed}-{index}",
                input=situation.request,
                output=output,
                source="simulated",
                facts=situation.facts,
            )
        )
    return rows
