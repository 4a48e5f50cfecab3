"""The person's writing: importing, cleaning, redacting and splitting it."""

from idiolect.corpus.types import Demonstration, Fact, Message

__all__ = ["Demonstration", "Fact", "Message"]
