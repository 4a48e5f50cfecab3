"""From a message's bytes to the text its writer typed and quoted. Knows MIME parts, not what is style and what is a quotation."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.message import Message as MimeMessage

from idiolect.corpus.charset import clean_text, decode_bytes
from idiolect.corpus.html import html_to_text

__all__ = ["MalformedMail", "Parts", "read_parts"]

_HTML = re.compile(r"\A\s*(?:<!doctype html|<html|<body|<div|<p>|<meta)", re.IGNORECASE)
_DEEPEST = 50
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


class MalformedMail(ValueError):
    """A message whose text cannot be found; the importer counts and names it."""


class Parts:
    """What was found in a message's parts."""

    __slots__ = ("calendar", "encrypted", "text")

    def __init__(self, text: str, *, calendar: bool, encrypted: bool) -> None:
        self.text, self.calendar, self.encrypted = text, calendar, encrypted


def read_parts(data: bytes) -> Parts:
    """The message's own text: the plain part of each alternative, or the HTML turned to text; attachments are passed over."""
    message = email.message_from_bytes(data)
    if message.get_content_maintype() == "multipart" and not message.is_multipart():
        raise MalformedMail("says multipart but has no parts")
    found = list(_leaves(message, 0))
    calendar = any(part.get_content_type() == "text/calendar" and _inline_calendar(part) for part in found)
    types = {part.get_content_type() for part in found} | {message.get_content_type()}
    encrypted = bool(types & {"multipart/encrypted", "application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
    text = clean_text(_text(message, 0)).strip("\n")
    if encrypted and ("text/plain" not in types or "BEGIN PGP MESSAGE" in text):
        return Parts("", calendar=calendar, encrypted=True)
    if "BEGIN PGP MESSAGE" in text[:200]:
        return Parts("", calendar=calendar, encrypted=True)
    if text and text.count("\ufffd") * 5 > len(text):
        raise MalformedMail("its text cannot be decoded")
    return Parts(text, calendar=calendar, encrypted=False)


def _leaves(part: MimeMessage, depth: int) -> Iterator[MimeMessage]:
    if part.is_multipart() and part.get_content_maintype() != "message" and depth < _DEEPEST:
        for child in part.get_payload():
            if isinstance(child, MimeMessage):
                yield from _leaves(child, depth + 1)
    else:
        yield part


def _attached(part: MimeMessage) -> bool:
    disposition = str(part.get("content-disposition", "")).strip().lower()
    named = "filename" in disposition or part.get_param("name") is not None
    return disposition.startswith("attachment") or (named and part.get_content_maintype() != "multipart")


def _inline_calendar(part: MimeMessage) -> bool:
    """An invitation says its method; a calendar file somebody attached to a letter does not."""
    return part.get_param("method") is not None or not _attached(part)


def _text(part: MimeMessage, depth: int) -> str:
    kind = part.get_content_type()
    if depth > _DEEPEST or part.get_content_maintype() == "message" or (depth and _attached(part)):
        return ""
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, MimeMessage)]
        if kind == "multipart/alternative":
            return _best([(child.get_content_type(), _text(child, depth + 1)) for child in children])
        return "\n".join(filter(None, (_text(child, depth + 1) for child in children)))
    if kind == "text/html":
        return html_to_text(clean_text(_decoded(part)))
    if kind != "text/plain":
        return ""
    text = clean_text(_decoded(part))
    if _HTML.match(text):
        return html_to_text(text)
    if str(part.get_param("format", "")).lower() == "flowed":
        return _unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
    return text


def _best(choices: list[tuple[str, str]]) -> str:
    """Plain text if it says something; a stub such as "see the HTML version" is not preferred to the letter itself."""
    plain = next((text for kind, text in choices if kind == "text/plain" and text.strip()), "")
    other = next((text for kind, text in choices if kind != "text/plain" and text.strip()), "")
    stub = len(plain.split()) < 20 and len(other.split()) > 3 * len(plain.split()) and "html" in plain.lower()
    return other if not plain or stub else plain


def _decoded(part: MimeMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset()
    if not (charset or "").startswith(("utf-16", "utf-32")) and len(payload.translate(None, _CONTROLS)) * 10 < len(payload) * 9:
        raise MalformedMail("holds binary data where text should be")
    return decode_bytes(payload, charset)


def _unflowed(text: str, *, delete_space: bool) -> str:
    """RFC 3676: a line that ends in a space goes on in the next one of the same quote depth."""
    lines: list[str] = []
    open_depth: int | None = None
    for line in text.split("\n"):
        body = line.lstrip(">")
        depth = len(line) - len(body)
        body = body.removeprefix(" ")
        flowing = body.endswith(" ") and body != "-- "
        content = body[:-1] if flowing and delete_space else body
        if open_depth == depth and lines and body != "-- ":
            lines[-1] += content
        else:
            lines.append((">" * depth + " " if depth else "") + content)
        open_depth = depth if flowing else None
    return "\n".join(lines)
