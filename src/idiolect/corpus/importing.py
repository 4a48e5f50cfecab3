"""From a source to the person's messages, with a report of what was dropped. The one place that knows the order of the steps."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from idiolect.corpus.clean import clean_body
from idiolect.corpus.filters import automatic, calendar, discarded
from idiolect.corpus.headers import Headers, read_headers
from idiolect.corpus.parts import MalformedMail, read_parts
from idiolect.corpus.records import read_records
from idiolect.corpus.report import ImportReport
from idiolect.corpus.signatures import repeated_tails, strip_repeated
from idiolect.corpus.sources import RawMail, detect, read_mail
from idiolect.corpus.threads import Threads, digest, subject_key
from idiolect.corpus.types import Demonstration, Message
from idiolect.errors import InputError

__all__ = ["ImportResult", "import_messages", "to_demonstrations"]

_MOST_MESSAGES = 50_000
_MOST_CHARACTERS = 40_000_000
"""What is kept in memory of a very large mailbox: the newest, up to these bounds."""
_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ImportResult:
    """What an import found. ``messages`` is empty for data files, whose rows are ``records``."""

    messages: tuple[Message, ...]
    records: tuple[Demonstration, ...]
    report: ImportReport

    @property
    def demonstrations(self) -> list[Demonstration]:
        """All of it, oldest first; the input is empty where there is none yet."""
        return list(self.records) or to_demonstrations(self.messages)


def import_messages(
    source: Path,
    me: Sequence[str] = (),
    *,
    minimum_words: int = 8,
    progress: Callable[[int], None] | None = None,
    on_cleaned: Callable[[str, str], None] | None = None,
) -> ImportResult:
    """Read ``source``, whatever its format, and keep what the owner of the addresses ``me`` wrote, cleaned.

    ``progress`` is called with the number of messages read so far; ``on_cleaned`` with the source and the text, before it is cleaned, of
    each message that the person wrote. Data files need no ``me``. Raises ``InputError`` where the source cannot
    be read, holds nothing, or nothing of this person; single broken messages are counted in the report.
    """
    kind = detect(source)
    report = ImportReport(source=str(source), format=kind)
    if kind in ("json", "jsonl", "csv"):
        return ImportResult((), tuple(_distinct(read_records(source, kind), report)), report)
    inbox = _Inbox(_addresses(me), minimum_words, report, on_cleaned)
    for mail in read_mail(source, kind):
        inbox.add(mail)
        if progress:
            progress(report.seen)
    messages = inbox.messages()
    if not messages:
        raise _nothing(source, inbox)
    unused = inbox.me - set(inbox.senders)
    report.notes += [f"no message was sent by {address}" for address in sorted(unused)]
    return ImportResult(tuple(messages), (), report)


def to_demonstrations(messages: Iterable[Message]) -> list[Demonstration]:
    """Messages as demonstrations whose ``input`` is empty until it is back-generated. Addresses and subjects are left behind."""
    return [
        Demonstration(input="", output=message.body, id=message.id, thread=message.thread, date=message.date, source=message.source)
        for message in messages
    ]


def _addresses(me: Sequence[str]) -> set[str]:
    found = set()
    for given in me:
        address = given.strip().lower()
        if match := re.search(r"<([^<>]*)>", address):
            address = match[1].strip()
        if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", address):
            raise InputError(
                f"{given!r} is no e-mail address", where="--me", hint="Give one address, as in --me you@example.org; repeat --me for more"
            )
        found.add(address)
    return found


def _distinct(records: Sequence[Demonstration], report: ImportReport) -> list[Demonstration]:
    seen: set[bytes] = set()
    kept = []
    for record in records:
        report.seen += 1
        key = _same(record.input + "\n\n" + record.output)
        if key in seen:
            report.drop("duplicate", record.source)
        else:
            seen.add(key)
            kept.append(record)
    report.kept = len(kept)
    return kept


def _same(body: str) -> bytes:
    """Equal for texts that differ only in case, spacing or punctuation; emoji and the like count only if there are no words."""
    words = re.findall(r"\w+", body.casefold())
    return hashlib.sha256((" ".join(words) or body).encode("utf-8", "replace")).digest()[:12]


def _nothing(source: Path, inbox: _Inbox) -> InputError:
    report, where = inbox.report, str(source)
    if not report.seen:
        return InputError("holds no messages", where=where, hint="Choose the mailbox that holds your sent mail")
    if not inbox.me or not inbox.me & set(inbox.senders):
        wanted = " or ".join(sorted(inbox.me)) or "you: no --me ADDRESS was given"
        most = ", ".join(f"{address} ({count})" for address, count in inbox.senders.most_common(5))
        hint = f"Most seen senders: {most}. Give yours with --me" if most else "No message names a sender; is this a mailbox?"
        return InputError(f"none of {report.seen} messages was sent by {wanted}", where=where, hint=hint)
    why = "; ".join(report.lines()[1:4])
    return InputError(f"no message of yours is usable ({why})", where=where, hint="Choose a fuller mailbox, or lower --minimum-words")


class _Inbox:
    """Collects the person's messages, one raw mail after another."""

    def __init__(self, me: set[str], minimum_words: int, report: ImportReport, on_cleaned: Callable[[str, str], None] | None) -> None:
        self.me, self.report, self.senders = me, report, Counter[str]()
        self._minimum_words, self._on_cleaned = minimum_words, on_cleaned
        self._bodies: set[bytes] = set()
        self._threads = Threads()
        self._kept: list[tuple[datetime, int, Message]] = []
        self._characters = 0

    def add(self, mail: RawMail) -> None:
        self.report.seen += 1
        try:
            if mail.problem:
                raise MalformedMail(mail.problem)
            dropped = self._take(mail)
        except MalformedMail as error:
            self.report.broken(mail.source, str(error))
        except Exception as error:  # the standard library's MIME parser has no closed set of errors for broken mail
            self.report.broken(mail.source, f"{type(error).__name__}: {error}"[:200])
        else:
            if dropped:
                self.report.drop(dropped, mail.source)

    def _take(self, mail: RawMail) -> str | None:
        """The reason to drop it; none if it was kept."""
        headers = read_headers(mail.data)
        if headers is None:
            raise MalformedMail("does not begin with headers")
        senders = headers.addresses("from") or headers.addresses("sender")
        if not senders:
            raise MalformedMail("has no sender" if "from" in headers.fields else "has no From header")
        name, address = senders[0]
        self._count(address)
        identity = next(iter(headers.ids("message-id")), mail.source)
        references = headers.ids("references", "in-reply-to")
        if references:
            self._threads.link([identity, *references])
        if address not in self.me:
            return "not_me"
        if mail.discarded or discarded(headers):
            return "draft"
        if automatic(headers):
            return "auto_reply"
        if calendar(headers):
            return "calendar"
        parts = read_parts(mail.data)
        if parts.calendar:
            return "calendar"
        if parts.encrypted:
            return "encrypted"
        if self._on_cleaned:
            self._on_cleaned(mail.source, parts.text)
        return self._keep(mail, headers, identity, name, clean_body(parts.text, name))

    def _keep(self, mail: RawMail, headers: Headers, identity: str, name: str, body: str) -> str | None:
        if not body:
            return "empty"
        if _words(body) < self._minimum_words:
            return "short"
        key = _same(body)
        if key in self._bodies:
            return "duplicate"
        self._bodies.add(key)
        message = Message(
            id=digest(identity),
            thread=identity,
            date=headers.date,
            sender=headers.addresses("from", "sender")[0][1],
            to=tuple(dict.fromkeys(address for _, address in headers.addresses("to", "cc"))),
            subject=headers.text("subject"),
            body=body,
            source=mail.source,
        )
        heapq.heappush(self._kept, (message.date or _OLDEST, self.report.seen, message))
        self._characters += len(body)
        while len(self._kept) > _MOST_MESSAGES or self._characters > _MOST_CHARACTERS:
            *_, oldest = heapq.heappop(self._kept)
            self._characters -= len(oldest.body)
            self.report.drop("older", oldest.source)
        return None

    def _count(self, address: str) -> None:
        self.senders[address] += 1
        if len(self.senders) > 50_000:
            own = {known: self.senders[known] for known in self.me if known in self.senders}
            self.senders = Counter(dict(self.senders.most_common(10_000)) | own)

    def messages(self) -> list[Message]:
        """What was kept, oldest first, with threads joined and repeated address blocks cut."""
        kept = [message for *_, message in sorted(self._kept, key=lambda entry: entry[:2])]
        self._kept.clear()
        for message in kept:
            if subject := subject_key(message.subject):
                # a subject alone would join strangers who were both written "Hello"
                self._threads.link([message.thread, *(f"{subject}\n{address}" for address in message.to)])
        tails = repeated_tails([message.body for message in kept])
        result = []
        for message in kept:
            body = strip_repeated(message.body, tails)
            if _words(body) < self._minimum_words:
                self.report.drop("short" if body else "empty", message.source)
                continue
            result.append(message.model_copy(update={"body": body, "thread": self._threads.find(message.thread)}))
        self.report.kept = len(result)
        return result


def _words(body: str) -> int:
    """Words between spaces; in scripts without spaces each character counts half a word."""
    dense = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]", body))
    return max(len(re.findall(r"\w[\w'’-]*", body)), dense // 2)
