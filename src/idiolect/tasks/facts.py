"""The facts that any request states, found by their form alone, and whether a text keeps them.

Knows English forms of names, days, times, amounts and the like. Knows nothing of the simulated world or of models.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache

from idiolect.corpus import Fact
from idiolect.tasks.values import CURRENCY, HOURS, MONTHS, NUMBER_WORDS, WEEKDAYS, Reading, agree, amounts, days, numbers, times

__all__ = ["FORMULAS", "asked_facts", "missing_facts", "request_facts"]

_DAY = "|".join([*WEEKDAYS, "mon", "tues?", "wed", "thu(?:rs?)?", "fri", "sat", "sun"])
_DAY_SHORT = r"Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun"
_DAY_LONG = "|".join(WEEKDAYS)
_MONTH = "|".join([*(month.capitalize() for month in MONTHS), *"Jan Feb Mar Apr Jun Jul Aug Sept Sep Oct Nov Dec".split()])
_HOUR = "|".join(HOURS)
_TH = r"(?:st|nd|rd|th)"
_MONEY = rf"(?:{CURRENCY})"
_UNIT = r"(?:mins?|minutes?|h|hrs?|hours?|km|kg|cm|mm|m|x)"
_SCALE = r"(?:k|m|bn|thousand|million|billion)"
_YEAR = r"(?:,? (?:19|20)\d\d)?"

_COUNTED = (
    r"people|persons|guests|colleagues|visitors|attendees|participants|adults|children|kids|seats|tickets|copies|rooms|pages|boxes|"
    r"minutes|hours|days|nights|weeks|months|years"
)
_TOP_LEVEL = "com|org|net|io|edu|gov|dev|app|info|biz|co|ai|eu|uk|de|fr|ch|at|it|es|nl|us|ca|au|example"


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# In order: an earlier form takes its characters away from the later ones.
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("link", re.compile(r"\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]]|\b[a-z0-9][\w-]*(?:\.[a-z][\w-]+)+/[^\s<>\"]*[^\s<>\".,;:!?)\]]")),
    ("address", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\w")),
    ("link", re.compile(rf"\b[a-z0-9][\w-]*(?:\.[a-z0-9][\w-]*)*\.(?:{_TOP_LEVEL})\b(?![\w@])")),
    ("quote", re.compile(r"“([^”\n]{1,120})”|\"([^\"\n]{1,120})\"|(?<!\w)‘([^’\n]{2,120})’(?!\w)|(?<!\w)'([^'\n]{2,120})'(?!\w)")),
    # Turns of speech, which state nothing: they have no kind.
    ("", _any_case(
        r"\b24/7\b|<3(?!\d)|\b50/50\b|\b1(?:00|10)\s?% (?=agree|sure|certain|fine|ok|behind|on board)|\b1:1s?\b|\b1-on-1\b|\b[34]-?D\b"
    )),
    ("day", _any_case(
        rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}/\d{{1,2}}(?:/\d{{2,4}})?\b(?!\s?{_MONEY})"
        rf"|\b\d{{1,2}}\.\d{{1,2}}\.(?:\d{{2,4}}\b|(?=\s?[a-z(,]))"
    )),
    ("phone", re.compile(r"(?<![\w/@.,-])(?:\+|\(\+?)?\d(?:[ ().\-/]{0,2}\d){6,14}(?![\w@]|[.,]\d)|\b\d{3,}-\d{2,}(?:-\d+)*\b")),
    ("time", _any_case(r"\b\d{1,2}(?:[:.]\d\d)? ?(?:-|–|to|and|until) ?\d{1,2}(?:[:.]\d\d)? ?(?:[ap]\.m\.|[ap]m\b)")),
    ("day", _any_case(
        rf"\b(?:{_MONTH})\.? \d{{1,2}}{_TH}?(?: ?(?:-|–|to|and) ?\d{{1,2}}{_TH}?(?!\w|:| (?:of )?(?:{_MONTH})))?\b{_YEAR}"
        rf"|\b\d{{1,2}}{_TH}?(?: ?(?:-|–|to|and) ?\d{{1,2}}{_TH}?)?(?: of)? (?:{_MONTH})\b{_YEAR}"
    )),
    ("day", re.compile(rf"\b(?:the )?\d{{1,2}}{_TH}\b")),
    ("time", _any_case(r"\b\d{1,2}(?:[:.]\d\d)? ?(?:[ap]\.m\.|[ap]m\b)|\b\d{1,2}:\d\d\b|\b\d{1,2} o['’]clock\b|\b\d{1,2}h(?:\d\d)\b")),
    ("time", _any_case(r"\bnoon\b|\bmidday\b|\bmidnight\b")),
    ("time", _any_case(
        rf"\b(?:half|(?:a )?quarter|five|ten|twenty|twenty-five|\d{{1,2}}) (?:past|to) (?:{_HOUR}|\d{{1,2}})\b(?!:)"
        rf"|\b(?:{_HOUR}) (?:thirty|fifteen|forty-five|o['’]clock)\b"
    )),
    ("amount", _any_case(
        rf"(?<!\w){_MONEY}\s?\d(?:[\d.,]*\d)?(?:\s?{_SCALE})?(?![\w%])|(?<![\w.,])\d(?:[\d.,]*\d)?\s?{_SCALE}?\s?{_MONEY}(?!\w)"
        rf"|\b{NUMBER_WORDS} (?:{_MONEY})(?!\w)"
    )),
    ("count", _any_case(rf"(?<![\w.,])\d+(?:[.,]\d+)?(?=-?{_UNIT}\b)")),
    ("count", _any_case(rf"\b(?!one\b)(?:{NUMBER_WORDS})(?= (?:{_COUNTED})\b)")),
    ("code", re.compile(r"#\w[\w-]*|\b(?=[\w/-]*\d)(?=[\w/-]*[A-Za-z])[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*\b")),
    ("day", _any_case(rf"\b(?:{_DAY_LONG})s?\b|\b(?:today|tomorrow|tonight)\b")),
    ("day", re.compile(rf"\b(?:{_DAY_SHORT})\b")),
    ("day", re.compile(rf"(?<!^)(?<![.!?\n] )\b(?:{_MONTH})\b(?: (?:19|20)\d\d)?|\b(?:{_MONTH}) (?:19|20)\d\d\b")),
    ("count", re.compile(r"(?<!\[)\b\d[\d.,]*\d\b(?!\])|(?<!\[)\b\d\b(?!\])")),
)  # fmt: skip
_LOOSE_HOUR = rf"\b(?:at|by|around|until|till|from|before|after|about|to|@)\s+(\d{{1,2}}|{_HOUR})\b(?![:.]\d)"
_READ: dict[str, Callable[[str], Sequence[Iterable[Reading]]]] = {
    "time": times,
    "day": days,
    "amount": lambda value: (amounts(value),),
    "count": lambda value: (numbers(value),),
}
_WORD = r"[^\W\d_][\w'’]*"
_CAPITAL = r"(?=[A-ZÀ-ÖØ-Þ])" + _WORD + rf"(?:-{_WORD})*"
_NAME = re.compile(rf"(?<![\w'’.@:;-]){_CAPITAL}(?: {_CAPITAL})*")
# After a mark, a smiley or an emoji; not after a comma, a bracket that opens, or within a compound.
_STARTS_SENTENCE = re.compile(r"(?:^|[^\w\s,'’\"“”‘(&/@+-]|[:;]-?[DPp]|<3|\n|\s[-–—])[\s\"“'‘(*>•-]*$")
# At a sentence's start a capital says nothing, unless what follows is what only people do, or the word owns something.
_SPEAKS = re.compile(
    r" (?:loves|loved|likes|liked|enjoyed|hates|lives|sends|said|says|told|tells|asked|asks|wants|wanted|thinks|thought|mentioned|"
    r"suggested|suggests|confirmed|agreed|promised|called|wrote|joins|joined|emailed|offered|insisted|knows|hopes|(?:and|or) I\b|"
    r"(?:will|can|is|has|was|would|should|could|won['’]t|can['’]t|isn['’]t) (?:also |now |not )?"
    r"(?:be (?:there|joining|coming|here|happy|glad|away)|join|joining|come|coming|help|bring|call|send|present|attend|handle|happy|glad|"
    r"sick|agreed|offered|asked|told|said|confirmed)\b)"
)
_NO_LABEL = r"(?!(?:subject|re|fwd?|ps|p\.s\.)\s*:)"
_LABELLED = re.compile(
    rf"(?:^|[.!?] )[\s*•-]*{_NO_LABEL}[\w ]{{1,30}}: +({_CAPITAL}(?:(?:,? and |, | ){_CAPITAL})*)\.?\s*$", re.MULTILINE | re.IGNORECASE
)
_SUBJECT = re.compile(r"^[\s*]*(?:subject|re|fwd?)\s*:.*$", re.MULTILINE | re.IGNORECASE)
# Words whose capital says nothing.
_NOT_NAMES = re.compile(r"I(?:['’](?:m|ll|ve|d))?|Ok(?:ay)?|Mrs?|Ms|Dr|Prof|Sir|Madam|Mx|[A-Z][A-Z0-9&]+s?|[A-Z]")
_FORMULAS_TEXT = """
    hello hi hey dear good day morning afternoon evening best kind warm warmest regards wishes thanks thank you many yours sincerely
    truly faithfully cheers love take care talk soon all the team everyone everybody folks subject sir madam may i we it he she they
    that this there here what who let's today's tomorrow's yesterday's respectfully cordially greetings happy merry new year
    christmas easter birthday weekend everyone someone somebody nobody anyone one each both another other others people english
    german french spanish italian internet see ps a an my our your his her their please sorry if and but
