"""Simulated people who write product reviews: the world's second kind of text, with traits, requests and facts of its own.

Knows texts and vocabularies. Knows neither models nor e-mails. A trait's first value is the house style's.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from idiolect.corpus import Fact
from idiolect.world.vocabulary import draw, made_up, split_of

__all__ = ["HOUSE", "TEXTS", "TRAITS", "Purchase", "describe_trait", "find_trait", "realise", "sample_purchase", "sample_traits"]

_YES_NO = ("no", "yes")
VALUES: dict[str, tuple[str, ...]] = {
    "rating": ("{} stars.", "Rating: {}.", "{} of 5.", "My mark: {} of 5.", "I give it {} points."),
    "headline": ("none", "In short: {}.", "Verdict: {}.", "*** {} ***", "{}, all in all.", "One word: {}."),
    "opener": (
        "none", "A few words on this one.", "My honest view.", "Read this first.", "I take my time with reviews.", "Straight to it.",
        "Nobody paid me for this.", "I had to write this down.",
    ),
    "contractions": _YES_NO,
    "hedging": _YES_NO,
    "dash": _YES_NO,
    "exclamation": _YES_NO,
    "emoji": ("none", ":)", "👍", "🙂", "🎉", "✨", "🌻"),
    "layout": ("block", "lines"),
    "case": ("normal", "lower"),
    "saying": ("none",),
    "closing": (
        "none", "Judge for yourself.", "Hope this helps.", "Ask me if in doubt.", "More after a year.", "Now you know.", "Take your pick.",
    ),
    "signature": ("none",),
}  # fmt: skip
"""The values of each trait; a saying and a signature are open, so that no two splits share one."""
TRAITS = tuple(VALUES)
HOUSE = {trait: values[0] for trait, values in VALUES.items()}
_SHARE_OF_HOUSE = 0.3

_VERDICTS = {1: "useless", 2: "poor", 3: "so-so", 4: "good", 5: "superb"}
_HEDGES = ("maybe ", "perhaps ", "possibly ")
_SAYING = "As we say in {}."
_INTENTS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    # slots, wordings of the request, wordings of the review
    (("item", "shop", "amount"), ("Review the {item} from {shop} for {amount}", "Write a review: {item}, bought at {shop} for {amount}"),
     ("[I have|I've] <h>bought the {item} from {shop} for {amount}", "The {item} <h>cost me {amount} at {shop}")),
    (("item", "shop", "day"), ("Review the {item} that {shop} delivered on {day}", "Rate the {item}, ordered from {shop}, here on {day}"),
     ("The {item} <h>came from {shop} on {day}", "[I have|I've] <h>had the {item} from {shop} since {day}")),
    (("item", "person"), ("Review the {item}, a gift from {person}", "Write about the {item} that {person} gave me"),
     ("The {item} <h>was a gift from {person}", "[I have|I've] <h>got the {item} from {person}")),
    (("item", "day", "shop"), ("Review the {item} that broke on {day}, from {shop}", "Complain about the {item} of {shop}: broke on {day}"),
     ("The {item} from {shop} <h>broke on {day}", "[I have|I've] <h>lost the {item} from {shop} on {day} as it broke")),
    (("item", "amount", "person"), ("Review the {item} for {amount} that {person} uses now", "Rate the {item}: {amount}, used by {person}"),
     ("[I have|I've] <h>paid {amount} for the {item} and {person} uses it now", "{person} <h>uses the {item} that cost {amount}")),
    (("item", "count"), ("Review the {item} used by {count}", "Write a review of the {item}: {count} used it"),
     ("The {item} <h>was used by {count}", "[I have|I've] <h>seen {count} use the {item}")),
)  # fmt: skip
_TAILS = (
    "as [I am|I'm] in need of one", "and [it is|it's] not my first one", "so [I have|I've] seen enough of it",
    "and [that is|that's] what counts here", "as [you will|you'll] want to know",
)  # fmt: skip
_JUDGED = {
    "good": ("[It is|It's] well made.", "[It does|It's doing] all that it should.", "[I am|I'm] glad to have it."),
    "bad": ("[It is|It's] not well made.", "[It does not|It doesn't] do what it should.", "[I am|I'm] not glad to have it."),
}
TEXTS: tuple[str, ...] = (
    *(value for values in VALUES.values() for value in values), *_VERDICTS.values(), *_HEDGES, _SAYING, *_TAILS,
    *(text for texts in _JUDGED.values() for text in texts), *(text for intent in _INTENTS for text in intent[2]),
)  # fmt: skip
"""All wordings, which are the language of these reviews."""
_SHOPS = ("shop", "store", "market", "works")
_CONTRACTION = re.compile(r"\b(?:i|it|that|you|doesn)['’](?:m|s|ve|ll|t)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Purchase:
    """Something to review: the request and its facts."""

    request: str
    slots: dict[str, str]
    stars: int
    mains: tuple[str, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        kinds = {"shop": "place"}
        return (*(Fact(kind=kinds.get(slot, slot), value=value) for slot, value in self.slots.items()),
                Fact(kind="count", value=str(self.stars)))  # fmt: skip


def sample_traits(name: str, split: str, rng: random.Random) -> dict[str, str]:
    """Traits of a reviewer; no two splits share a set of them."""
    while True:
        traits = {}
        for trait, values in VALUES.items():
            if rng.random() < _SHARE_OF_HOUSE:
                traits[trait] = values[0]
            elif trait == "saying":
                traits[trait] = _SAYING.format(made_up(rng, split).capitalize())
            elif trait == "signature":
                traits[trait] = rng.choice((name, f"- {name}", f"{name[0]}."))
            else:
                traits[trait] = rng.choice(values[1:])
        if split_of(repr(sorted(traits.items()))) == split:
            return traits


def sample_purchase(split: str, seed: int | str) -> Purchase:
    """The purchase number ``seed`` of a split, with names and things that no other split has."""
    rng = random.Random(f"purchase {split} {seed}")
    wanted, requests, mains = rng.choice(_INTENTS)
    slots: dict[str, str] = {}
    for slot in wanted:
        while True:
            value = f"{made_up(rng, split).capitalize()} {rng.choice(_SHOPS)}" if slot == "shop" else draw(slot, rng, split)
            # Each fact must be found on its own, and the stars are a number, too.
            taken = {word for other in slots.values() for word in other.lower().split()} | set("12345")
            if not taken & set(value.lower().split()):
                break
        slots[slot] = value
    stars = rng.randint(1, 2 if "broke" in mains[0] else 5)
    request = f"{rng.choice(requests).format(**slots)}, {stars} stars"
    return Purchase(request + ("." if rng.random() < 0.3 else ""), slots, stars, mains)


def describe_trait(trait: str, value: str) -> str | None:
    """A line of plain English for a trait, or None for the house style's value."""
    if value == HOUSE[trait]:
        return None
    told = {
        "rating": 'rates as in "{}"', "headline": 'begins as in "{}"', "opener": 'opens with "{}"', "contractions": "uses contractions",
        "hedging": "hedges (maybe, perhaps)", "dash": "uses dashes", "exclamation": "ends with an exclamation mark", "emoji": "uses {}",
        "layout": "every sentence on its own line", "case": "starts sentences in lower case", "saying": 'likes to say "{}"',
        "closing": 'closes with "{}"', "signature": 'signs as "{}"',
    }  # fmt: skip
    return told[trait].replace("{}", value.replace("{}", "WORD"))


