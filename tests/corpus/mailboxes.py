"""Mailboxes made by code: letters of Mara and of others, with all that real mail does to a text."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage, Message
from email.policy import SMTP
from pathlib import Path

ME = "mara@example.org"
LETTER = "Hi Dana,\n\nthe review moves to Friday at three, so the room on the second floor is yours until noon.\n\nCheers,\nMara"


def letter(
    body: str = LETTER, *, sender: str = f"Mara Keller <{ME}>", subject: str = "Review", number: int = 1, **headers: str
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = headers.pop("to", "Dana <dana@example.com>")
    message["Subject"] = subject
    message["Date"] = f"Mon, {1 + number % 28:02d} Jan 2024 10:{number // 28 % 60:02d}:00 +0000"
    message["Message-ID"] = f"<{number}@example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def raw(body: bytes, content_type: str = "text/plain; charset=utf-8", encoding: str = "8bit", **headers: str) -> bytes:
    """A letter whose body is exactly these bytes."""
    fields = {"From": f"Mara <{ME}>", "To": "dana@example.com", "Subject": "Raw", "Date": "Mon, 01 Jan 2024 10:00:00 +0000"}
    fields |= {
        "Message-ID": "<raw@example.org>",
        "MIME-Version": "1.0",
        "Content-Type": content_type,
        "Content-Transfer-Encoding": encoding,
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\n" for name, value in fields.items()).encode() + b"\n" + body


def text_of(number: int) -> str:
    """A text that no other number has."""
    return f"Hello Dana,\n\nparcel {number} left the house on day {number} and should be with you before the week ends.\n\nCheers,\nMara"


def write_mbox(path: Path, messages: list[Message | bytes]) -> Path:
    with path.open("wb") as file:
        for message in messages:
            data = message if isinstance(message, bytes) else message.as_bytes()
            file.write(b"From mara@example.org Mon Jan  1 10:00:00 2024\n" + data.replace(b"\nFrom ", b"\n>From ") + b"\n\n")
    return path


def write_maildir(path: Path, messages: list[Message]) -> Path:
    box = mailbox.Maildir(path)
    for message in messages:
        box.add(message)
    return path


def write_eml_folder(path: Path, messages: list[EmailMessage]) -> Path:
    path.mkdir()
    for number, message in enumerate(messages):
        (path / f"{number:03d}.eml").write_bytes(message.as_bytes(policy=SMTP))
    return path
