"""Mail as bytes: what a received one says, and the draft that answers it.

Knows MIME. Knows nothing of servers or models.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from idiolect.corpus.headers import read_headers
from idiolect.corpus.parts import read_parts
from idiolect.corpus.quotes import strip_quotes
from idiolect.errors import InputError

__all__ = ["Received", "compose", "read_received"]

_REPLY = re.compile(r"^\s*(?:re|aw|sv)\s*:", re.IGNORECASE)
_MAILBOX = re.compile(r'((?P<name>"(?:[^"\\]|\\.)*" ?|[^"<>@,;]*)<)?(?P<address>[^@\s<>,;"]+@[^@\s<>,;"]+)(?(1)>)')
_MOST_REFERENCES = 20


@dataclass(frozen=True)
class Received:
    """A mail that is to be answered."""

    message_id: str
    """With its angle brackets; empty where it has none."""
    references: tuple[str, ...]
    """The thread above it, oldest first."""
    sender: tuple[str, str]
    """Name and address; the one to answer, so Reply-To where it is given."""
    subject: str
    date: datetime | None
    text: str
    """What its sender wrote, without what that quotes."""
    thread: str
    """The same with what it quotes: the thread, as far as its senders left it standing."""


def read_received(data: bytes) -> Received:
    """A mail's text and what an answer needs to know of it. Raises ``InputError`` where it is no mail."""
    headers = read_headers(data)
    if headers is None:
        raise InputError("is not a mail", hint="Name another message")
    thread = read_parts(data).text.strip()
    senders = headers.addresses("reply-to") or headers.addresses("from")
    name, address = senders[0] if senders else ("", "")
    return Received(
        message_id=next((f"<{one}>" for one in headers.ids("message-id")), ""),
        references=tuple(f"<{one}>" for one in headers.ids("references") or headers.ids("in-reply-to")),
        sender=(name, address),
        subject=headers.text("subject"),
        date=headers.date,
        text=strip_quotes(thread).strip(),
        thread=thread,
    )


def compose(
    text: str, *, sender: str, to: str = "", subject: str = "", answers: Received | None = None, now: datetime | None = None
) -> EmailMessage:
    """A draft as a mail. ``answers`` sets recipient, subject and thread, and its text is quoted below.

    The Message-ID is a function of what is written, so that the same draft is recognised when it is left again. Raises ``InputError``
    for an address that cannot stand in a header.
    """
    message = EmailMessage()
    message["From"] = _address(sender, "--from")
    if answers:
        to = to or formataddr(answers.sender)
        subject = subject or (answers.subject if _REPLY.match(answers.subject) else f"Re: {answers.subject}".strip())
    if to:
        message["To"] = _address(to, "--to")
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now or datetime.now(UTC))
    body = text.strip() + "\n"
    if answers:
        if answers.message_id:
            message["In-Reply-To"] = answers.message_id
            thread = (*answers.references[-_MOST_REFERENCES:], answers.message_id)
            message["References"] = " ".join(dict.fromkeys(thread))
        body += f"\n{_introduction(answers)}\n" + "".join(f"> {line}".rstrip() + "\n" for line in answers.text.split("\n"))
    parts = "\0".join((message["From"], message.get("To", ""), message["Subject"], message.get("In-Reply-To", ""), text))
    message["Message-ID"] = f"<{hashlib.sha256(parts.encode()).hexdigest()[:32]}@idiolect.invalid>"
    message.set_content(body)
    return message


def _introduction(answers: Received) -> str:
    when = f"On {answers.date:%d %b %Y at %H:%M}, " if answers.date else ""
    return f"{when}{answers.sender[0] or answers.sender[1]} wrote:"


def _address(text: str, option: str) -> str:
    found = _MAILBOX.fullmatch(" ".join(text.split()))
    if found is None:
        raise InputError(f"{text!r} is not a mail address", where=option, hint="Give it as name@example.org")
    return formataddr((re.sub(r"^\"|\"$|\\(?=.)", "", (found["name"] or "").strip()), found["address"]))
