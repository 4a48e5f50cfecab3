"""A person's own text with one habit broken, or one fact lost or invented: the worse half of a pair whose truth is known.

Knows plain texts and the forms of facts. Knows nothing of models or of who judges.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from idiolect.corpus import Fact
from idiolect.judge.seen import parted, runs, sentences
from idiolect.tasks import request_facts

__all__ = ["FACTS", "Perturbed", "padded", "perturb"]

FACTS = "facts"
"""The feature that a lost or an invented fact concerns, beside those of ``seen.FEATURES``."""
_GREETINGS = ("Hello {},", "Hi {},", "Hey {},", "Dear {},", "Good morning {},", "{},", "Hi {}!", "Dear all,", "")
_SIGN_OFFS = ("Regards,", "Best,", "Cheers,", "Thanks,", "Kind regards,", "Best wishes,", "Sincerely,", "See you,", "")
_EMOJI = ("🙂", "👍", "😊", "🎉", ":)", "😄", "🙏", "✨")
_PADDING = (
    "I hope this message finds you well.", "Please do not hesitate to contact me.", "Thank you for your understanding.",
    "I wanted to reach out about this.", "Let me know if anything is unclear.", "I look forward to hearing from you.",
)  # fmt: skip
_INVENTED = (
    "We can also meet on {day}.", "It will take until {time}.", "That makes {amount} in all.", "{person} will come too.",
    "I told {person} about it.",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "3 March", "21 June")
_TIMES = ("9 am", "10:30", "2 pm", "4:45 pm", "noon")
_LONG = {"I am": "I'm", "it is": "it's", "do not": "don't", "we will": "we'll", "I will": "I'll", "cannot": "can't", "is not": "isn't"}
_SHORT = {short: long for long, short in _LONG.items()}


@dataclass(frozen=True)
class Perturbed:
    """The worse text, and which feature of it was broken."""

    text: str
    feature: str


def perturb(
    text: str,
    request: str,
    rng: random.Random,
    *,
    others: Sequence[str] = (),
    habits: Sequence[str] = (),
    marks: frozenset[str] = frozenset(),
) -> Perturbed | None:
    """The text with one change of a kind drawn at random; None where no kind changes it.

    ``others`` are other requests of the person, whose facts stand in for the request's own; ``habits`` sentences that recur, ``marks``
    words and signs that only the person writes (``seen.distinctive``).
    """
    kinds = list(_KINDS)
    rng.shuffle(kinds)
    for feature, change in kinds:
        changed = change(text, _Known(request, list(others), list(habits), marks), rng)
        if changed.strip() and changed != text:
            return Perturbed(changed, feature)
    return None


@dataclass(frozen=True)
class _Known:
    request: str
    others: list[str]
    habits: list[str]
    marks: frozenset[str] = frozenset()


def _greeting(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    if not parts.greeting:
        return text
    name = re.search(r"\s(?P<name>\S[^,!:]*)[,!:]?$", parts.greeting)
    forms = [form for form in _GREETINGS if name or "{}" not in form]
    parts.greeting = rng.choice(forms).format(name["name"] if name else "")
    return parts.joined()


def _sign_off(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    if not parts.ending:
        return text
    _, line, rest = parts.ending.partition("\n")
    parts.ending = f"{rng.choice(_SIGN_OFFS)}{line}{rest}".strip()
    return parts.joined()


def _signature(text: str, known: _Known, rng: random.Random) -> str:
    """The ending without what follows its first line: a name, a postscript."""
    parts = parted(text)
    parts.ending = parts.ending.split("\n")[0]
    return parts.joined()


def _marks(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    changes: list[Callable[[str], str]] = [
        lambda body: body.replace("!", "."),
        lambda body: re.sub(r"\.(?=\s|$)", "!", body, count=rng.randint(1, 3)),
        lambda body: re.sub(r"(?<=\S) [—–-] (?=\w)", ", ", body),
        lambda body: body.replace(", ", " — ", 1),
    ]
    parts.body = rng.choice(changes)(parts.body)
    return parts.joined()


def _emoji(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    bare = re.sub(r"\s*(?:[\U0001F300-\U0001FAFF\u2600-\u27BF]|(?<!\w)[:;]-?[)D])", "", parts.body)
    parts.body = f"{bare} {rng.choice(_EMOJI)}" if bare == parts.body or rng.random() < 0.3 else bare
    return parts.joined()


def _case(text: str, known: _Known, rng: random.Random) -> str:
    starts = re.compile(r"(^|[.!?]\s+|\n\s*)([a-zà-þ])")
    raised = re.sub(r"\bi\b", "I", starts.sub(lambda found: found[1] + found[2].upper(), text))
    if raised != text and raised[:1] != text[:1]:
        return raised
    lowered = re.sub(r"(^|[.!?]\s+|\n\s*)([A-ZÀ-Þ])(?=[a-zà-þ' ])", lambda found: found[1] + found[2].lower(), text)
    return re.sub(r"\bI\b", "i", lowered)


def _contractions(text: str, known: _Known, rng: random.Random) -> str:
    table = _SHORT if any(re.search(rf"\b{short}\b", text, re.IGNORECASE) for short in _SHORT) else _LONG
    for one, other in table.items():
        text = re.sub(
            rf"\b{one}\b", lambda found, other=other: other if found[0][0].isupper() else other[0].lower() + other[1:], text, flags=re.I
        )
    return text


def _habit(text: str, known: _Known, rng: random.Random) -> str:
    """Without one of the sentences that recur in the person's texts."""
    there = [habit for habit in known.habits if habit in text]
    if not there:
        return text
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"\n{3,}", "\n\n", text.replace(rng.choice(there), "", 1)))


