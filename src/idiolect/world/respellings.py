"""Other spellings of the world's values that mean the same: 15:00 for 3 pm, Fri for Friday, EUR 12,50 for 12.50 euros.

Knows the forms of values. Knows nothing of e-mails or of how a spelling is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

__all__ = ["respellings"]

_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
_TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty"}
_MONTHS: Sequence[str] = "January February March April May June July August September October November December".split()


def respellings(kind: str, value: str) -> list[str]:
    """Other spellings of a value of the world, meaning the same; none where there is no other."""
    make = _SPELLINGS.get(kind)
    return [other for other in make(value) if other != value] if make else []


def _times(value: str) -> list[str]:
    if found := re.fullmatch(r"(\d+) (am|pm)", value):
        hour, half = int(found[1]), found[2]
        late = hour % 12 + 12 * (half == "pm")
        return [f"{hour}{half}", f"{hour} {half[0]}.m.", f"{hour}:00 {half.upper()}", f"{late}:00", f"{late:02d}:00"]
    if found := re.fullmatch(r"(\d+):(\d\d)", value):
        hour, minutes = int(found[1]), found[2]
        half = "pm" if hour > 11 else "am"
        short = (hour - 1) % 12 + 1
        return [f"{hour:02d}:{minutes}", f"{short}:{minutes} {half}", f"{short}.{minutes}{half}", f"{short}:{minutes}{half[0]}.m."]
    hour = next(at for at, name in enumerate(_HOURS, 1) if value.endswith(name) or value.startswith(name))
    return (
        [f"{hour}:30", f"{hour % 12 + 12}:30", f"{hour}.30 pm"]
        if value.startswith("half")
        else [f"{hour} o'clock", f"{hour}:00", f"{hour} pm"]
    )


def _days(value: str) -> list[str]:
    if found := re.fullmatch(r"([A-Z][a-z]+day)( the \d+\w\w)?", value):
        return [found[1][:3] + (found[2] or ""), f"{found[1]}{found[2] or ''}".upper() if not found[2] else f"{found[1]},{found[2]}"]
    found = re.fullmatch(r"(\d+) ([A-Z]\w+)", value) or re.fullmatch(r"([A-Z]\w+) (\d+)", value)
    if not found:
        return []
    day, month = (found[1], found[2]) if found[1].isdigit() else (found[2], found[1])
    end = "th" if 10 < int(day) < 20 else {"1": "st", "2": "nd", "3": "rd"}.get(day[-1], "th")
    number = _MONTHS.index(month) + 1
    return [
        f"{day} {month}",
        f"{month} {day}",
        f"{day}{end} of {month}",
        f"{month[:3]} {day}",
        f"{month} {day}{end}",
        f"{day}/{number}",
        f"{day} {month[:3]}.",
    ]


def _amounts(value: str) -> list[str]:
    number = re.search(r"[\d.]+", value)
    unit = {"$": "USD", "dol": "USD", "eur": "EUR", "pou": "GBP", "fra": "CHF"}[value[0] if value[0] == "$" else value.split()[-1][:3]]
    digits = number[0] if number else ""
    symbol, word = {"USD": ("$", "dollars"), "EUR": ("€", "euros"), "GBP": ("£", "pounds"), "CHF": ("CHF ", "francs")}[unit]
    cents = digits if "." in digits else f"{digits}.00"
    return [
        f"{symbol}{digits}",
        f"{digits} {word}",
        f"{unit} {digits}",
        f"{symbol}{cents}",
        f"{digits} {unit}",
        f"{digits.replace('.', ',')} {unit}",
    ]


def _counts(value: str) -> list[str]:
    digits, noun = value.split(" ")
    number = int(digits)
    word = _HOURS[number - 1] if number < 13 else _TENS.get(number)
    return [f"{word} {noun}", f"{digits} of the {noun}"] if word else [f"{digits} of the {noun}"]


_SPELLINGS: dict[str, Callable[[str], list[str]]] = {
    "time": _times,
    "day": _days,
    "amount": _amounts,
    "count": _counts,
    "code": lambda value: [f"#{value}", value.lower(), f"no. {value}"],
    "link": lambda value: [f"https://{value}", f"www.{value}", f"{value}/"],
    "address": lambda value: [f"<{value}>", f"({value})", value.capitalize()],
    "recipient": lambda value: [value.lower(), value.upper()],
    "person": lambda value: [f"{value}'s team", value.lower(), f"Mr {value}"],
}
