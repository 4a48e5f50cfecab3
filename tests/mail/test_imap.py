"""Drafts in a real IMAP account: found, answered, left once, never sent."""

from __future__ import annotations

import ast
import imaplib
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import idiolect.mail
from idiolect.errors import InputError, ServiceError
from idiolect.mail import Account, Mailbox, compose, parse_account, read_received
from idiolect.mail.imap import _quoted, _unquoted
from mail.imap_server import PASSWORD, USER, imap_server

ASKED = (
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: ada@example.org\r\nSubject: Review on Friday\r\n"
    "Message-ID: <asked-1@example.org>\r\nReferences: <older@example.org>\r\nDate: Mon, 02 Nov 2026 09:30:00 +0000\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nCan we meet at 3 pm?\r\n\r\nJörg\r\n\r\n> an older line\r\n"
).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, int, Path]]:
    with imap_server() as running:
        yield running


def account(port: int, **changes: object) -> Account:
    return Account(**{"host": "127.0.0.1", "port": port, "user": USER, "encrypted": False, **changes})  # type: ignore[arg-type]


def raw(port: int) -> imaplib.IMAP4:
    """A plain client of the standard library, to look at what ours left."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
    return client


def test_a_reply_goes_round(server: tuple[int, int, Path]) -> None:
    port, *_ = server
    client = raw(port)
    client.append("INBOX", "", imaplib.Time2Internaldate(0), ASKED)
    with Mailbox(account(port), PASSWORD) as mailbox:
        data = mailbox.find("<asked-1@example.org>")
        assert data is not None
        assert mailbox.newest_from("joerg@example.org") == data
        asked = read_received(data)
        assert (asked.text, asked.sender) == ("Can we meet at 3 pm?\n\nJörg", ("Jörg", "joerg@example.org"))
        assert asked.thread == f"{asked.text}\n\n> an older line"
        message = compose("Yes, 3 pm suits me — grüße!\n.\nFrom me", sender=f"Ada <{USER}>", answers=asked)
        assert mailbox.leave_draft(message) == ("Entwürfe", True)
        assert mailbox.leave_draft(message) == ("Entwürfe", False)
        # The answered mail is still unread: looking at it must not change it.
    client.select("INBOX", True)
    assert client.search(None, "UNSEEN")[1][0]
    client.select(_quoted("Entwürfe"), True)
    numbers = client.search(None, "ALL")[1][0].split()
    assert len(numbers) == 1
    assert b"\\Draft" in client.fetch(numbers[0], "(FLAGS)")[1][0]
    left = message_from_bytes(client.fetch(numbers[0], "(RFC822)")[1][0][1], policy=policy.default)
    assert left["To"] == "Jörg <joerg@example.org>"
    assert left["Subject"] == "Re: Review on Friday"
    assert left["In-Reply-To"] == "<asked-1@example.org>"
    assert left["References"] == "<older@example.org> <asked-1@example.org>"
    body = left.get_content().replace("\r\n", "\n")
    assert body.startswith("Yes, 3 pm suits me — grüße!\n.\nFrom me\n\nOn 02 Nov 2026 at 09:30, Jörg wrote:\n> Can we meet at 3 pm?\n")


def test_over_tls_with_a_trusted_certificate_only(server: tuple[int, int, Path]) -> None:
    _, secure, certificate = server
    with Mailbox(account(secure, encrypted=True), PASSWORD, trusted=ssl.create_default_context(cafile=certificate)) as mailbox:
        assert mailbox.drafts_folder() == "Entwürfe"
    with pytest.raises(ServiceError, match=r"could not be reached.*certificate"):
        Mailbox(account(secure, encrypted=True), PASSWORD)


def test_refusals_say_what_to_do(server: tuple[int, int, Path]) -> None:
    port, *_ = server
    with pytest.raises(ServiceError, match="refused the login") as refused:
        Mailbox(account(port), "wrong")
    assert "wrong" not in str(refused.value)
    with Mailbox(account(port, drafts="Nowhere"), PASSWORD) as mailbox:
        with pytest.raises(ServiceError, match="folder's name"):
            mailbox.leave_draft(compose("x", sender=USER, to=USER))
        assert mailbox.find("<unknown@example.org>") is None
        for hostile in ('a"b', "a b", 'x> "', "a\\b", "é@x"):
            with pytest.raises(InputError, match="not a Message-ID"):
                mailbox.find(hostile)
    with pytest.raises(ServiceError, match="could not be reached"):
        Mailbox(account(1), PASSWORD)


def test_an_unmarked_folder_is_known_by_its_name() -> None:
    with imap_server(drafts="Drafts", marked=False) as (port, *_), Mailbox(account(port), PASSWORD) as mailbox:
        assert mailbox.drafts_folder() == "Drafts"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("imaps://ada@example.org", ("example.org", 993, "ada", True, None)),
        ("imaps://ada@example.org@mail.example.org:1993/Entw%C3%BCrfe", ("mail.example.org", 1993, "ada@example.org", True, "Entwürfe")),
        ("imap://ada@localhost", ("localhost", 143, "ada", False, None)),
        ("imap://ada@[::1]:144", ("::1", 144, "ada", False, None)),
    ],
)
def test_addresses(url: str, wanted: tuple[object, ...]) -> None:
    found = parse_account(url)
    assert (found.host, found.port, found.user, found.encrypted, found.drafts) == wanted


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("imap://ada@mail.example.org", "unencrypted"),
        ("https://ada@example.org", "not an IMAP address"),
        ("imaps://example.org", "not an IMAP address"),
        ("imaps://ada:secret@example.org", "holds a password"),
        ("imaps://ada@example.org:port", "not an IMAP address"),
        ("imaps://@example.org", "names no host or no user"),
    ],
)
def test_bad_addresses(url: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        parse_account(url)
    assert "secret" not in str(error.value)


@given(st.text(max_size=40))
def test_folder_names_survive_the_wire(name: str) -> None:
    try:
        name.encode("utf-16-be")
    except UnicodeEncodeError:
        return
    sent = _quoted(name)
    assert sent.isascii()
    assert "\n" not in sent
    assert "\r" not in sent
    assert _unquoted(sent.encode()) == name


def test_headers_cannot_be_smuggled_in() -> None:
    message = compose("x", sender=USER, to="a@b.org", subject="one\r\nBcc: everyone@example.org")
    assert message["Subject"] == "one Bcc: everyone@example.org"
    assert message["Bcc"] is None
    assert compose("x", sender='"Lovelace, Ada" <ada@b.org>')["From"].addresses[0].display_name == "Lovelace, Ada"
    for address in ("a@b.org>", "a@b.org, c@d.org", "nobody", "a b@c", "", "a@b.org\r\nBcc: x@y"):
        with pytest.raises(InputError, match="not a mail address"):
            compose("x", sender=address)


def test_nothing_here_can_send() -> None:
    for path in Path(idiolect.mail.__file__).parents[1].rglob("*.py"):
        names = {
            alias.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        } | {node.module for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)}  # fmt: skip
        assert not names & {"smtplib", "aiosmtplib"}, path