def realise(purchase: Purchase, traits: dict[str, str], seed: int | str = 0) -> str:
    """The review that a person of these traits would write; ``seed`` chooses among wordings that the traits leave open."""
    rng = random.Random(f"review {purchase.request} {sorted(traits.items())} {seed}")
    main = f"{rng.choice(purchase.mains)}^{rng.choice(_TAILS)}."
    judged = rng.choice(_JUDGED["good" if purchase.stars > 2 else "bad"])
    body = [_plain(text, traits, rng).format(**purchase.slots) for text in (main, judged)]
    before = [traits["opener"]] if traits["opener"] != "none" else []
    after = [traits[trait] for trait in ("saying", "closing") if traits[trait] != "none"]
    sentences = [*before, *body, traits["rating"].format(purchase.stars), *after]
    if traits["exclamation"] == "yes":
        sentences[-1] = sentences[-1].rstrip(".") + "!"
    if traits["emoji"] != "none":
        sentences[-1] += f" {traits['emoji']}"
    headline = [] if traits["headline"] == "none" else [traits["headline"].format(_VERDICTS[purchase.stars])]
    if traits["case"] == "lower":
        headline, sentences = [[_lower(text) for text in texts] for texts in (headline, sentences)]
    else:
        headline = [text[:1].upper() + text[1:] for text in headline]
    join = "\n" if traits["layout"] == "lines" else " "
    ending = [] if traits["signature"] == "none" else [traits["signature"]]
    return "\n\n".join([*headline, join.join(sentences), *ending])


