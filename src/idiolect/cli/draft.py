"""``idiolect draft``: one draft, left in the drafts folder of a mail account. Nothing is sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.cli.write import Named, Past, Seed, told_of, written
from idiolect.errors import InputError
from idiolect.mail import Account, Mailbox, Received, compose, parse_account, read_received
from idiolect.mail.imap import PASSWORD

__all__ = ["draft"]


def draft(
    request: Annotated[str, typer.Argument(help="What the mail is to say.")],
    imap: Annotated[str | None, typer.Option(help="The account: imaps://user@host; by default the field imap of idiolect.toml.")] = None,
    reply: Annotated[str | None, typer.Option(help="The mail to answer: its Message-ID, or an address for the newest from there.")] = None,
    folder: Annotated[str, typer.Option(help="Where the mail to answer lies.")] = "INBOX",
    to: Annotated[str, typer.Option(help="The recipient; by default the one who is answered.")] = "",
    subject: Annotated[str, typer.Option(help="The subject; by default the answered mail's.")] = "",
    sender: Annotated[str | None, typer.Option("--from", help="Your address; by default the first in idiolect.toml.")] = None,
    name: Named = None,
    seed: Seed = None,
    past: Past = 3,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a draft and leave it in the drafts folder of a mail account; nothing is sent."""
    _, settings = open_workspace(workspace)
    address = imap or settings.imap
    if address is None:
        raise InputError("no mail account is named", where="idiolect.toml, field imap", hint="Give --imap imaps://user@host")
    account = parse_account(address)
    own = sender or next(iter(settings.me), None) or (account.user if "@" in account.user else None)
    if own is None:
        raise InputError("your address is not known", where="idiolect.toml, field me", hint="Give --from you@example.org")
    password = os.environ.get(PASSWORD) or typer.prompt(f"Password of {account.shown}", hide_input=True, err=True)
    # The answered mail is fetched and the connection given up before the model writes: a server may hang up meanwhile.
    answers = _answered(account, password, reply, folder) if reply else None
    quoted, thread = (answers.text, answers.thread) if answers else ("", "")
    done = written(request, name, seed, workspace, quoted=quoted, thread=thread, past=past)
    message = compose(done.draft.text, sender=own, to=to, subject=subject, answers=answers)
    with Mailbox(account, password) as mailbox:
        place, new = mailbox.leave_draft(message)
    where = f"{'Left in' if new else 'It already lies in'} {place} of {account.shown}; nothing was sent"
    values = {**told_of(done), "folder": place, "new": new, "message_id": message["Message-ID"]}
    report(as_json, values, f"{done.draft.text}\n\n{where}")


def _answered(account: Account, password: str, reply: str, folder: str) -> Received:
    by_id = reply.strip().startswith("<")
    with Mailbox(account, password) as mailbox:
        data = mailbox.find(reply, folder) if by_id else mailbox.newest_from(reply, folder)
    if data is None:
        what = "no message has that Message-ID" if by_id else f"there is no message from {reply}"
        raise InputError(what, where=f"{folder} of {account.shown}", hint="Name another with --reply, or its folder with --folder")
    return read_received(data)
