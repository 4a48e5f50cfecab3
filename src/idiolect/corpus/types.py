"""The records that the corpus hands to everything above it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Demonstration", "Fact", "Message"]


class Fact(BaseModel):
    """Something a request states and a draft must keep, as it stands in the request."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    """Slot name: recipient, person, day, time, amount, topic, place, reason, item, count, code, address, link, word."""
    value: str


class Message(BaseModel):
    """One cleaned e-mail that the person sent."""

    model_config = ConfigDict(frozen=True)
    id: str
    thread: str
    date: datetime | None
    sender: str
    to: tuple[str, ...] = ()
    subject: str = ""
    body: str
    source: str
    """Where it was found: file name and position, for error messages and reports."""


class Demonstration(BaseModel):
    """One thing the person wrote, with the request that would have asked for it."""

    model_config = ConfigDict(frozen=True)
    input: str
    """The request; empty until it is back-generated for real mail."""
    output: str
    """What the person wrote; empty for a held-out request with no text of the person's own."""
    id: str = ""
    thread: str = ""
    date: datetime | None = None
    source: str = ""
    facts: tuple[Fact, ...] = Field(default=())
    """Known facts of the request, where the simulator made it."""
