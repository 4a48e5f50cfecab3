"""A mailbox to read from and to leave drafts in. Nothing here can send."""

from idiolect.mail.imap import Account, Mailbox, parse_account
from idiolect.mail.message import Received, compose, read_received

__all__ = ["Account", "Mailbox", "Received", "compose", "parse_account", "read_received"]
