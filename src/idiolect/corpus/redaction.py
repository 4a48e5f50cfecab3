"""Private details out of texts, the same detail always by the same placeholder.

Knows e-mail addresses, phone, card and account numbers, IBANs and links that carry a secret. Names of people and places stay: they are not
recognisable without guessing. The table that leads back is the caller's to keep apart from what is shared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from idiolect.corpus.types import Demonstration
from idiolect.errors import InputError
from idiolect.workspace import read_json

__all__ = ["RedactionTable", "redact", "redact_demonstrations", "restore"]

_PLACEHOLDER = re.compile(r"<(?:email|phone|card|iban|account|link)-\d+>")
_LINK = re.compile(r"\b(?:https?|ftp|wss?|ssh|git)://[^\s<>\"']+|\bwww\.[^\s<>\"']+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d-])(?<!\d[ .])\d(?:[ -]?\d){12,18}(?![\d-]*\d)")
_ACCOUNT = re.compile(
    r"\b(?:(?:bank )?account|acct|a/c|routing|sort[ -]code|konto|kontonummer|kto|blz|bankleitzahl|compte|cuenta|conto|rekening|iban|"
    r"customer|kunden(?:nummer|nr)|policy|passport|ssn|social security|steuer(?:nummer|-?id)|tax id)\b\.?"
    r"(?:\s*(?:number|no\.?|nr\.?|num\.?|code|#|№))?\s*(?:is|ist|lautet|=|:|#)?\s*(\d(?:[ -]?\d){4,19})(?!\d)",
    re.IGNORECASE,
)
_SOCIAL_SECURITY = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-]*\d)")
_PHONE = re.compile(r"(?<![\w@/.,:+-])(?:\+|\(\+?)?\d(?:[\s().\-/\u2010-\u2013\u00a0]{0,3}\d){5,16}(?![\w@]|[.,]\d)")
_DATE = re.compile(
    r"^(?:19|20)\d\d[01]\d[0-3]\d$|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}|(?<!\d)\d{1,2}\.\d\d(?!\d)"
)
_PHONE_WORD = re.compile(
    r"\b(?:phone|tel(?:efon|ephone)?|mobile?|cell|handy|fax|call|ring|text|whatsapp|signal|reach|anrufen)\b\W*(?:\w+\W+){0,3}$",
    re.IGNORECASE,
)
_GROUPS = re.compile(r"(?:1[-. ])?\(?\d{3}\)?[-. ]\s?\d{3}[-. ]\d{4}")
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:access|api|auth|authkey|authorization|code|credential|hash|hmac|invite|jwt|key|nonce|otp|pass|passcode|password|pin|pwd|reset|"
    r"secret|session|sessionid|sid|sig|sign|signature|ticket|tk|tkn|token|verify|verification)$|token|apikey|secret|signature|passw|pwd",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class RedactionTable:
    """Which placeholder stands for which detail, across a whole corpus. It leads back to them: keep it out of what is shared."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._originals: dict[str, str] = {}
        self._last: dict[str, int] = {}
        self._reserved: set[str] = set()

    def placeholder(self, kind: str, original: str) -> str:
        """``<kind-number>``: the same for spellings that differ in case (addresses) or in spacing (numbers) only."""
        key = (kind, _normalised(kind, original))
        if key not in self._placeholders:
            number = self._last.get(kind, 0) + 1
            while f"<{kind}-{number}>" in self._reserved:
                number += 1
            self._last[kind] = number
            self._placeholders[key] = f"<{kind}-{number}>"
            self._originals[self._placeholders[key]] = original
        return self._placeholders[key]

    def reserve(self, text: str) -> None:
        """Keep what looks like a placeholder in a text as it came from being given to a detail."""
        self._reserved.update(found for found in _PLACEHOLDER.findall(text) if found not in self._originals)

    def original(self, placeholder: str) -> str | None:
        """The detail in the spelling first met."""
        return self._originals.get(placeholder)

    def counts(self) -> dict[str, int]:
        """How many different details of each kind."""
        return {kind: sum(other == kind for other, _ in self._placeholders) for kind in self._last}

    def to_dict(self) -> dict[str, Any]:
        return {"originals": self._originals}

    @classmethod
    def load(cls, path: Path) -> RedactionTable:
        """The table written at an earlier import, or an empty one. ``InputError`` if the file is something else."""
        table = cls()
        if not path.exists():
            return table
        value = read_json(path)
        originals = value.get("originals") if isinstance(value, dict) else None
        if not isinstance(originals, dict) or not all(
            isinstance(original, str) and _PLACEHOLDER.fullmatch(at) for at, original in originals.items()
        ):
            raise InputError("is not a redaction table", where=str(path), hint="Delete it to number the placeholders anew")
        for at, original in originals.items():
            kind, _, number = at[1:-1].partition("-")
            table._placeholders[kind, _normalised(kind, original)] = at
            table._originals[at] = original
            table._last[kind] = max(table._last.get(kind, 0), int(number))
        return table


def redact(text: str, table: RedactionTable) -> str:
    """``text`` with private details replaced by placeholders from ``table``, which it extends. Redacted text stays as it is."""
    table.reserve(text)
    before = None
    while text != before:
        # a placeholder can uncover a second number that stood right beside the first
        before, text = text, _redacted(text, table)
    return text