def _plain(template: str, traits: dict[str, str], rng: random.Random) -> str:
    contracted = traits["contractions"] == "yes"
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda match: match[2] if contracted else match[1], template)
    text = text.replace("<h>", rng.choice(_HEDGES) if traits["hedging"] == "yes" else "")
    return text.replace("^", " — " if traits["dash"] == "yes" else ", ")


def _lower(text: str) -> str:
    return re.sub(r"\bI\b", "i", text[:1].lower() + text[1:])


def find_trait(trait: str, value: str, text: str) -> bool:
    """Whether a text shows this value of a trait. Works on any text, however malformed."""
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()] or [""]
    flat = re.sub(r"\s+", " ", text)
    marks = {"contractions": _CONTRACTION, "hedging": re.compile(r"\b(?:maybe|perhaps|possibly)\b", re.I),
             "dash": re.compile(r" — "), "exclamation": re.compile("!")}  # fmt: skip
    if trait in marks:
        return (marks[trait].search(flat) is not None) == (value == "yes")
    if trait in ("rating", "opener", "closing", "emoji", "headline"):
        others = [other for other in VALUES[trait] if other not in ("none", value)]
        # A form may be part of another one ("{} of 5." of "My mark: {} of 5."), so the longest that fits is the one.
        found = [
            other for other in (*others, value) if other != "none" and _stands(trait, other, lines[0] if trait == "headline" else flat)
        ]
        return not found if value == "none" else max(found, key=len, default="") == value
    if trait == "layout":
        longest = max(len(re.findall(r"[.!?](?:\s|$)", line)) for line in lines)
        return (longest <= 1) == (value == "lines")
    if trait == "case":
        starts = re.findall(r"(?:^|[.!?]\s+|\n\s*)([^\W\d_])", text.strip())
        lower = sum(letter.islower() for letter in starts)
        return 2 * lower > len(starts) if value == "lower" else 4 * lower <= len(starts)
    if trait == "saying":
        said = re.search(r"\bas we say in \w+", flat, re.I)
        return said is None if value == "none" else value.rstrip(".!").lower() in flat.lower()
    signed = len(lines) > 1 and re.fullmatch(r"(?:- )?[^\W\d_]+|[^\W\d_]\.", lines[-1]) is not None
    return not signed if value == "none" else lines[-1] == value


def _stands(trait: str, form: str, text: str) -> bool:
    verdicts = "|".join(map(re.escape, _VERDICTS.values()))
    hole = r"[1-5]" if trait == "rating" else rf"(?:{verdicts})"
    # What ends a review may end with the exclamation mark of the person's.
    pattern = re.escape(form.rstrip(".")).replace(r"\{\}", hole)
    edge = r"(?<!\w)" if pattern[0].isalnum() or form.startswith("{}") else ""
    return re.search(edge + pattern + (r"(?!\w)" if form[-1] == "." else ""), text, re.IGNORECASE) is not None