def _mark(text: str, known: _Known, rng: random.Random) -> str:
    """Without one run of the words and signs that only the person writes."""
    found = runs(text, known.marks)
    if not found:
        return text
    start, end = rng.choice(found)
    return re.sub(r"[ \t]{2,}", " ", re.sub(r" +(?=\n|$)", "", text[:start] + text[end:])).strip()


def _layout(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    joined = re.sub(r"\s*\n\s*(?:[-*•]\s+)?", " ", parts.body)
    if joined == parts.body:
        joined = rng.choice(("\n", "\n\n")).join(sentences(parts.body))
    parts.body = joined
    return parts.joined()


def padded(text: str, rng: random.Random) -> str:
    """The text with one or two sentences more that say nothing."""
    parts = parted(text)
    padding = rng.sample(_PADDING, rng.randint(1, 2))
    parts.body = " ".join([padding[0], parts.body, *padding[1:]])
    return parts.joined()


def _length(text: str, known: _Known, rng: random.Random) -> str:
    return padded(text, rng)


def _lost(text: str, known: _Known, rng: random.Random) -> str:
    """A fact of the request taken out of the text, or another request's in its place."""
    own = [fact for fact in request_facts(known.request) if fact.value in text]
    if not own:
        return text
    fact = rng.choice(own)
    values = [other.value for request in known.others for other in request_facts(request) if _may_replace(fact, other)]
    return text.replace(fact.value, rng.choice(values) if values and rng.random() < 0.7 else "").replace("  ", " ")


def _may_replace(fact: Fact, other: Fact) -> bool:
    return other.kind == fact.kind and other.value != fact.value


def _invented(text: str, known: _Known, rng: random.Random) -> str:
    parts = parted(text)
    names = [fact.value for request in known.others for fact in request_facts(request) if fact.kind in ("recipient", "person", "name")]
    amount = f"{rng.randint(2, 90) * 5} euros"
    sentence = rng.choice(_INVENTED).format(
        day=rng.choice(_DAYS), time=rng.choice(_TIMES), amount=amount, person=rng.choice(names or ["Alex", "Robin", "Sam"])
    )
    parts.body = f"{parts.body} {sentence}"
    return parts.joined()


_KINDS: tuple[tuple[str, Callable[[str, _Known, random.Random], str]], ...] = (
    ("greeting", _greeting), ("sign-off", _sign_off), ("sign-off", _signature), ("punctuation", _marks), ("punctuation", _emoji),
    ("wording", _case), ("wording", _contractions), ("wording", _habit), ("wording", _mark), ("wording", _mark), ("layout", _layout),
    ("length", _length), (FACTS, _lost), (FACTS, _invented),
)  # fmt: skip
"""A kind that stands twice is drawn twice as often."""
