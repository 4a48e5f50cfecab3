"""The style traits of simulated people: their values, their words in a description, and how to see them in a text.

Knows text. Knows nothing of intents, facts or models. A trait's first value is the house style's: what a model writes
that knows nothing of the author.
"""

from __future__ import annotations

import random
import re

from idiolect.world.vocabulary import split_of

__all__ = ["HOUSE", "TRAITS", "VALUES", "describe_trait", "find_trait", "sample_traits"]

GREETINGS = (
    "Hello {},",
    "Hi {},",
    "Hey {},",
    "Dear {},",
    "Good day {},",
    "Hiya {},",
    "Hi there {},",
    "Greetings {},",
    "Hey hey {},",
    "My dear {},",
)
SIGN_OFFS = (
    "Regards,",
    "Best,",
    "Cheers,",
    "Thanks,",
    "Kind regards,",
    "Warmly,",
    "Take care,",
    "All the best,",
    "Yours,",
    "Talk soon,",
    "Many thanks,",
    "Bye for now,",
    "Until then,",
    "With love,",
    "Ciao,",
    "Best wishes,",
)
EMOJI = (
    "none",
    ":)",
    ";)",
    ":D",
    "🙂",
    "👍",
    "😊",
    "🎉",
    "✨",
    "🙏",
    "😄",
    "🌻",
)
OPENERS = (
    "none",
    "Hope all is well.",
    "Just a quick note.",
    "How are things?",
    "Long time no see.",
    "A short one today.",
    "Hope the week treats you well.",
    "Greetings from my desk.",
    "Straight to the point.",
    "Lovely weather today.",
    "Sorry to bother you.",
    "It was nice to see you.",
)
CLOSINGS = (
    "none",
    "Please let me know.",
    "Shout if not.",
    "Just call me.",
    "Looking forward to it.",
    "Thanks in advance.",
    "Any questions, just ask.",
    "Does that work for you?",
    "Write back when you can.",
    "No need to reply.",
    "Drop me a line.",
    "Tell me what you think.",
)
PS_LINES = (
    "none",
    "PS: Say hello to the family.",
    "PS: The coffee is on me.",
    "PS: Nice photo, by the way.",
    "PS: Do not forget to rest.",
    "PS: Bring an umbrella.",
    "PS: The cake was great.",
    "PS: My phone is off at night.",
    "PS: Read the paper today.",
    "PS: Water the plants.",
    "PS: I owe you one.",
    "PS: Sunny days ahead.",
)
_PHRASE_FIRST = (
    "Steady Easy Bright Slow Small Happy Brave Calm Clear Fresh Golden Honest Kind Lucky Merry Quiet Simple Sweet Wild Wise".split()
)
_PHRASE_SECOND = "days steps roads hands winds waves hearts minds words songs lights seas trains clouds stars".split()
_PHRASE_ENDS = ("ahead", "always", "again", "as ever", "to all", "for all", "at last", "my friend", "for sure", "all round")

HEDGES = ("maybe ", "perhaps ", "possibly ")
YES_NO = ("no", "yes")
HOUSE: dict[str, str] = {
    "greeting": GREETINGS[0],
    "opener": "none",
    "contractions": "no",
    "hedging": "no",
    "dash": "no",
    "bullets": "no",
    "length": "short",
    "catchphrase": "none",
    "closing": "none",
    "exclamation": "no",
    "emoji": "none",
    "paragraphs": "block",
    "case": "normal",
    "sign_off": SIGN_OFFS[0],
    "signature": "none",
    "ps": "none",
}
TRAITS = tuple(HOUSE)

