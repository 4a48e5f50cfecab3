"""An IMAP account: find a message, leave a draft. It has no way to send.

Knows IMAP through the standard library. Knows nothing of what the drafts say. The password is read when it is needed and kept
nowhere.
"""

from __future__ import annotations

import base64
import imaplib
import ipaddress
import re
import ssl
import time
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from idiolect.errors import InputError, ServiceError

__all__ = ["PASSWORD", "Account", "Mailbox", "parse_account"]

PASSWORD = "IDIOLECT_IMAP_PASSWORD"
"""The environment variable with the password; without it the command line asks."""
_TIMEOUT = 30.0
_LARGEST = 25 * 1024 * 1024
_DRAFTS = ("Drafts", "INBOX.Drafts", "INBOX/Drafts", "[Gmail]/Drafts")
_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?:[^"\\]|\\.)*"|NIL) (?P<name>"(?:[^"\\]|\\.)*"|\S+)')


@dataclass(frozen=True)
class Account:
    """Where the mail lies."""

    host: str
    port: int
    user: str
    encrypted: bool
    drafts: str | None = None
    """The drafts folder; None asks the server which it is."""

    @property
    def shown(self) -> str:
        return f"{'imaps' if self.encrypted else 'imap'}://{self.user}@{self.host}:{self.port}"


def parse_account(url: str) -> Account:
    """An account from ``imaps://USER@HOST[:PORT][/DRAFTS-FOLDER]``; an @ in the user's name may stand as it is.

    Unencrypted ``imap://`` is for this machine only. Raises ``InputError``.
    """
    wanted = "Give it as imaps://user@host, with :port and /folder where they are not the usual ones"
    scheme, _, rest = url.partition("://")
    if scheme not in ("imaps", "imap") or "@" not in rest:
        raise InputError("is not an IMAP address", where=f"--imap {_without_password(url)}", hint=wanted)
    place, _, folder = rest.partition("/")
    user, _, server = place.rpartition("@")
    if ":" in user:
        raise InputError("holds a password", where=f"--imap {_without_password(url)}", hint=f"Take it out; set {PASSWORD} instead")
    try:
        split = urlsplit(f"//{server}")
        host, port = split.hostname, split.port
    except ValueError as error:
        raise InputError(f"is not an IMAP address: {error}", where=f"--imap {url}", hint=wanted) from error
    if not host or not user:
        raise InputError("names no host or no user", where=f"--imap {url}", hint=wanted)
    encrypted = scheme == "imaps"
    if not encrypted and not _this_machine(host):
        raise InputError("would send the password unencrypted", where=f"--imap {url}", hint="Use imaps://")
    return Account(host, port or (993 if encrypted else 143), unquote(user), encrypted, unquote(folder) or None)


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:@/]*):[^/]*@", r"\1:…@", url)


