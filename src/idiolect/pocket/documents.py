"""What the pocket model learns from: conversations about the simulated world, with a weight for each character.

Knows the world and the prompt texts. Knows nothing of the network. The caller names the split.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from idiolect.pocket.tokenizer import END
from idiolect.prompts import render
from idiolect.world import HOUSE_AUTHOR, RELATIONS, Author, Situation, describe, realise, sample_author, sample_situation
from idiolect.world.habits import odd_habits
from idiolect.world.intents import INTENTS
from idiolect.world.registers import relation_of
from idiolect.world.vocabulary import draw, kinds

__all__ = ["SKILLS", "Turn", "document", "encode"]

_FACT_WEIGHT = 3.0
_ODD = 0.5
"""Share of authors whose e-mails have odd habits in them. They are read and never learnt: a model that has only seen clean e-mails
forgets how to copy as soon as fine-tuning puts an unknown sign into its text."""
_MOST_CHARACTERS = 4600
"""Of a few-shot document, which then has less than 1,900 tokens: the model's context has room for no more and an answer."""
_SEED_TOPIC = {intent.name: intent.seed_topic for intent in INTENTS}


@dataclass(frozen=True)
class Turn:
    """A message; ``learnt`` ones carry loss, more of it on the characters of ``facts``, none on those of ``odd`` words and signs."""

    role: str
    text: str
    learnt: bool = False
    facts: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


def _seed(rng: random.Random) -> int:
    return rng.getrandbits(48)


def _author(rng: random.Random, split: str) -> Author:
    return _odd(sample_author(split, _seed(rng), habits=False), rng)


def _odd(author: Author, rng: random.Random) -> Author:
    return author.model_copy(update={"habits": odd_habits(rng)}) if rng.random() < _ODD else author


def _exchange(situation: Situation, author: Author, rng: random.Random, *, learnt: bool) -> list[Turn]:
    """A request and its e-mail. The author's own words count as facts too: they must be copied from elsewhere.

    So do the lines that this recipient changes: nothing near by tells them.
    """
    facts = tuple(fact.value for fact in situation.facts)
    meant = author.towards(situation.request)
    seed = _seed(rng)
    text = realise(situation, author, seed)
    usual = realise(situation, author.model_copy(update={"registers": {}}), seed).splitlines()
    changed = tuple(line for line in text.splitlines() if line not in usual)
    odd = tuple(form for kind, forms in author.habits.items() for form in (forms.split() if kind == "spelling" else [forms]))
    return [Turn("user", situation.request), Turn("assistant", text, learnt, facts + _own(meant) + changed, odd)]


def _own(author: Author) -> tuple[str, ...]:
    return tuple(author.traits[trait] for trait in ("catchphrase", "signature") if author.traits[trait] != "none")


def _situation(rng: random.Random, split: str, *, replies: bool = True, relation: str | None = None) -> Situation:
    return sample_situation(split, _seed(rng), replies=replies, relation=relation)


def _house(rng: random.Random, split: str) -> list[Turn]:
    return _exchange(_situation(rng, split), _odd(HOUSE_AUTHOR, rng), rng, learnt=True)


def _style(author: Author, rng: random.Random) -> Turn:
    lines = describe(author, rng)
    if rng.random() < 0.5:
        rng.shuffle(lines)
    return Turn("system", render("style", traits=lines))


def _described(rng: random.Random, split: str) -> list[Turn]:
    author = _author(rng, split)
    return [_style(author, rng), *_exchange(_situation(rng, split), author, rng, learnt=True)]


def _register(rng: random.Random, split: str) -> list[Turn]:
    """A described author who writes otherwise to some recipients, and most often to one of these."""
    while not (author := _author(rng, split)).registers:
        pass
    relation = rng.choice([*author.registers, *author.registers, *RELATIONS, ""])
    return [_style(author, rng), *_exchange(_situation(rng, split, relation=relation), author, rng, learnt=True)]


def _few_shot(rng: random.Random, split: str) -> list[Turn]:
    """Up to six exchanges of one author, the last one learnt.

    Without a description the first one cannot be known, so it is not learnt; nor is the first one in any other register.
    """
    while True:
        author = _author(rng, split)
        told = rng.random() < 0.25
        turns = [_style(author, rng)] if told else []
        # One relation comes often, so that its register can be learnt from examples.
        often = rng.choice([None, *RELATIONS])
        seen: set[str | None] = set()
        for _ in range(rng.choice((2, 3, 4, 4, 5, 6))):
            situation = _situation(rng, split, relation=often if rng.random() < 0.5 else None)
            found = relation_of(situation.request)
            register = found if found in author.registers else None
            exchange = _exchange(situation, author, rng, learnt=told or register in seen)
            if sum(len(turn.text) for turn in (*turns, *exchange)) > _MOST_CHARACTERS:
                break
            turns += exchange
            seen.add(register)
        while turns and not turns[-1].learnt and turns[-1].role == "assistant":
            turns = turns[:-2]
        if sum(turn.role == "assistant" for turn in turns) > 1:
            return turns