def _redacted(text: str, table: RedactionTable) -> str:
    text = _replace(text, _LINK, lambda match: _link(match[0]), "link", table)
    text = _replace(text, _EMAIL, lambda match: match[0], "email", table)
    text = _replace(text, _IBAN, lambda match: _iban(match[0]), "iban", table)
    text = _replace(text, _CARD, lambda match: match[0] if _luhn(match[0]) else "", "card", table)
    text = _replace(text, _ACCOUNT, lambda match: match[1], "account", table)
    text = _replace(text, _SOCIAL_SECURITY, lambda match: match[0], "account", table)
    return _replace(text, _PHONE, _phone, "phone", table)


def restore(text: str, table: RedactionTable) -> str:
    """The reverse of ``redact``, each detail in the spelling first met."""
    return _PLACEHOLDER.sub(lambda match: table.original(match[0]) or match[0], text)


def redact_demonstrations(demonstrations: Iterable[Demonstration], table: RedactionTable) -> list[Demonstration]:
    """Requests, texts and facts redacted; file names and identifiers stay."""
    return [
        one.model_copy(
            update={
                "input": redact(one.input, table),
                "output": redact(one.output, table),
                "facts": tuple(fact.model_copy(update={"value": redact(fact.value, table)}) for fact in one.facts),
            }
        )
        for one in demonstrations
    ]


def _replace(text: str, pattern: re.Pattern[str], private: Callable[[re.Match[str]], str], kind: str, table: RedactionTable) -> str:
    """Put a placeholder for the part of each match that ``private`` returns; what it returns must be within the match."""

    def put(match: re.Match[str]) -> str:
        part = private(match)
        if not part:
            return match[0]
        before, _, after = match[0].rpartition(part)
        return before + table.placeholder(kind, part) + after

    # placeholders already there are left alone
    pieces = re.split(f"({_PLACEHOLDER.pattern})", text)
    return "".join(piece if at % 2 else pattern.sub(put, piece) for at, piece in enumerate(pieces))


def _normalised(kind: str, original: str) -> str:
    if kind in ("email", "iban"):
        original = original.casefold()
    if kind == "link":
        return original
    if kind == "phone":
        digits = re.sub(r"\D", "", original.replace("(0)", ""))
        return "+" + digits if original.lstrip("( ").startswith("+") else "+" + digits[2:] if digits.startswith("00") else digits
    return re.sub(r"[\s-]", "", original) if kind != "email" else original


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in re.sub(r"\D", "", number)][::-1]
    doubled = (digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _iban(found: str) -> str:
    """The longest part from the start, ending between groups, whose ISO 7064 checksum is right."""
    ends = [len(found), *(match.start() for match in reversed(list(re.finditer(r"[ -]", found))))]
    for end in ends:
        compact = re.sub(r"[ -]", "", found[:end]).upper()
        if len(compact) < 15:
            break
        if (
            len(compact) <= 34
            and sum(c.isdigit() for c in compact) >= 8
            and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
        ):
            return found[:end]
    return ""


def _phone(match: re.Match[str]) -> str:
    found = match[0]
    if "\n" in found:
        # a number does not go on in the next line; the longest line of digits is looked at alone
        found = max(found.split("\n"), key=len).strip()
    if found.count("(") > found.count(")"):
        found = found.replace("(", "", 1)
    digits = re.sub(r"\D", "", found)
    if not 7 <= len(digits) <= 15 or _DATE.search(found) or re.fullmatch(r"(?:19|20)\d\d\s*[-–]\s*(?:19|20)\d\d", found):
        return ""
    labelled = bool(_PHONE_WORD.search(match.string[max(0, match.start() - 60) : match.start()]))
    international = found.lstrip("(").startswith("+") or digits.startswith("00")
    trunk = digits.startswith("0") and len(digits) >= 8
    return found if international or trunk or labelled or _GROUPS.fullmatch(found) else ""


def _link(found: str) -> str:
    """The whole link if a part of it lets whoever holds it in; full stops and brackets after it are not part of it."""
    link = found.rstrip(".,;:!?)]}'*_")
    try:
        parts = urlsplit(link if "://" in link else "https://" + link)
        pairs = parse_qsl(parts.query, keep_blank_values=False) + parse_qsl(parts.fragment.partition("?")[2] or parts.fragment)
    except ValueError:
        return link
    secret = "@" in parts.netloc or any(_SECRET_KEY.search(key) or _random(value) for key, value in pairs)
    return link if secret or any(_random(part) for part in re.split(r"[/;=]", parts.path + "/" + parts.fragment)) else ""


def _random(part: str) -> bool:
    """Made by a machine: a UUID, or sixteen characters and more without a word boundary that mix letters and digits often."""
    if _UUID.search(part):
        return True
    pieces = re.split(r"[^A-Za-z0-9]", part)
    if any(len(piece) >= 16 and _changes(piece) >= 3 for piece in pieces):
        return True
    # base64 puts - and _ into the middle of a secret
    return len(part) >= 24 and bool(re.fullmatch(r"[\w.~+=-]+", part)) and _changes(re.sub(r"[^A-Za-z0-9]", "", part)) >= 6


def _changes(text: str) -> int:
    """How often letters and digits, or lower case and upper case after it, alternate."""
    return sum((a.isdigit() != b.isdigit()) or (a.islower() and b.isupper()) for a, b in pairwise(text))