"""
FORMULAS = frozenset(_FORMULAS_TEXT.split())
"""Words of letters' formulas, often capitalised in full ("Best Regards"), which are no names."""


def request_facts(text: str) -> tuple[Fact, ...]:
    """What the text states: quoted strings, links, addresses, days, times, amounts, codes, phone numbers, counts and names.

    A capital at a sentence's start says nothing, so such a word counts only where it also stands inside a sentence,
    or where it does what only people do ("Mara said", "Mara's").
    """
    found: list[tuple[int, Fact]] = []
    left = text
    for kind, form in _FORMS:
        for match in form.finditer(left):
            value = next((group for group in match.groups() if group), match[0])
            if not _means_something(kind, value):
                continue
            if kind:
                found.append((match.start(), Fact(kind="code" if kind == "phone" else kind, value=value.strip())))
            # Of the same length, so that the places of what follows stay.
            left = left[: match.start()] + " " * len(match[0]) + left[match.end() :]
    found += _names(left)
    ordered = sorted(found, key=lambda pair: pair[0])
    return tuple(dict.fromkeys(fact for _, fact in ordered))


def asked_facts(request: str) -> tuple[Fact, ...]:
    """What a request itself states: a draft need not say again what stands in the e-mail that the request quotes (lines with ``>``)."""
    return request_facts(re.sub(r"(?m)^>.*$", "", request))


