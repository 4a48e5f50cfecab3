"""The facts that any request states, found by their form alone, and whether a text keeps them.

Knows English forms of names, days, times, amounts and the like. Knows nothing of the simulated world or of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from idiolect.corpus import Fact

__all__ = ["missing_facts", "placeholders", "request_facts"]

_DAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_MONTH = (
    "January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
)
_HOUR = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_CURRENCY = r"[$€£¥]|USD|EUR|GBP|CHF"
_UNIT = rf"(?:{_CURRENCY}|dollars?|euros?|pounds?|francs?|percent|%)"

# In order: an earlier form takes its characters away from the later ones.
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("link", re.compile(r"\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)]|\b[a-z0-9][\w-]*(?:\.[a-z][\w-]+)+/[^\s<>\"]*[^\s<>\".,;:!?)]")),
    ("address", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\w")),
    ("quote", re.compile(r"“([^”\n]{1,120})”|\"([^\"\n]{1,120})\"|(?<!\w)‘([^’\n]{2,120})’(?!\w)|(?<!\w)'([^'\n]{2,120})'(?!\w)")),
    ("day", re.compile(rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}(?:[./]\d{{2,4}})?\b(?!\s*(?:{_UNIT}))")),
    ("day", re.compile(rf"\b(?:{_MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?\b|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTH})\b")),
    ("day", re.compile(r"\b(?:the )?\d{1,2}(?:st|nd|rd|th)\b")),
    (
        "time",
        re.compile(
            r"\b\d{1,2}(?:[:.]\d\d)? ?(?:[ap]\.m\.|[ap]m\b)|\b\d{1,2}:\d\d\b|\b\d{1,2} o['’]clock\b|\bnoon\b|\bmidnight\b", re.IGNORECASE
        ),
    ),
    (
        "time",
        re.compile(rf"\b(?:half past |quarter (?:past|to) )(?:{_HOUR})\b|\b(?:{_HOUR}) (?:thirty|fifteen|o['’]clock)\b", re.IGNORECASE),
    ),
    ("amount", re.compile(rf"(?:{_CURRENCY})\s?\d[\d.,]*\d|(?:{_CURRENCY})\s?\d|\b\d[\d.,]*\s?{_UNIT}(?!\w)")),
    ("code", re.compile(r"#\w[\w-]*|\b(?=[\w/-]*\d)(?=[\w/-]*[A-Za-z])[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*\b")),
    ("day", re.compile(rf"\b(?:{_DAY})s?\b|\b(?:today|tomorrow|tonight)\b", re.IGNORECASE)),
    ("day", re.compile(rf"\b(?:{_MONTH})\b")),
    ("count", re.compile(r"\b\d[\d.,]*\d\b|\b\d\b")),
)
_NAME = re.compile(r"(?<![\w'’.@-])[A-Z][\w'’]*(?:-[A-Z]\w*)*(?: [A-Z][\w'’]*(?:-[A-Z]\w*)*)*")
_STARTS_SENTENCE = re.compile(r"(?:^|[.!?:;\n])[\s\"“'‘(*-]*$")
# Words whose capital says nothing.
_NOT_NAMES = re.compile(r"I(?:['’](?:m|ll|ve|d))?|OK|Ok|P\.?S|ASAP|FYI|R[Ee]|Fwd|FW|Mrs?|Ms|Dr|TBD|ETA|PDF|CEO|HR|IT|EU|UK|USA?")
_PLACEHOLDER = re.compile(r"\[[A-Za-z][^\[\]\n]{1,40}\]|<[A-Za-z][A-Za-z _-]{1,30}>|\{\{?\w[^{}\n]{0,30}\}\}?|\bX{3,}\b|_{3,}")


def request_facts(text: str) -> tuple[Fact, ...]:
    """What the text states: quoted strings, links, addresses, days, times, amounts, codes, counts and capitalised names.

    A capital at a sentence's start says nothing, so such a word counts only where it also stands inside a sentence.
    """
    found: list[tuple[int, Fact]] = []
    left = text
    for kind, form in _FORMS:
        for match in form.finditer(left):
            value = next((group for group in match.groups() if group), match[0])
            found.append((match.start(), Fact(kind=kind, value=value.strip())))
        left = form.sub(lambda match: " " * len(match[0]), left)
    found += _names(left)
    ordered = sorted(found, key=lambda pair: pair[0])
    return tuple(dict.fromkeys(fact for _, fact in ordered))


def _names(text: str) -> Iterable[tuple[int, Fact]]:
    for match in _NAME.finditer(text):
        words, start = match[0].split(" "), match.start()
        if _STARTS_SENTENCE.search(text[:start]):
            start += len(words[0]) + 1
            words = words[1:]
        while words and _NOT_NAMES.fullmatch(words[0]):
            start += len(words[0]) + 1
            words = words[1:]
        words = [re.sub(r"['’]s?$", "", word) for word in words if not _NOT_NAMES.fullmatch(word)]
        if words:
            yield start, Fact(kind="person", value=" ".join(words))


def _flat(text: str) -> str:
    flat = re.sub(r"\s+", " ", text).lower().replace("’", "'")
    flat = re.sub(r"(\d) ?([ap])\.?m\b\.?", r"\1\2m", flat)
    flat = re.sub(r"\b(\d{1,2})[:.]00([ap]m)", r"\1\2", flat)
    flat = re.sub(r"(\d)(?:st|nd|rd|th)\b", r"\1", flat)
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", flat)


def _stands(value: str, flat: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", flat) is not None


def missing_facts(facts: Sequence[Fact], text: str) -> list[Fact]:
    """The facts that the text lacks, whatever the case and the spelling of "3 pm", "3rd" and "1,200".

    Of a name of several words one is enough, as a greeting takes only the first.
    """
    flat = _flat(text)
    return [fact for fact in facts if not any(_stands(value, flat) for value in _spellings(fact))]


def _spellings(fact: Fact) -> list[str]:
    value = _flat(fact.value).strip()
    if fact.kind in ("person", "recipient"):
        return [value, *(word for word in value.split(" ") if len(word) > 1)]
    return [value]


def placeholders(text: str) -> list[str]:
    """Unfilled slots such as ``[Your Name]``, ``<date>``, ``{{topic}}`` or ``XXX``."""
    return _PLACEHOLDER.findall(text)
