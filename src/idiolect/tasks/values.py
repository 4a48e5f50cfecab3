"""What the English spellings of a time, a day, an amount or a number mean, so that "3 pm" and "15:00" are one fact.

Knows spellings of values. Knows nothing of where in a text they stand. A spelling may be read in several ways ("3:00" is
at night or in the afternoon, "3/4" in March or in April); two spellings agree when some reading of one is a reading of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import product

__all__ = [
    "CURRENCY",
    "HOURS",
    "MONTHS",
    "NUMBER_WORDS",
    "WEEKDAYS",
    "Amount",
    "Day",
    "Reading",
    "agree",
    "amounts",
    "days",
    "numbers",
    "times",
]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = "january february march april may june july august september october november december".split()
HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
_TEENS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: value for value, word in enumerate([*HOURS, *_TEENS], 1)} | {word: 10 * tens for tens, word in enumerate(_TENS, 2)}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_NUMBER_WORD = "|".join(sorted((*_SMALL, *_LARGE), key=len, reverse=True))
NUMBER_WORDS = rf"(?:{_NUMBER_WORD})(?:(?: and |[ -])(?:{_NUMBER_WORD}))*"
"""A pattern of numbers in words, such as "twenty-five" or "two hundred and ten"."""
_SUFFIX = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
_CURRENCY_NAMES = {
    "USD": "US$ $ USD dollar dollars buck bucks",
    "EUR": "€ EUR euro euros",
    "GBP": "£ GBP pound pounds quid",
    "CHF": "CHF Fr. franc francs",
    "JPY": "¥ JPY yen",
    "INR": "₹ INR rupee rupees",
    "CAD": "C$ CA$ CAD",
    "AUD": "A$ AU$ AUD",
    "%": "% percent per cent",
}
_CURRENCIES = {name.lower(): code for code, names in _CURRENCY_NAMES.items() for name in names.split()} | {"per cent": "%"}
CURRENCY = "|".join(re.escape(name) for name in sorted({*_CURRENCIES} - {"per", "cent"}, key=len, reverse=True))
"""A pattern of currencies and per cent, to be matched whatever the case."""


@dataclass(frozen=True)
class Day:
    """A day as far as it is named: by its weekday, or by day of the month, month and year."""

    weekday: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None

    def within(self, other: Day) -> bool:
        """Whether all that this says is said by the other, or follows from its date."""
        weekday = other.weekday
        if weekday is None and other.day and other.month and other.year:
            weekday = date(other.year, other.month, other.day).weekday()
        named = ((self.day, other.day), (self.month, other.month), (self.year, other.year), (self.weekday, weekday))
        return all(mine is None or mine == theirs for mine, theirs in named)

    def meets(self, other: Day) -> bool:
        """Whether both may be the same day: they share the weekday, the day of the month, or all that
        one of them says, and nothing differs.
        """
        pairs = ((self.weekday, other.weekday), (self.day, other.day), (self.month, other.month), (self.year, other.year))
        both = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
        if not both or any(mine != theirs for mine, theirs in both):
            return False
        return pairs[0] in both or pairs[1] in both or self.day is None


@dataclass(frozen=True)
class Amount:
    """A sum of money, or a share in per cent."""

    value: float
    unit: str


Reading = int | float | Amount | Day
"""A time in minutes after midnight, a number, an amount, or a day."""


def numbers(text: str) -> frozenset[float]:
    """The readings of a number in digits or words; empty where it is none. "1.200" may be either."""
    text = text.strip().lower()
    if re.fullmatch(NUMBER_WORDS, text):
        return frozenset([_from_words(text)])
    found = re.fullmatch(r"(\d[\d., ’']*?)\s?(k|thousand|m|million|bn|billion)?", text)
    if not found:
        return frozenset()
    digits, factor = re.sub(r"[ ’']", "", found[1]).strip(".,"), _SUFFIX.get(found[2] or "", 1.0)
    readings: list[str] = []
    if "," in digits and "." in digits:
        decimal = max(digits.rfind(","), digits.rfind("."))
        readings = [re.sub(r"[.,]", "", digits[:decimal]) + "." + digits[decimal + 1 :]]
    elif re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        readings = [re.sub(r"[.,]", "", digits)] + ([digits] if digits.count(".") == 1 else [])
    else:
        readings = [digits.replace(",", ".")]
    return frozenset(round(float(reading) * factor, 6) for reading in readings if re.fullmatch(r"\d+(?:\.\d+)?", reading))


def _from_words(text: str) -> float:
    total = current = 0
    for word in re.split(r" and |[ -]", text):
        if word in _SMALL:
            current += _SMALL[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        else:
            total, current = total + max(current, 1) * _LARGE[word], 0
    return float(total + current)


def amounts(text: str) -> frozenset[Amount]:
    """The readings of a number with its currency or per cent on either side."""
    found = re.fullmatch(rf"({CURRENCY})?\s?(.+?)\s?({CURRENCY})?", text.strip().lower(), re.IGNORECASE)
    if not found or not (found[1] or found[3]):
        return frozenset()
    return frozenset(Amount(value, _CURRENCIES[(found[1] or found[3]).lower()]) for value in numbers(found[2]))


def _clock(hour: str, minute: str | None, half: str | None) -> frozenset[int]:
    hours = {str(index): index for index in range(25)} | {word: index for index, word in enumerate(HOURS, 1)}
    at = hours.get(hour.lstrip("0") or "0")
    minutes = int(minute or 0)
    if at is None or minutes > 59:
        return frozenset()
    if half:
        return frozenset([(at % 12 + 12 * (half == "p")) * 60 + minutes]) if 1 <= at <= 12 else frozenset([at * 60 + minutes])
    early = (at * 60 + minutes) % 1440
    return frozenset([early, (early + 720) % 1440]) if 1 <= at <= 12 else frozenset([early])


_PAST = {"half": 30, "quarter": 15, "a quarter": 15} | _SMALL
_IN_WORDS = {"fifteen": "15", "thirty": "30", "forty-five": "45"}


def times(text: str) -> tuple[frozenset[int], ...]:
    """The times of a spelling, a range having two; each with its readings in minutes after midnight."""
    text = re.sub(r"\s+", " ", text.strip().lower()).replace("’", "'")
    if text in ("noon", "midday", "midnight"):
        return (frozenset([0 if text == "midnight" else 720]),)
    text = re.sub(r"([ap])\.?\s?m\b\.?", r"\1m", text)
    span = re.fullmatch(r"(\d{1,2})(?:[:.](\d\d))?\s?(?:-|–|to|and|until)\s?(\d{1,2})(?:[:.](\d\d))?\s?([ap])m", text)
    if span:
        return _clock(span[1], span[2], span[5]), _clock(span[3], span[4], span[5])
    past = re.fullmatch(r"(\S+|a quarter)(?: minutes)? (past|to) (\w+)", text)
    if past:
        minutes = _PAST.get(past[1], int(past[1]) if past[1].isdigit() else -1)
        sign = 1 if past[2] == "past" else -1
        return (frozenset((at + sign * minutes) % 1440 for at in _clock(past[3], None, None)) if minutes >= 0 else frozenset(),)
    plain = re.fullmatch(r"(\w+?)(?:[:.h](\d\d)(?::\d\d)?)?(?: (fifteen|thirty|forty-five))?\s?(?:([ap])m|o'clock|uhr|h|hrs)?", text)
    return (_clock(plain[1], plain[2] or _IN_WORDS.get(plain[3] or ""), plain[4]),) if plain else (frozenset(),)


def days(text: str) -> tuple[frozenset[Day], ...]:
    """The days of a spelling, a range having two; each with its readings."""
    text = re.sub(r"\s+", " ", text.strip().lower()).rstrip(".")
    stem = text[:3]
    if re.fullmatch(r"[a-z]{3,9}", text) and stem in (name[:3] for name in WEEKDAYS):
        return (frozenset([Day(weekday=[name[:3] for name in WEEKDAYS].index(stem))]),)
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        return (_valid([Day(day=int(found[3]), month=int(found[2]), year=int(found[1]))]),)
    if found := re.fullmatch(r"(\d{1,2})([./-])(\d{1,2})(?:[./-](\d{2,4}))?", text):
        one, other, year = int(found[1]), int(found[3]), _year(found[4])
        orders = [Day(day=one, month=other, year=year)] + ([Day(day=other, month=one, year=year)] if found[2] != "." else [])
        return (_valid(orders),)
    month = next((index for index, name in enumerate(MONTHS, 1) if re.search(rf"\b{name[:3]}[a-z]*", text)), None)
    figures = re.findall(r"\d+", text)
    year = next((int(figure) for figure in figures if len(figure) == 4), None)
    inside = [int(figure) for figure in figures if len(figure) < 3]
    if not inside:
        return (frozenset([Day(month=month, year=year)]),) if month else (frozenset(),)
    return tuple(_valid([Day(day=day, month=month, year=year)]) for day in inside)


def _year(text: str | None) -> int | None:
    return None if text is None else int(text) + (2000 if len(text) == 2 else 0)


def _valid(found: Iterable[Day]) -> frozenset[Day]:
    return frozenset(day for day in found if _stands(day))


def _stands(day: Day) -> bool:
    if day.day is None or not 1 <= day.day <= 31 or not 1 <= (day.month or 1) <= 12:
        return False
    try:
        date(day.year or 2024, day.month or 1, day.day)
    except ValueError:
        return False
    return True


def agree(one: Iterable[Reading], other: Iterable[Reading], *, whole: bool = False) -> bool:
    """Whether some reading of one is a reading of the other. ``whole`` asks that a day say no more than the other does."""
    for mine, theirs in product(one, other):
        if isinstance(mine, Day):
            if isinstance(theirs, Day) and (mine.within(theirs) if whole else mine.meets(theirs)):
                return True
        elif mine == theirs:
            return True
    return False