VALUES: dict[str, tuple[str, ...]] = {
    "greeting": GREETINGS,
    "opener": OPENERS,
    "contractions": YES_NO,
    "hedging": YES_NO,
    "dash": YES_NO,
    "bullets": YES_NO,
    "length": ("short", "long"),
    "closing": CLOSINGS,
    "exclamation": YES_NO,
    "emoji": EMOJI,
    "paragraphs": ("block", "spaced", "lines"),
    "case": ("normal", "lower"),
    "sign_off": SIGN_OFFS,
    "ps": PS_LINES,
}
_SHARE_OF_HOUSE = 0.4
_YES_WORDS = {
    "contractions": ("uses contractions", "contracts words (I'm, it's)"),
    "hedging": ("hedges (maybe, perhaps)", "sounds unsure: maybe, perhaps"),
    "dash": ("uses dashes", "joins clauses with a dash"),
    "bullets": ("lists details as bullet points", "bullet points for the details"),
    "exclamation": ("ends with an exclamation mark", "closes the body with an exclamation mark"),
}
_NO_WORDS = {
    "opener": ("no opening phrase", "starts without an opening phrase"),
    "closing": ("no closing phrase", "ends without a closing phrase"),
    "exclamation": ("no exclamation mark", "never an exclamation mark"),
    "emoji": ("no emoji", "never an emoji"),
}
"""How the house style's values are told where a register changes to them."""
_WORDS = {
    "long": ("long and chatty", "writes at length"),
    "spaced": ("a blank line after every sentence", "every sentence is a paragraph"),
    "lines": ("every sentence on its own line", "a new line after every sentence"),
    "lower": ("starts sentences in lower case", "no capitals at the start of sentences"),
}


def _catchphrase(rng: random.Random, split: str) -> str:
    while True:
        phrase = f"{rng.choice(_PHRASE_FIRST)} {rng.choice(_PHRASE_SECOND)} {rng.choice(_PHRASE_ENDS)}"
        if split_of(phrase) == split:
            return phrase


def sample_traits(name: str, split: str, rng: random.Random) -> dict[str, str]:
    """A set of traits for an author called ``name``; about two in five are the house style's."""
    while True:
        traits = {}
        for trait, house in HOUSE.items():
            if rng.random() < _SHARE_OF_HOUSE:
                traits[trait] = house
            elif trait == "catchphrase":
                traits[trait] = _catchphrase(rng, split)
            elif trait == "signature":
                traits[trait] = rng.choice((name, f"{name[0]}.", f"- {name}"))
            else:
                traits[trait] = rng.choice(VALUES[trait][1:])
        if split_of(repr(sorted(traits.items()))) == split:
            return traits


def describe_trait(trait: str, value: str, wording: int = 0, *, house: bool = False) -> str | None:
    """A line of plain English for a trait, or None for the house style's value, which goes without saying unless ``house``."""
    if value == HOUSE[trait] and not house:
        return None
    if value == HOUSE[trait] and trait in _NO_WORDS:
        return _NO_WORDS[trait][wording % 2]
    if trait in _YES_WORDS:
        return _YES_WORDS[trait][wording % 2]
    if value in _WORDS:
        return _WORDS[value][wording % 2]
    forms = {
        "greeting": ('greets with "{}"', 'begins "{}"'),
        "opener": ('first says "{}"', 'opens with "{}"'),
        "catchphrase": ('likes to say "{}"', 'catchphrase "{}"'),
        "closing": ('last says "{}"', 'closes with "{}"'),
        "emoji": ("uses {}", "puts a {} at the end"),
        "sign_off": ('signs off "{}"', 'sign-off "{}"'),
        "signature": ('signs as "{}"', 'signature "{}"'),
        "ps": ('adds "{}"', 'always adds "{}"'),
    }
    return forms[trait][wording % 2].format(value.replace("{}", "NAME"))


# --- seeing the traits in a text ---------------------------------------------------------------------------------

_CONTRACTION = re.compile(r"\b(?:I|it|we|you|that|don|can|i)['’](?:m|s|re|ve|ll|d|t)\b", re.IGNORECASE)
_HEDGE = re.compile(r"\b(?:maybe|perhaps|possibly)\b", re.IGNORECASE)
_BULLET = re.compile(r"^\s*[-*•] ", re.MULTILINE)
_DASH = re.compile(r"\w ?— ?\w|\w – \w|\w -- \w")
_LONG_WORDS = 54


def _same(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".!?").lower()


