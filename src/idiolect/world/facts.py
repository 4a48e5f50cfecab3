"""Facts in simulated drafts: which of a request's are kept, and which words stand in neither the request nor the language.

Knows the world's own lexicon, which is why it can call any other word invented. Knows nothing of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from idiolect.corpus import Fact
from idiolect.world import intents, replies, reviews, traits

__all__ = ["facts_invented", "facts_kept", "placeholders"]

_WORD = re.compile(r"[^\W_]+(?:[.:/@'’-][^\W_]+)*")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]{2,40}\]|<[A-Za-z][A-Za-z _-]{1,30}>|\{\{?\w[^{}\n]{0,30}\}\}?|\bX{3,}\b|\bNAME\b")


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


@cache
def _lexicon() -> frozenset[str]:
    """Every word that the templates and traits themselves use."""
    texts: list[str] = [*intents.LONG_FILLERS, *traits.HEDGES]
    for group in (*intents.TAILS.values(), *intents.FOLLOW_UPS.values()):
        texts += group
    for intent in (*intents.INTENTS, *(reply.intent for reply in replies.REPLIES)):
        texts += [*intent.mains, intent.lead, *intent.slots]
    for extra in intents.EXTRAS:
        texts += [extra.sentence, extra.label]
    texts += [*traits.GREETINGS, *traits.SIGN_OFFS, *traits.OPENERS, *traits.CLOSINGS, *traits.PS_LINES, *traits.EMOJI]
    texts += [*reviews.TEXTS, *traits.PHRASE_WORDS, "until name for number find me"]
    plain = " ".join(texts).replace("<h>", " ").replace("^", " ").replace("[", " ").replace("]", " ").replace("|", " ")
    return frozenset(_words(re.sub(r"{\w*}", " ", plain)))


def facts_kept(facts: Sequence[Fact], text: str) -> list[bool]:
    """For each fact, whether its value stands in the text as a whole, whatever the case."""
    flat = re.sub(r"\s+", " ", text).lower()
    return [re.search(rf"(?<![^\W_]){re.escape(fact.value.lower())}(?![^\W_])", flat) is not None for fact in facts]


def facts_invented(request: str, text: str, allowed: Iterable[str] = ()) -> list[str]:
    """The draft's words that stand neither in the request, nor in the allowed texts, nor in the world's own language.

    In the simulated world every such word is a name, topic, number or the like that nobody gave, or a garbled one.
    """
    known = set(_lexicon()) | set(_words(request))
    for extra in allowed:
        known |= set(_words(extra))
    parts = {part for word in known for part in re.split(r"\W", word)}
    return [word for word in _words(text) if word not in known and any(part not in parts for part in re.split(r"\W", word))]


def placeholders(text: str) -> list[str]:
    """Unfilled slots such as ``[Your Name]`` or ``{date}``."""
    return _PLACEHOLDER.findall(text)