def _means_something(kind: str, value: str) -> bool:
    """Whether a day's or time's form has a reading: 50/70 has none."""
    if kind == "day" and re.match(r"\d", value):
        return all(days(value))
    return True


def _names(text: str) -> Iterable[tuple[int, Fact]]:
    text = re.sub(r"\b(Mrs?|Ms|Dr|Prof|St)\.", r"\1 ", text)
    text = _SUBJECT.sub(lambda match: " " * len(match[0]), text)
    labelled = {match.start(1) for match in _LABELLED.finditer(text) if re.fullmatch(r"(?:\W*(?:and|[A-ZÀ-ÖØ-Þ][\w'’]*))+", match[1])}
    for match in _NAME.finditer(text):
        words, start = match[0].split(" "), match.start()
        first = words[0]
        if start not in labelled and _STARTS_SENTENCE.search(text[:start]) and not _names_a_person(words, text[match.end() :]):
            start += len(first) + 1
            words = words[1:]
        while words and _NOT_NAMES.fullmatch(words[0]):
            start += len(words[0]) + 1
            words = words[1:]
        words = [re.sub(r"['’]s?$", "", word) for word in words if not _NOT_NAMES.fullmatch(word)]
        if words:
            yield start, Fact(kind="person", value=" ".join(words))


def _names_a_person(words: Sequence[str], after: str) -> bool:
    owns = re.search(r"['’]s$", words[0]) is not None and len(words) == 1
    return words[0].lower().replace("’", "'") not in FORMULAS and re.sub(r"['’]s$", "", words[0].lower()) not in FORMULAS and (
        owns or (len(words) == 1 and _SPEAKS.match(after) is not None)
    )  # fmt: skip