def _sign_off_line(lines: list[str]) -> int:
    """Index of the line that signs off, or the number of lines where none does."""
    known = {_same(value) for value in SIGN_OFFS}
    for index in range(len(lines) - 1, 0, -1):
        if _same(lines[index]) in known or (re.fullmatch(r"[A-Za-z ]{3,20},", lines[index]) and index > len(lines) // 2):
            return index
    return len(lines)


def _parts(text: str) -> tuple[str, str, list[str]]:
    """Greeting line, body (paragraphs kept), and the lines from the sign-off on."""
    lines = [line.rstrip() for line in text.strip().split("\n")]
    end = _sign_off_line(lines)
    return lines[0], "\n".join(lines[1:end]).strip(), [line for line in lines[end:] if line.strip()]


def _sentences(text: str) -> list[str]:
    for emoji in EMOJI[1:]:
        text = text.replace(emoji, "")
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if re.search(r"\w", part)]


def _without_bullets(body: str) -> str:
    return "\n".join(line for line in body.split("\n") if not _BULLET.match(line))


def _finds_paragraphs(body: str, value: str) -> bool:
    plain = _without_bullets(body)
    paragraphs = [part for part in re.split(r"\n\s*\n", plain) if part.strip()]
    lines = [line for line in plain.split("\n") if line.strip()]
    if value == "block":
        return len(lines) <= (2 if plain != body else 1)
    one_each = all(len(_sentences(line)) == 1 for line in lines)
    return one_each and len(lines) > 1 and (len(paragraphs) > 1 if value == "spaced" else len(paragraphs) < len(lines))


def _finds_case(text: str, body: str, value: str) -> bool:
    starts = [match for match in (re.search(r"[^\W\d_]", part) for part in [text, *_sentences(_without_bullets(body))]) if match]
    lower = sum(match.group().islower() for match in starts)
    return lower * 2 > len(starts) if value == "lower" else lower * 4 <= len(starts)


def find_trait(trait: str, value: str, text: str) -> bool:
    """Whether a text shows this value of a trait. Works on any text, however malformed."""
    first, body, ending = _parts(text)
    if trait == "greeting":
        before, after = (re.escape(_same(part)) for part in value.split("{}"))
        return re.fullmatch(rf"{before} [\w.'’-]+{after or ',?'}[,!]?", _same(first).rstrip()) is not None
    if trait in ("opener", "closing", "catchphrase"):
        if value != "none":
            return _same(value) in _same(body)
        known = {"opener": OPENERS, "closing": CLOSINGS}.get(trait)
        said = [_same(part) for part in _sentences(body)]
        if known:
            return not any(_same(other) in said for other in known[1:])
        return not any(_is_phrase(part) for part in said)
    if trait in ("contractions", "hedging", "dash", "bullets", "exclamation"):
        pattern = {"contractions": _CONTRACTION, "hedging": _HEDGE, "dash": _DASH, "bullets": _BULLET, "exclamation": re.compile("!")}[
            trait
        ]
        return (pattern.search(body) is not None) == (value == "yes")
    if trait == "emoji":
        if value != "none":
            return value in text
        return not any(emoji in text for emoji in EMOJI[1:]) and not re.search(r"[\U0001F300-\U0001FAFF✨]", text)
    if trait == "length":
        return (len(body.split()) >= _LONG_WORDS) == (value == "long")
    if trait == "paragraphs":
        return _finds_paragraphs(body, value)
    if trait == "case":
        return _finds_case(first, body, value)
    if trait == "ps":
        found = [line for line in text.split("\n") if re.match(r"p\.?\s?s\b", line.strip(), re.IGNORECASE)]
        return not found if value == "none" else any(_same(line) == _same(value) for line in found)
    if trait == "sign_off":
        return bool(ending) and _same(ending[0]) == _same(value)
    after = [line.strip() for line in ending[1:] if not re.match(r"p\.?\s?s\b", line.strip(), re.IGNORECASE)]
    return not after if value == "none" else after[:1] == [value]


def _is_phrase(sentence: str) -> bool:
    words = sentence.split()
    firsts, seconds = {word.lower() for word in _PHRASE_FIRST}, set(_PHRASE_SECOND)
    return len(words) >= 3 and words[0] in firsts and words[1] in seconds


PHRASE_WORDS = (*_PHRASE_FIRST, *_PHRASE_SECOND, *_PHRASE_ENDS)
"""The words that catchphrases are made of."""