def _describe(rng: random.Random, split: str) -> list[Turn]:
    """E-mails do not tell to whom they go, so registers are left out."""
    author = _author(rng, split).model_copy(update={"registers": {}})
    emails = [realise(_situation(rng, split), author, _seed(rng)) for _ in range(rng.choice((1, 2, 2, 3, 4)))]
    return [
        Turn("user", render("describe", emails=emails)),
        Turn("assistant", "\n".join(f"- {line}" for line in describe(author)), True, _own(author)),
    ]


def _back_generate(rng: random.Random, split: str) -> list[Turn]:
    """The e-mail does not tell who the recipient is to the author, so the request does not either."""
    situation, author = _situation(rng, split, replies=False, relation=""), _author(rng, split) if rng.random() < 0.8 else HOUSE_AUTHOR
    facts = tuple(fact.value for fact in situation.facts)
    return [
        Turn("user", render("backgenerate", email=realise(situation, author, _seed(rng)))),
        Turn("assistant", situation.request, True, facts),
    ]


def _propose(rng: random.Random, split: str) -> list[Turn]:
    situation = _situation(rng, split, replies=False)
    return [Turn("user", render("propose", topic=_SEED_TOPIC[situation.intent])), Turn("assistant", situation.request, True)]


def _copy(rng: random.Random, split: str) -> list[Turn]:
    """Values to repeat in another order: nothing but copying helps, so copying is what is learnt."""
    chosen = rng.sample(kinds, rng.randint(2, 6))
    values = {kind: draw(kind, rng, split) for kind in chosen}
    asked = rng.sample(chosen, len(chosen))
    given = "\n".join(f"{kind}: {values[kind]}" for kind in chosen)
    told = "\n".join(f"- {kind}: {values[kind]}" for kind in asked)
    return [Turn("user", given), Turn("assistant", told, True)]


SKILLS: dict[str, tuple[Callable[[random.Random, str], list[Turn]], float, float]] = {
    "house": (_house, 0.16, 0.10),
    "described": (_described, 0.20, 0.12),
    "register": (_register, 0.20, 0.18),
    "few_shot": (_few_shot, 0.20, 0.10),
    "describe": (_describe, 0.05, 0.08),
    "back_generate": (_back_generate, 0.08, 0.18),
    "propose": (_propose, 0.03, 0.20),
    "copy": (_copy, 0.08, 0.04),
}
"""Each skill's maker, its share of the documents after the copy warm-up, and its share in the last part of the training.

Proposing requests has few tokens to learn from and none to copy, and so has the request behind an e-mail; they come
last and often.
"""


def document(rng: random.Random, split: str, skill: str | None = None, *, late: bool = False) -> list[Turn]:
    """One conversation, of a skill drawn by the (late) shares or of the one named."""
    if skill is None:
        skill = rng.choices(list(SKILLS), [last if late else share for _, share, last in SKILLS.values()])[0]
    return SKILLS[skill][0](rng, split)


def _weights(turn: Turn, offsets: Sequence[tuple[int, int]]) -> list[float]:
    """A weight for each token, which stands for the characters between its ``offsets``."""
    weight = [1.0] * (len(turn.text) + 1)
    for value, places in ((_FACT_WEIGHT, map(re.escape, turn.facts)), (0.0, map(_form, turn.odd))):
        for place in places:
            for match in re.finditer(place, turn.text):
                weight[match.start() : match.end()] = [value] * (match.end() - match.start())
    return [_weight(weight[low:high]) for low, high in offsets]


def _form(odd: str) -> str:
    """An odd word counts as a whole one only, odd signs wherever they stand."""
    return rf"\b{re.escape(odd)}\b" if odd.isalpha() else re.escape(odd)


def _weight(characters: Sequence[float]) -> float:
    """A token that has anything odd in it is not learnt, one that has a part of a fact is learnt as a fact."""
    return 0.0 if 0.0 in characters else max(characters, default=1.0)


def encode(turns: Sequence[Turn], tokenizer: Tokenizer) -> tuple[list[int], list[float]]:
    """Token ids of the ChatML conversation and each token's loss weight (0 where it is not learnt)."""
    ids: list[int] = []
    weights: list[float] = []
    for index, turn in enumerate(turns):
        head = ("\n" if index else "") + f"<|im_start|>{turn.role}\n"
        head_ids = tokenizer.encode(head, add_special_tokens=False).ids
        body = tokenizer.encode(turn.text + END, add_special_tokens=False)
        ids += head_ids + body.ids
        weights += [0.0] * len(head_ids)
        weights += _weights(turn, body.offsets) if turn.learnt else [0.0] * len(body.ids)
    return ids, weights