class _Stated:
    """What a text states, by kind, with every spelling's readings."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.flat = _flat(text)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        return request_facts(re.sub(r"[\"“”]", " ", self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(_folded(word) for word in re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", self.text)))

    @cached_property
    def codes(self) -> frozenset[str]:
        return frozenset(_code(part) for part in re.findall(r"[\w#][\w\-/#]*", self.text)) | {
            _code(fact.value) for fact in self.facts if fact.kind == "code"
        }

    @cached_property
    def links(self) -> frozenset[str]:
        return frozenset(_link(fact.value) for fact in self.facts if fact.kind == "link")

    @cached_property
    def readings(self) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = {kind: [] for kind in _READ}
        for fact in self.facts:
            for alternatives in _READ[fact.kind](fact.value) if fact.kind in _READ else ():
                found[fact.kind] += alternatives
        loose = re.findall(
            rf"\b(?:at|by|around|until|till|from|before|after|about|to|@)\s+(\d{{1,2}}|{_HOUR})\b(?![:.]\d)", self.text, re.I
        )
        found["time"] += [reading for hour in loose for alternatives in times(hour) for reading in alternatives]
        spelled = re.findall(rf"(?<![\d:/])\d+(?:[.,]\d+)*(?![:/]?\d)(?:\s?[km]\b)?|\b{NUMBER_WORDS}\b", self.text, re.IGNORECASE)
        short = re.findall(r"\b(?:mon|tues?|thurs?|fri)\b", self.text)
        found["day"] += [reading for day in short for alternatives in days(day) for reading in alternatives]
        found["count"] += [reading for number in spelled for reading in numbers(number)]
        return found

    @cached_property
    def bare_numbers(self) -> list[float]:
        """Numbers that stand for themselves: without a currency, a unit or a place in a date."""
        return [number for fact in self.facts if fact.kind == "count" for number in numbers(fact.value)]

    def has(self, fact: Fact, whole: bool) -> bool:
        """Whether a fact is stated. ``whole`` asks for all of it: every word of a name, no more of a date than is there."""
        if fact.kind in ("person", "recipient"):
            words = [_folded(word) for word in re.findall(r"[^\W_]+", fact.value)]
            long = [word for word in words if len(word) > 1] or words
            return (all if whole else any)(word in self.words for word in long)
        if fact.kind == "link":
            return _link(fact.value) in self.links or _stands(_flat(fact.value).strip(), self.flat)
        if fact.kind in _READ and (read := [tuple(alternatives) for alternatives in _READ[fact.kind](fact.value)]) and all(read):
            if all(agree(alternatives, self.readings[fact.kind], whole=whole) for alternatives in read):
                return True
            # A sum whose currency goes without saying.
            return fact.kind == "amount" and agree(_plain_numbers(fact.value), self.bare_numbers)
        if _stands(_flat(fact.value).strip(), self.flat):
            return True
        return fact.kind == "code" and _code(fact.value) in self.codes


def _plain_numbers(value: str) -> Iterable[float]:
    bare = re.sub(CURRENCY, "", value, flags=re.IGNORECASE).strip()
    # What comes out as cents or per cent is no plain number.
    return () if "%" in value or "cent" in value.lower() else numbers(bare)


def _folded(word: str) -> str:
    """A word without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(sign))


def _code(value: str) -> str:
    return re.sub(r"[\W_]", "", value.lower())


def _link(value: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", value.lower()).rstrip("/")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).lower().replace("’", "'")


def _stands(value: str, flat: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", flat) is not None


@lru_cache(maxsize=64)
def _stated(text: str) -> _Stated:
    return _Stated(text)


def missing_facts(facts: Sequence[Fact], text: str, *, whole: bool = False) -> list[Fact]:
    """The facts that the text lacks, however it spells them: "3 pm" and "15:00", "Fri" and "Friday", "$1,200" and "1200 dollars".

    Of a name of several words one is enough, as a greeting takes only the first. With ``whole`` every word of a name must stand,
    and a date may say no more than the text does: the test for a claim, where the text is all that may be claimed.
    """
    stated = _stated(text)
    return [fact for fact in facts if not (stated.has(fact, whole) or _has_parts(fact, stated, whole))]


def _has_parts(fact: Fact, stated: _Stated, whole: bool) -> bool:
    """Whether a value of several parts ("Friday the 3rd", "12 guests") stands part by part, whatever comes between."""
    if fact.kind not in ("day", "time", "amount", "count") or not re.search(r"\s", fact.value):
        return False
    parts = [part for part in request_facts(fact.value) if part.kind in _READ and part != fact]
    rest = fact.value
    for part in parts:
        rest = rest.replace(part.value, " ")
    words = [_folded(word) for word in re.findall(r"[^\W_]+", rest) if word.lower() not in ("the", "of", "on", "at")]
    return bool(parts) and all(stated.has(part, whole) for part in parts) and all(word in stated.words for word in words)
