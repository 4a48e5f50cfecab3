"""The desk at which requests are taken: a workspace's writers, and drafts by them.

Knows a workspace and a connection. Knows no protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.evaluation.checked import CheckedDraft, checked_draft
from idiolect.methods.baseline import impersonal
from idiolect.methods.run import all_writers, writers_in_turn
from idiolect.service import Connection, Writer
from idiolect.service.sampling import Messages
from idiolect.service.streaming import Piece, stream
from idiolect.serving.limits import Limits, Places
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["Desk", "Wish"]


@dataclass(frozen=True)
class Wish:
    """How a draft is wanted; None leaves it to the writer."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass
class Desk:
    """Takes requests for a workspace's writers, ``limits.at_once`` at a time."""

    workspace: Workspace
    settings: Settings
    connection: Connection
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.places = Places(self.limits.at_once, self.limits.waiting)

    def writers(self) -> dict[str, Writer]:
        """As the runs stand now: a training that ends meanwhile joins."""
        return all_writers(self.workspace)

    def pieces(self, writer: Writer, messages: Messages, wish: Wish, *, number: int = 0, whole: bool = False) -> AsyncIterator[Piece]:
        """The draft number ``number`` for a conversation; every number has draws of its own."""
        return stream(
            self.connection,
            writer,
            messages,
            max_tokens=min(wish.max_tokens or writer.max_tokens, self.limits.max_tokens),
            temperature=writer.temperature if wish.temperature is None else wish.temperature,
            top_p=wish.top_p,
            seed=(self.settings.seed if wish.seed is None else wish.seed) + number,
            stop=wish.stop,
            whole=whole,
        )

    async def checked(self, name: str | None, request: str, quoted: str, seed: int | None) -> CheckedDraft:
        """One draft by the named writer, or else by the one that most was learnt for and those it falls back on; and what was found."""
        writers = writers_in_turn(self.workspace, name, fallback=self.settings.fallback)
        known = load_demonstrations(self.workspace.demonstrations)
        writers = [one.model_copy(update={"max_tokens": min(one.max_tokens, self.limits.max_tokens)}) for one in writers]
        seed = self.settings.seed if seed is None else seed
        plain = impersonal(self.workspace, self.settings, writers[0])
        return await checked_draft(
            self.connection, writers, request, known, seed=seed, plain=plain, quoted=quoted, tries=self.settings.tries
        )

    async def text(self, writer: Writer, messages: Messages, wish: Wish = Wish(), number: int = 0) -> tuple[str, Piece]:
        """The whole draft, and its last piece, which counts the tokens."""
        pieces = [piece async for piece in self.pieces(writer, messages, wish, number=number, whole=True)]
        return "".join(piece.text for piece in pieces), pieces[-1]


def conversation(writer: Writer, turns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The writer's prompt and examples, then the client's turns; what the client says as the system follows the writer's own."""
    prefix = writer.messages("")[:-1]
    told = "\n\n".join(turn["content"] for turn in [*prefix, *turns] if turn["role"] == "system" and turn["content"])
    said = [turn for turn in [*prefix, *turns] if turn["role"] != "system"]
    return [*([{"role": "system", "content": told}] if told else []), *said]
