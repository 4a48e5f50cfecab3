"""Simulated situations and the e-mails (or reviews, ``reviews``) that simulated people would write about them.

The world with known truth: an author's traits and a request's facts are given, so that every measure can be checked
against them. Knows authors, intents and vocabularies. Knows nothing of models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from idiolect.corpus import Demonstration, Fact
from idiolect.prompts import render
from idiolect.world import reviews
from idiolect.world.authors import Author, sample_author
from idiolect.world.habits import with_habits
from idiolect.world.intents import EXTRAS, FOLLOW_UPS, INTENTS, LONG_FILLERS, TAILS, Extra, Intent
from idiolect.world.registers import RELATIONS
from idiolect.world.replies import INSTRUCTIONS, REPLIES
from idiolect.world.traits import HEDGES
from idiolect.world.vocabulary import draw

__all__ = ["Situation", "demonstrations", "realise", "sample_situation"]

_INTENTS = {intent.name: intent for intent in (*INTENTS, *(reply.intent for reply in REPLIES))}
_EXTRAS = {extra.slot: extra for extra in EXTRAS}
_SHARE_OF_REPLIES = 0.2
_SHARE_OF_RELATIONS = 0.35
_SHARE_OF_THREADS = 0.25
_SHARE_OF_INSTRUCTIONS = 0.2


class Situation(BaseModel):
    """Something to write about: the request, its facts, and how it came about."""

    model_config = ConfigDict(frozen=True)
    intent: str
    request: str
    """All that a writer is asked; for a reply with the quoted e-mail, as ``service.reply_request`` gives it."""
    slots: dict[str, str]
    extra: str | None
    extra_value: str | None
    quoted: str = ""
    """The e-mail that is answered."""
    instruction: str = ""
    """The line of it that would make a reader do something else."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        kinds = {"day2": "day"}
        found = [Fact(kind=kinds.get(slot, slot), value=value) for slot, value in self.slots.items()]
        if self.extra and self.extra_value:
            found.append(Fact(kind=self.extra, value=self.extra_value))
        return tuple(found)


def sample_situation(split: str, seed: int | str, *, replies: bool = True, relation: str | None = None) -> Situation:
    """The situation number ``seed`` of a split, with names and topics that no other split has.

    About one in five is a reply, if ``replies``. About one in three names the recipient's ``relation`` to the author; where one is
    given, all name it, and with "" none does.
    """
    rng = random.Random(f"situation {split} {seed}")
    if relation is None and rng.random() < _SHARE_OF_RELATIONS:
        relation = rng.choice(list(RELATIONS))
    phrase = f"{rng.choice(RELATIONS[relation])} " if relation else ""
    if rng.random() < _SHARE_OF_REPLIES and replies:
        return _reply(split, rng, phrase)
    return _situation(rng.choice(INTENTS), {"recipient": draw("recipient", rng, split)}, split, rng, phrase=phrase)


def _situation(
    intent: Intent, slots: dict[str, str], split: str, rng: random.Random, *, phrase: str = "", taken: Iterable[str] = ()
) -> Situation:
    """A situation where some slots are filled already; the other values share no word with those nor with the ``taken`` ones."""
    slots = dict(slots)
    for slot in intent.slots:
        if slot not in slots:
            slots[slot] = _unlike((*taken, *slots.values()), slot, split, rng)
    request = _fill(rng.choice(intent.requests), slots | {"recipient": phrase + slots["recipient"]})
    extra, value = None, None
    if rng.random() < 0.45:
        extra = rng.choice([extra for extra in EXTRAS if extra.slot not in intent.slots and intent.mood in extra.moods])
        value = _unlike((*taken, *slots.values()), extra.slot, split, rng)
        request += " " + _fill(extra.request, {extra.slot: value})
    if rng.random() < 0.3:
        request += "."
    return Situation(intent=intent.name, request=request, slots=slots, extra=extra.slot if extra else None, extra_value=value)


def _unlike(taken: Iterable[str], slot: str, split: str, rng: random.Random) -> str:
    """A value that shares no word with others, so that each fact can be found on its own."""
    words = {word for other in taken for word in other.lower().split()} - {"the", "of"}
    while True:
        value = draw("day" if slot == "day2" else slot, rng, split)
        if not words & set(value.lower().split()):
            return value


def _reply(split: str, rng: random.Random, phrase: str) -> Situation:
    """An answer to a correspondent's e-mail; the person who answers goes by a made-up name in it."""
    reply = rng.choice(REPLIES)
    correspondent = draw("recipient", rng, split)
    own = _unlike([correspondent], "recipient", split, rng)
    first = _situation(_INTENTS[rng.choice(reply.answers)], {"recipient": own}, split, rng, taken=[correspondent])
    quoted = realise(first, _briefly(correspondent, split, rng), rng.getrandbits(32))
    told = [correspondent, *(fact.value for fact in first.facts)]
    instruction = ""
    if rng.random() < _SHARE_OF_INSTRUCTIONS:
        instruction = re.sub(
            r"{(\w+)}", lambda match: told.append(_unlike(told, match[1], split, rng)) or told[-1], rng.choice(INSTRUCTIONS[split])
        )
        paragraphs = quoted.split("\n\n")
        paragraphs.insert(rng.randint(1, len(paragraphs)), instruction)
        quoted = "\n\n".join(paragraphs)
    if rng.random() < _SHARE_OF_THREADS:
        older = _situation(rng.choice(INTENTS), {"recipient": correspondent}, split, rng, taken=told)
        told += [fact.value for fact in older.facts]
        lines = realise(older, _briefly(own, split, rng), rng.getrandbits(32)).split("\n")
        quoted += "\n\n" + "\n".join([f"{own} wrote:", *(f"> {line}".rstrip() for line in lines)])
    slots = {"recipient": correspondent, **{slot: first.slots[slot] for slot in reply.quoted}}
    made = _situation(reply.intent, slots, split, rng, phrase=phrase, taken=told)
    request = render("reply", request=made.request, lines=[line.rstrip() for line in quoted.splitlines()])
    return made.model_copy(update={"request": request, "quoted": quoted, "instruction": instruction})


def _briefly(name: str, split: str, rng: random.Random) -> Author:
    """Somebody of this name who writes short e-mails and signs them."""
    author = sample_author(split, rng.getrandbits(32), habits=False)
    return Author(name=name, traits=author.traits | {"signature": name, "length": "short", "bullets": "no"})


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
    author = author.towards(situation.request)
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


def demonstrations(author: Author, split: str, count: int, seed: int = 0, *, replies: bool = True) -> list[Demonstration]:
    """``count`` texts of an author with their requests and facts, each about a situation of its own."""
    rows = []
    for index in range(count):
        if author.genre == "review":
            situation = reviews.sample_purchase(split, f"{author.name} {seed} {index}")
            output = reviews.realise(situation, author.traits, seed)
        else:
            situation = sample_situation(split, f"{author.name} {seed} {index}", replies=replies)
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