def _this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Mailbox:
    """A connection to an account, as a context manager. Raises ``ServiceError`` for what the server refuses."""

    def __init__(self, account: Account, password: str, *, trusted: ssl.SSLContext | None = None) -> None:
        self.account = account
        try:
            if account.encrypted:
                context = trusted or ssl.create_default_context()
                self._server: imaplib.IMAP4 = imaplib.IMAP4_SSL(account.host, account.port, ssl_context=context, timeout=_TIMEOUT)
            else:
                self._server = imaplib.IMAP4(account.host, account.port, timeout=_TIMEOUT)
        except (OSError, imaplib.IMAP4.error) as error:
            hint = "Check host, port and network"
            raise ServiceError(f"the mail server could not be reached: {error}", where=account.shown, hint=hint) from error
        try:
            # AUTHENTICATE takes any character in either; LOGIN would need ASCII.
            self._server.authenticate("PLAIN", lambda _: b"\0".join((b"", account.user.encode(), password.encode())))
        except imaplib.IMAP4.error as error:
            self._server.shutdown()
            hint = f"Check user and {PASSWORD}; many providers want a password made for one program"
            raise ServiceError("the mail server refused the login", where=account.shown, hint=hint) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._server.logout()
        except (OSError, imaplib.IMAP4.error):
            self._server.shutdown()

    def drafts_folder(self) -> str:
        """The account's drafts folder: as named, else as the server marks it (RFC 6154), else by the usual names."""
        if self.account.drafts:
            return self.account.drafts
        _, lines = self._asked("list")
        found = [match for line in lines if isinstance(line, bytes) and (match := _LISTED.match(line))]
        names = {_unquoted(match["name"]): match["flags"].lower() for match in found}
        for name, flags in names.items():
            if b"\\drafts" in flags:
                return name
        for name in _DRAFTS:
            if name in names:
                return name
        raise ServiceError("the account has no drafts folder", where=self.account.shown, hint="Name it: imaps://user@host/FOLDER")

    def find(self, message_id: str, folder: str = "INBOX") -> bytes | None:
        """The newest message with that Message-ID, as bytes."""
        bare = message_id.strip().strip("<>")
        if not re.fullmatch(r"[\x21-\x7e]+", bare) or '"' in bare or "\\" in bare:
            raise InputError(f"{message_id!r} is not a Message-ID", where="--reply", hint="Copy it from the mail's headers")
        return self._newest(folder, "HEADER", "Message-ID", f'"<{bare}>"')

    def newest_from(self, address: str, folder: str = "INBOX") -> bytes | None:
        """The newest message of a sender, as bytes."""
        if not re.fullmatch(r"[^\s\"\\<>]+@[^\s\"\\<>]+", address) or not address.isascii():
            raise InputError(f"{address!r} is not a mail address", where="--reply", hint="Give a sender's address or a Message-ID")
        return self._newest(folder, "FROM", f'"{address}"')

    def leave_draft(self, message: EmailMessage) -> tuple[str, bool]:
        """Put a draft into the drafts folder, once: (folder, whether it is new). One with the same Message-ID is left as it is."""
        folder = self.drafts_folder()
        if self.find(message["Message-ID"], folder) is not None:
            return folder, False
        data = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        self._asked("append", _quoted(folder), r"(\Draft \Seen)", imaplib.Time2Internaldate(time.time()), data)
        return folder, True

    def _newest(self, folder: str, *criteria: str) -> bytes | None:
        self._asked("select", _quoted(folder), True)
        _, (numbers, *_) = self._asked("search", None, *criteria)
        if not numbers:
            return None
        newest = numbers.split()[-1].decode()
        _, (size, *_) = self._asked("fetch", newest, "(RFC822.SIZE)")
        bytes_ = int(re.findall(rb"RFC822\.SIZE (\d+)", size)[0])
        if bytes_ > _LARGEST:
            raise InputError(f"the message has {bytes_:,} bytes, more than {_LARGEST:,}", where=folder, hint="Answer a smaller one")
        _, parts = self._asked("fetch", newest, "(BODY.PEEK[])")
        return next((part[1] for part in parts if isinstance(part, tuple)), None)

    def _asked(self, command: str, *arguments: Any) -> tuple[str, list[Any]]:
        try:
            status, answer = getattr(self._server, command)(*arguments)
        except (OSError, imaplib.IMAP4.error) as error:
            raise ServiceError(f"the mail server failed at {command}: {error}", where=self.account.shown, hint="Try again") from error
        if status != "OK":
            said = b" ".join(part for part in answer if isinstance(part, bytes)).decode("utf-8", "replace")
            raise ServiceError(f"the mail server refused {command}: {said}", where=self.account.shown, hint="Check the folder's name")
        return status, answer


def _quoted(name: str) -> str:
    """A folder's name as IMAP takes it: in modified UTF-7 (RFC 3501, 5.1.3), between quotation marks."""
    out = re.sub(r"[^\x20-\x7e]+|&", lambda match: _shifted(match[0]), name)
    return '"' + out.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shifted(run: str) -> str:
    if run == "&":
        return "&-"
    return "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def _unquoted(name: bytes) -> str:
    text = name.decode("ascii", "replace")
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])

    def plain(match: re.Match[str]) -> str:
        run = match[1].replace(",", "/")
        return base64.b64decode(run + "=" * (-len(run) % 4)).decode("utf-16-be", "replace") if run else "&"

    return re.sub(r"&([A-Za-z0-9+,]*)-", plain, text)
